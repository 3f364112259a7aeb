"""Refunds: whole or in parts, never more than was taken. Works inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3

from storefront.standin.errors import StripeError, missing
from storefront.standin.events import Happening, record
from storefront.standin.form import Parameters
from storefront.standin.ledger import Row, changed, new_id, one
from storefront.standin.money import MAX_AMOUNT, shown
from storefront.standin.wire import charge_object


def refund(ledger: sqlite3.Connection, asked: Parameters, at: Happening) -> Row:
    """Gives back `amount`, or the rest. Raises StripeError when there is nothing, or not so much, to give back."""
    intent_id, charge_id = asked.text("payment_intent"), asked.text("charge")
    amount = asked.integer("amount", low=1, high=MAX_AMOUNT)
    reason = asked.one_of("reason", ("duplicate", "fraudulent", "requested_by_customer"))
    metadata = asked.metadata()
    asked.finish()
    charge = _charge(ledger, intent_id, charge_id)
    if one(ledger, "SELECT id FROM disputes WHERE charge = ?", charge["id"]):
        text = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise StripeError(text, code="charge_disputed", began=True)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise StripeError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", began=True
        )
    amount = left if amount is None else amount
    if not changed(
        ledger,
        "UPDATE charges SET amount_refunded = amount_refunded + ?1 WHERE id = ?2 AND amount - amount_refunded >= ?1",
        amount,
        charge["id"],
    ):
        currency = charge["currency"]
        raise StripeError(
            f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on charge"
            f" ({shown(left, currency)})",
            param="amount",
            began=True,
        )
    refund_id = new_id("re")
    ledger.execute(
        "INSERT INTO refunds (id, created, charge, payment_intent, amount, currency, reason, metadata)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            refund_id,
            int(at.now),
            charge["id"],
            charge["payment_intent"],
            amount,
            charge["currency"],
            reason,
            json.dumps(metadata),
        ),
    )
    record(ledger, "charge.refunded", charge_object(ledger, find_charge(ledger, charge["id"])), at)
    return find_refund(ledger, refund_id)


def _charge(ledger: sqlite3.Connection, intent_id: str | None, charge_id: str | None) -> Row:
    if (intent_id is None) == (charge_id is None):
        raise StripeError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
            param="payment_intent",
        )
    if charge_id is not None:
        charge: Row | None = find_charge(ledger, charge_id)
    else:
        intent = find_intent(ledger, str(intent_id), "payment_intent")
        charge = one(ledger, "SELECT * FROM charges WHERE payment_intent = ? AND status = 'succeeded'", intent["id"])
    if charge is None or charge["status"] != "succeeded":
        raise StripeError(
            "This payment does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            began=True,
        )
    return charge


def find_intent(ledger: sqlite3.Connection, intent_id: str, param: str = "intent") -> Row:
    row = one(ledger, "SELECT * FROM payment_intents WHERE id = ?", intent_id)
    if row is None:
        raise missing("payment_intent", intent_id, param)
    return row


def find_charge(ledger: sqlite3.Connection, charge_id: str) -> Row:
    row = one(ledger, "SELECT * FROM charges WHERE id = ?", charge_id)
    if row is None:
        raise missing("charge", charge_id, "charge")
    return row


def find_refund(ledger: sqlite3.Connection, refund_id: str) -> Row:
    row = one(ledger, "SELECT * FROM refunds WHERE id = ?", refund_id)
    if row is None:
        raise missing("refund", refund_id, "id")
    return row
