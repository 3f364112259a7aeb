"""What each address of the API does: reads the parameters, calls the part that knows, answers with Stripe's object."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import Final

from storefront.standin import refunds, sessions, wire
from storefront.standin.api import Call
from storefront.standin.errors import StripeError, missing
from storefront.standin.form import Parameters
from storefront.standin.ledger import Row, one
from storefront.standin.listing import EVENTS, REFUNDS, SESSIONS, Filters, page
from storefront.standin.wire import Json

log = logging.getLogger("standin")

SESSION_EXPANDS: Final = ("line_items", "payment_intent", "payment_intent.latest_charge")
ACCOUNT: Final = "acct_standin"


def _expand(asked: Parameters, allowed: Iterable[str], prefix: str = "") -> list[str]:
    names = []
    for name in asked.texts("expand"):
        if name not in {prefix + known for known in allowed}:
            raise StripeError(f"This property cannot be expanded ({name}).", param="expand")
        names.append(name.removeprefix(prefix))
    return names


# --- Checkout sessions ----------------------------------------------------------------------------


def _methods(call: Call) -> list[str]:
    return ["card"] if call.standin.config.bank_debit is None else ["card", "sepa_debit"]


def create_session(ledger: sqlite3.Connection, call: Call) -> Json:
    expand = _expand(call.asked, SESSION_EXPANDS)
    row = sessions.open_session(ledger, call.asked, _methods(call), call.at)
    log.info("session %s opened: %s", row["id"], row["client_reference_id"])
    return wire.session_object(ledger, row, call.standin.pages, expand)


def retrieve_session(ledger: sqlite3.Connection, call: Call) -> Json:
    expand = _expand(call.asked, SESSION_EXPANDS)
    call.asked.finish()
    return wire.session_object(ledger, sessions.find_session(ledger, call.id), call.standin.pages, expand)


def list_sessions(ledger: sqlite3.Connection, call: Call) -> Json:
    expand = _expand(call.asked, SESSION_EXPANDS, "data.")
    filters: Filters = {
        "status": call.asked.one_of("status", ("open", "complete", "expired")),
        "payment_intent": call.asked.text("payment_intent"),
    }
    after = call.asked.text("starting_after")
    last = sessions.find_session(ledger, after) if after else None
    rows, more = page(ledger, call.asked, SESSIONS, filters, last)
    data = [wire.session_object(ledger, row, call.standin.pages, expand) for row in rows]
    return wire.list_object(data, "/v1/checkout/sessions", has_more=more)


def list_line_items(ledger: sqlite3.Connection, call: Call) -> Json:
    call.asked.integer("limit", low=1, high=100)  # a session has at most 100 lines: always one page
    call.asked.finish()
    return wire.line_items(sessions.find_session(ledger, call.id))


def expire_session(ledger: sqlite3.Connection, call: Call) -> Json:
    expand = _expand(call.asked, SESSION_EXPANDS)
    call.asked.finish()
    row = sessions.expire_session(ledger, call.id, call.at)
    log.info("session %s expired by the merchant", row["id"])
    return wire.session_object(ledger, row, call.standin.pages, expand)


# --- Payments and refunds ---------------------------------------------------------------------------


def retrieve_intent(ledger: sqlite3.Connection, call: Call) -> Json:
    expand = _expand(call.asked, ("latest_charge",))
    call.asked.finish()
    return wire.intent_object(ledger, refunds.find_intent(ledger, call.id), expand)


def retrieve_charge(ledger: sqlite3.Connection, call: Call) -> Json:
    call.asked.finish()
    return wire.charge_object(ledger, refunds.find_charge(ledger, call.id))


def create_refund(ledger: sqlite3.Connection, call: Call) -> Json:
    row = refunds.refund(ledger, call.asked, call.at)
    log.info("refund %s of %d %s for %s", row["id"], row["amount"], row["currency"], row["payment_intent"])
    return wire.refund_object(row)


def retrieve_refund(ledger: sqlite3.Connection, call: Call) -> Json:
    call.asked.finish()
    return wire.refund_object(refunds.find_refund(ledger, call.id))


def list_refunds(ledger: sqlite3.Connection, call: Call) -> Json:
    filters: Filters = {
        "charge": call.asked.text("charge"),
        "payment_intent": call.asked.text("payment_intent"),
    }
    after = call.asked.text("starting_after")
    last = refunds.find_refund(ledger, after) if after else None
    rows, more = page(ledger, call.asked, REFUNDS, filters, last)
    return wire.list_object([wire.refund_object(row) for row in rows], "/v1/refunds", has_more=more)


# --- Events and the account ---------------------------------------------------------------------------


def _find_event(ledger: sqlite3.Connection, event_id: str) -> Row:
    row = one(ledger, "SELECT * FROM events WHERE id = ?", event_id)
    if row is None:
        raise missing("event", event_id, "id")
    return row


def retrieve_event(ledger: sqlite3.Connection, call: Call) -> Json:
    call.asked.finish()
    return wire.event_object(_find_event(ledger, call.id))


def list_events(ledger: sqlite3.Connection, call: Call) -> Json:
    delivered = call.asked.one_of("delivery_success", ("true", "false"))
    kind = call.asked.text("type", limit=100)
    if kind and not all(letter.isalnum() or letter in "._*" for letter in kind):
        raise StripeError(f"Invalid type: {kind}", param="type")
    filters: Filters = {
        "type": kind,
        "pending": None if delivered is None else int(delivered == "false"),
    }
    after = call.asked.text("starting_after")
    last = _find_event(ledger, after) if after else None
    rows, more = page(ledger, call.asked, EVENTS, filters, last)
    return wire.list_object([wire.event_object(row) for row in rows], "/v1/events", has_more=more)


def retrieve_account(_ledger: sqlite3.Connection, call: Call) -> Json:
    return {
        "id": ACCOUNT,
        "object": "account",
        "charges_enabled": True,
        "country": "DE",
        "default_currency": "eur",
        "details_submitted": True,
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": call.standin.config.merchant, "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def retrieve_balance(ledger: sqlite3.Connection, _call: Call) -> Json:
    """What was taken and not given back, per currency; nothing is ever paid out."""
    rows = ledger.execute(
        "SELECT currency, sum(amount - amount_refunded) AS amount FROM charges WHERE status = 'succeeded'"
        " GROUP BY currency ORDER BY currency"
    ).fetchall()
    available = [{"amount": row["amount"], "currency": row["currency"]} for row in rows]
    return {"object": "balance", "available": available, "livemode": False, "pending": []}
