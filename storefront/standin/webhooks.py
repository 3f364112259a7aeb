"""Delivers recorded events, signed: at least once, with back-off, from the ledger. Never inside a request."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from dataclasses import dataclass, field
from typing import Final

import urllib3

from storefront.standin.ledger import Ledger, Row
from storefront.standin.wire import event_object

log = logging.getLogger("standin")

FIRST_WAIT: Final = 0.25  # seconds; Stripe waits longer, but nobody wants to watch that
LONGEST_WAIT: Final = 60.0
GIVES_UP_AFTER: Final = 3 * 24 * 3600
TIMEOUT: Final = urllib3.Timeout(connect=3, read=10)


def signature(payload: bytes, secret: str, now: int) -> str:
    """The `Stripe-Signature` header: HMAC-SHA256 over «time.payload»."""
    mac = hmac.new(secret.encode(), str(now).encode() + b"." + payload, hashlib.sha256)
    return f"t={now},v1={mac.hexdigest()}"


def wait_after(attempts: int) -> float:
    """Seconds until the next try: doubling, at most a minute."""
    return float(min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT))


@dataclass(frozen=True, slots=True)
class Courier:
    """Sends what is due to one address. A crash between sending and noting it sends once more."""

    ledger: Ledger
    url: str
    secret: str
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def deliver_due(self, now: float) -> int:
        """One try for each event that is due; says how many."""
        with self.ledger.reading() as ledger:
            rows = ledger.execute(
                "SELECT * FROM events WHERE sends_left > 0 AND next_at <= ? ORDER BY seq LIMIT 100", (now,)
            ).fetchall()
        for row in rows:
            self._settle(row, self._sent(row, int(now)), now)
        return len(rows)

    def _sent(self, row: Row, now: int) -> bool:
        payload = json.dumps(event_object(row)).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (stand-in)",
            "Stripe-Signature": signature(payload, self.secret, now),  # fresh each time: receivers refuse old ones
        }
        try:
            answer = self.pool.request("POST", self.url, body=payload, headers=headers, timeout=TIMEOUT, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            log.info("event %s %s not delivered: %s", row["id"], row["type"], type(error).__name__)
            return False
        log.info("event %s %s delivered: %d", row["id"], row["type"], answer.status)
        return 200 <= answer.status < 300

    def _settle(self, row: Row, sent: bool, now: float) -> None:
        attempts = row["attempts"] + 1
        given_up = not sent and now - row["created"] > GIVES_UP_AFTER
        next_at = None if given_up else now if sent else now + wait_after(attempts)
        with self.ledger.writing() as ledger:
            ledger.execute(
                "UPDATE events SET sends_left = sends_left - ?, attempts = ?, next_at = ? WHERE id = ?",
                (int(sent), 0 if sent else attempts, next_at, row["id"]),
            )
