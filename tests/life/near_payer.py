"""The real gateway and the real stand-in in one process: the SDK's requests reach its views without a socket.

The ledger is in memory, the clock is the test's. Replies can be lost, and things can happen during a call.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import stripe
from django.db import connection
from django.http import HttpRequest
from django.urls import resolve

from storefront.standin import paying, refunds
from storefront.standin.cards import Card, Decline
from storefront.standin.config import Config
from storefront.standin.events import Happening
from storefront.standin.form import Parameters, decode
from storefront.standin.ledger import SCHEMA, Ledger
from storefront.standin.program import ENVIRON_KEY, StandIn
from storefront.standin.sessions import expire_overdue
from storefront.standin.webhooks import signature
from storefront.stripe_payer import StripePayer

KEY: Final = "sk_test_standin"
SECRET: Final = "whsec_near"
GOOD: Final = Card("visa", "4242", (2030, 12))
DECLINED: Final = Card("visa", "0002", (2030, 12), Decline("card_declined", "No.", decline_code="generic_decline"))
PERSON: Final = paying.Person("Zoë Kowalska", "zoe@example.com")


@dataclass(frozen=True, slots=True)
class MemoryLedger(Ledger):
    """The stand-in's ledger without a file: each piece of work is a savepoint of one connection."""

    kept: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))

    def create(self) -> None:
        self.kept.row_factory = sqlite3.Row
        self.kept.executescript("PRAGMA foreign_keys=ON;" + SCHEMA)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        self.kept.execute("SAVEPOINT piece")
        try:
            yield self.kept
        except BaseException:
            self.kept.execute("ROLLBACK TO piece")
            raise
        finally:
            self.kept.execute("RELEASE piece")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        yield self.kept


@dataclass(frozen=True, slots=True)
class ClockedStandIn(StandIn):
    """Tells the test's time."""

    clock: Callable[[], float] = time.time

    def happening(self, request_id: str | None = None, key: str | None = None) -> Happening:
        return Happening(self.clock(), 1, request_id, key)


class Till(stripe.HTTPClient):
    """The SDK's way to the stand-in, and what a test may do to it.

    `losses`: for each of the next calls, whether it is lost «before» or «after» it took effect, or goes well («»).
    `meanwhile` happens once, between the effect of the next call and its answer. `depth`: savepoints that are open
    when no transaction of the shop is; a call inside one goes to `faults`.
    """

    name = "near"

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        super().__init__()
        self.ledger = MemoryLedger(Path("unused"))
        self.ledger.create()
        config = Config(0, Path("unused"), None, SECRET, KEY, "Spindle", False, 1, 0.0, None)
        self.standin = ClockedStandIn(
            config, self.ledger, "http://payer.example", None, clock=lambda: clock().timestamp()
        )
        self.losses: deque[str] = deque()
        self.meanwhile: Callable[[], object] | None = None
        self.depth = 0
        self.faults: list[str] = []

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **unused: object
    ) -> tuple[str, int, Mapping[str, str]]:
        parts = urlsplit(url)
        if len(connection.savepoint_ids) != self.depth:
            self.faults.append(f"{method} {parts.path} was called inside a transaction")
        loss = self.losses.popleft() if self.losses else ""
        if loss == "before":
            raise _lost("request")
        answer = self._answer(method, parts.path, parts.query, dict(headers or {}), post_data)
        if meanwhile := self.meanwhile:
            self.meanwhile = None
            meanwhile()
        if loss == "after":
            raise _lost("answer")
        return answer

    def close(self) -> None:
        self.ledger.kept.close()

    def _answer(
        self, method: str, path: str, query: str, headers: dict[str, str], body: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        request = HttpRequest()
        request.method, request.path = method.upper(), path
        request._body = (body or "").encode()
        request.content_type = "application/x-www-form-urlencoded"
        request.META = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        request.META |= {"QUERY_STRING": query, ENVIRON_KEY: self.standin}
        found = resolve(path, urlconf="storefront.standin.urls")
        answer = found.func(request, *found.args, **found.kwargs)
        return answer.content.decode(), answer.status_code, dict(answer.items())

    # --- What happens at the payer's ----------------------------------------------------------------

    def pay(self, session: str, card: Card) -> paying.Outcome:
        with self.ledger.writing() as ledger:
            return paying.pay_by_card(ledger, session, card, PERSON, self.standin.happening()).outcome

    def expire_overdue(self) -> None:
        with self.ledger.writing() as ledger:
            expire_overdue(ledger, self.standin.happening())

    def refund_by_hand(self, intent: str, amount: int) -> None:
        with self.ledger.writing() as ledger:
            asked = Parameters(decode(f"payment_intent={intent}&amount={amount}"))
            refunds.refund(ledger, asked, self.standin.happening())

    def rows(self, sql: str) -> list[sqlite3.Row]:
        return self.ledger.kept.execute(sql).fetchall()

    def charges(self) -> list[sqlite3.Row]:
        """Money that was taken: reference, session, intent, amount, amount_refunded."""
        return self.rows(
            "SELECT s.client_reference_id AS reference, s.id AS session, p.id AS intent, c.amount, c.amount_refunded"
            " FROM charges c JOIN payment_intents p ON p.id = c.payment_intent JOIN sessions s ON s.id = p.session"
            " WHERE c.status = 'succeeded' ORDER BY c.seq"
        )

    def webhooks(self) -> list[tuple[bytes, str]]:
        """Every event there ever was, signed now."""
        bodies = [row["body"].encode() for row in self.rows("SELECT body FROM events ORDER BY seq")]
        assert all(json.loads(body)["id"] for body in bodies)
        return [(body, signature(body, SECRET, int(time.time()))) for body in bodies]


class NearPayer(StripePayer):
    """What SPINDLE_PAYER names while a machine runs; `till` is its way out."""

    till: Till

    def __init__(self) -> None:
        self._client = stripe.StripeClient(
            KEY, base_addresses={"api": "http://payer.example"}, max_network_retries=0, http_client=self.till
        )
        self._secrets = (SECRET,)


def _lost(what: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(f"the test lost the {what}")  # type: ignore[no-untyped-call]  # the SDK's own
