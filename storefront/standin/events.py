"""Records what happened as Stripe's events, in the transaction in which it happened. Sends nothing."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from storefront.standin.ledger import new_id
from storefront.standin.wire import API_VERSION, Json


@dataclass(frozen=True, slots=True)
class Happening:
    """When something happens, by whose request, and how often each event of it is to be delivered."""

    now: float
    deliveries: int
    request_id: str | None = None
    idempotency_key: str | None = None


def record(ledger: sqlite3.Connection, kind: str, subject: Json, at: Happening) -> None:
    event = {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(at.now),
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": int(at.deliveries > 0),
        "request": {"id": at.request_id, "idempotency_key": at.idempotency_key},
        "type": kind,
    }
    ledger.execute(
        "INSERT INTO events (id, created, type, object_id, body, sends_left, next_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event["id"], event["created"], kind, subject["id"], json.dumps(event), at.deliveries, at.now),
    )
