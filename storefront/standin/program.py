"""The running stand-in: its parts in one value that every request carries, and the work done between requests."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from django.http import HttpRequest

from storefront.standin.config import Config
from storefront.standin.events import Happening
from storefront.standin.idempotency import InFlight
from storefront.standin.ledger import Ledger
from storefront.standin.paying import settle_due
from storefront.standin.sessions import expire_overdue
from storefront.standin.webhooks import Courier

log = logging.getLogger("standin")

IDLE_SECONDS: Final = 0.25
ENVIRON_KEY: Final = "standin.program"


@dataclass(frozen=True, slots=True)
class StandIn:
    """`pages` is the address of the hosted pages, without a slash at its end."""

    config: Config
    ledger: Ledger
    pages: str
    courier: Courier | None
    in_flight: InFlight = field(default_factory=InFlight)
    stopping: threading.Event = field(default_factory=threading.Event)
    news: threading.Event = field(default_factory=threading.Event)

    def happening(self, request_id: str | None = None, key: str | None = None) -> Happening:
        return Happening(time.time(), self.config.deliveries, request_id, key)

    def work_between_requests(self) -> None:
        """Expires, settles and delivers until told to stop."""
        while not self.stopping.is_set():
            try:
                self._work()
            except sqlite3.OperationalError:
                log.exception("the ledger is busy; next try in %s s", IDLE_SECONDS)
            self.news.wait(IDLE_SECONDS)
            self.news.clear()

    def _work(self) -> None:
        at = self.happening()
        with self.ledger.writing() as ledger:
            expire_overdue(ledger, at)
            settle_due(ledger, at)
        while not self.stopping.is_set() and self.courier and self.courier.deliver_due(time.time()):
            pass


def of(request: HttpRequest) -> StandIn:
    program = request.META[ENVIRON_KEY]
    if not isinstance(program, StandIn):
        raise TypeError(f"{ENVIRON_KEY} in the WSGI environment is not a StandIn.")
    return program
