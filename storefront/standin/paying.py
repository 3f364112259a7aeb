"""What happens when somebody pays on the hosted page: one charge per session, or a decline and another try.

Works inside the caller's transaction; a session that somebody else completed or that ran out stays as it is.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from storefront.standin.cards import AUTHENTICATION_FAILED, Card, Decline
from storefront.standin.events import Happening, record
from storefront.standin.ledger import Row, changed, new_id, one
from storefront.standin.sessions import find_session
from storefront.standin.wire import dispute_object, intent_object, session_object


class Outcome(StrEnum):
    PAID = "paid"  # also when it was paid before: the customer goes on to the shop either way
    AUTHENTICATE = "authenticate"
    DECLINED = "declined"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Attempt:
    outcome: Outcome
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str


BANK_REFUSED = Decline("debit_not_authorized", "The bank refused the debit.", "iban", "generic_decline")


def _closed(session: Row, at: Happening) -> Attempt | None:
    if session["status"] == "complete":
        return Attempt(Outcome.PAID)
    if session["status"] == "expired" or session["expires_at"] <= at.now:
        return Attempt(Outcome.CLOSED)
    return None


def _intent(ledger: sqlite3.Connection, session: Row, at: Happening) -> Row:
    """The session's one payment intent; made at the first try, as Stripe's Checkout does."""
    ledger.execute(
        "INSERT OR IGNORE INTO payment_intents (id, created, session, amount, currency, status)"
        " VALUES (?, ?, ?, ?, ?, 'requires_payment_method')",
        (new_id("pi"), int(at.now), session["id"], session["amount_total"], session["currency"]),
    )
    intent = one(ledger, "SELECT * FROM payment_intents WHERE session = ?", session["id"])
    if intent is None:
        raise LookupError(f"Session {session['id']} has no payment intent; the ledger is damaged.")
    return intent


def pay_by_card(ledger: sqlite3.Connection, session_id: str, card: Card, person: Person, at: Happening) -> Attempt:
    session = find_session(ledger, session_id)
    if closed := _closed(session, at):
        return closed
    intent = _intent(ledger, session, at)
    ledger.execute(
        "UPDATE sessions SET payment_intent = ?, email = ?, name = ? WHERE id = ?",
        (intent["id"], person.email, person.name, session_id),
    )
    ledger.execute(
        "UPDATE payment_intents SET method = 'card', brand = ?, last4 = ? WHERE id = ?",
        (card.brand, card.last4, intent["id"]),
    )
    if card.decline:
        _add_charge(ledger, intent["id"], "failed", at, error=_error(card.decline))
        return _decline(ledger, intent["id"], card.decline, at)
    if card.authenticate:
        ledger.execute("UPDATE payment_intents SET status = 'requires_action' WHERE id = ?", (intent["id"],))
        return Attempt(Outcome.AUTHENTICATE)
    return _take(ledger, session_id, intent["id"], at, card.disputed)


def authenticate(ledger: sqlite3.Connection, session_id: str, passed: bool, at: Happening) -> Attempt:
    """The answer of the bank's page. Without a payment that waits for it, the customer starts again."""
    session = find_session(ledger, session_id)
    if closed := _closed(session, at):
        return closed
    intent = one(ledger, "SELECT * FROM payment_intents WHERE session = ? AND status = 'requires_action'", session_id)
    if intent is None or not passed:
        if intent is None:
            return Attempt(Outcome.DECLINED, AUTHENTICATION_FAILED)
        return _decline(ledger, intent["id"], AUTHENTICATION_FAILED, at)
    return _take(ledger, session_id, intent["id"], at)


def pay_by_bank(
    ledger: sqlite3.Connection, session_id: str, last4: str, settles: bool, after: float, person: Person, at: Happening
) -> Attempt:
    """A debit that completes the session unpaid; `settle_due` says later whether the money came."""
    session = find_session(ledger, session_id)
    if closed := _closed(session, at):
        return closed
    intent = _intent(ledger, session, at)
    ledger.execute(
        "UPDATE payment_intents SET status = 'processing', method = 'sepa_debit', brand = NULL, last4 = ? WHERE id = ?",
        (last4, intent["id"]),
    )
    ledger.execute(
        "UPDATE sessions SET status = 'complete', payment_intent = ?, email = ?, name = ? WHERE id = ?",
        (intent["id"], person.email, person.name, session_id),
    )
    charge = _add_charge(ledger, intent["id"], "pending", at)
    ledger.execute("UPDATE charges SET settle_at = ?, settles = ? WHERE id = ?", (at.now + after, int(settles), charge))
    _tell_session(ledger, "checkout.session.completed", session_id, at)
    return Attempt(Outcome.PAID)


