"""Idempotency keys as Stripe keeps them: the first answer is repeated for 24 hours, other parameters are refused.

The answer is written in the transaction of its effect, so a crash leaves both or neither.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode

from storefront.standin.errors import StripeError
from storefront.standin.ledger import one
from storefront.standin.wire import Json

KEPT_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json
    replayed: bool = False


def fingerprint(method: str, path: str, body: str) -> str:
    """The same for the same request, whatever the order of its parameters."""
    pairs = urlencode(sorted(parse_qsl(body, keep_blank_values=True)))
    return hashlib.sha256(f"{method} {path}\n{pairs}".encode()).hexdigest()


def check_key(key: str) -> None:
    if not 1 <= len(key) <= 255:
        raise StripeError("Idempotency keys have 1 to 255 characters.", error_type="idempotency_error")


def remembered(ledger: sqlite3.Connection, key: str, print_: str, now: float) -> Answer | None:
    """The kept answer; None for a key that is new or forgotten. Raises StripeError for other parameters."""
    ledger.execute("DELETE FROM idempotency WHERE created <= ?", (now - KEPT_SECONDS,))
    row = one(ledger, "SELECT * FROM idempotency WHERE key = ?", key)
    if row is None:
        return None
    if row["fingerprint"] != print_:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with."
            f" Try using a key other than '{key}' if you meant to execute a different request.",
            error_type="idempotency_error",
        )
    return Answer(row["status"], json.loads(row["body"]), replayed=True)


def remember(ledger: sqlite3.Connection, key: str, print_: str, answer: Answer, now: float) -> None:
    ledger.execute(
        "INSERT INTO idempotency (key, created, fingerprint, status, body) VALUES (?, ?, ?, ?, ?)",
        (key, int(now), print_, answer.status, json.dumps(answer.body)),
    )


@dataclass(frozen=True, slots=True)
class InFlight:
    """Keys of requests that aren't answered yet; a second request with one of them is told to wait (409)."""

    _keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        with self._lock:
            if key in self._keys:
                raise StripeError(
                    "There is currently another in-progress request using this Idempotency Key. Try again later.",
                    code="idempotency_key_in_use",
                    error_type="idempotency_error",
                    status=409,
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)