def settle_due(ledger: sqlite3.Connection, at: Happening) -> int:
    """Bank debits whose time has come: paid, or failed. Says how many."""
    rows = ledger.execute("SELECT * FROM charges WHERE status = 'pending' AND settle_at <= ?", (at.now,)).fetchall()
    for row in rows:
        intent = one(ledger, "SELECT * FROM payment_intents WHERE id = ?", row["payment_intent"])
        if intent is None:
            raise LookupError(f"Charge {row['id']} has no payment intent; the ledger is damaged.")
        if row["settles"]:
            ledger.execute("UPDATE charges SET status = 'succeeded' WHERE id = ?", (row["id"],))
            ledger.execute("UPDATE payment_intents SET status = 'succeeded' WHERE id = ?", (intent["id"],))
            ledger.execute("UPDATE sessions SET payment_status = 'paid' WHERE id = ?", (intent["session"],))
            _tell_intent(ledger, "payment_intent.succeeded", intent["id"], at)
            _tell_session(ledger, "checkout.session.async_payment_succeeded", intent["session"], at)
        else:
            ledger.execute(
                "UPDATE charges SET status = 'failed', error = ? WHERE id = ?",
                (json.dumps(_error(BANK_REFUSED)), row["id"]),
            )
            _decline(ledger, intent["id"], BANK_REFUSED, at)
            _tell_session(ledger, "checkout.session.async_payment_failed", intent["session"], at)
    return len(rows)


def _take(
    ledger: sqlite3.Connection, session_id: str, intent_id: str, at: Happening, disputed: bool = False
) -> Attempt:
    if not changed(
        ledger,
        "UPDATE sessions SET status = 'complete', payment_status = 'paid' WHERE id = ? AND status = 'open'",
        session_id,
    ):
        raise LookupError(f"Session {session_id} is open and not open in one transaction; the ledger is damaged.")
    ledger.execute("UPDATE payment_intents SET status = 'succeeded', error = NULL WHERE id = ?", (intent_id,))
    charge = _add_charge(ledger, intent_id, "succeeded", at)
    _tell_intent(ledger, "payment_intent.succeeded", intent_id, at)
    _tell_session(ledger, "checkout.session.completed", session_id, at)
    if disputed:
        dispute(ledger, charge, at)
    return Attempt(Outcome.PAID)


def dispute(ledger: sqlite3.Connection, charge_id: str, at: Happening) -> None:
    """The cardholder says it was not them: the bank asks the merchant."""
    ledger.execute(
        "INSERT INTO disputes (id, created, charge, payment_intent, amount, currency)"
        " SELECT ?, ?, id, payment_intent, amount, currency FROM charges WHERE id = ?",
        (new_id("dp"), int(at.now), charge_id),
    )
    row = one(ledger, "SELECT * FROM disputes WHERE charge = ?", charge_id)
    if row is not None:
        record(ledger, "charge.dispute.created", dispute_object(row), at)


def _decline(ledger: sqlite3.Connection, intent_id: str, decline: Decline, at: Happening) -> Attempt:
    ledger.execute(
        "UPDATE payment_intents SET status = 'requires_payment_method', error = ? WHERE id = ?",
        (json.dumps(_error(decline)), intent_id),
    )
    _tell_intent(ledger, "payment_intent.payment_failed", intent_id, at)
    return Attempt(Outcome.DECLINED, decline)


def _error(decline: Decline) -> dict[str, str]:
    error = {"type": "card_error", "code": decline.code, "message": decline.message}
    return error | ({"decline_code": decline.decline_code} if decline.decline_code else {})


def _add_charge(
    ledger: sqlite3.Connection, intent_id: str, status: str, at: Happening, error: dict[str, str] | None = None
) -> str:
    charge_id = new_id("ch")
    ledger.execute(
        "INSERT INTO charges (id, created, payment_intent, amount, currency, status, method, brand, last4, error)"
        " SELECT ?, ?, id, amount, currency, ?, method, brand, last4, ? FROM payment_intents WHERE id = ?",
        (charge_id, int(at.now), status, json.dumps(error) if error else None, intent_id),
    )
    return charge_id


def _tell_intent(ledger: sqlite3.Connection, kind: str, intent_id: str, at: Happening) -> None:
    row = one(ledger, "SELECT * FROM payment_intents WHERE id = ?", intent_id)
    if row is not None:
        record(ledger, kind, intent_object(ledger, row), at)


def _tell_session(ledger: sqlite3.Connection, kind: str, session_id: str, at: Happening) -> None:
    record(ledger, kind, session_object(ledger, find_session(ledger, session_id), ""), at)
