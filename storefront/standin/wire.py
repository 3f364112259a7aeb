"""Rows of the ledger as Stripe's objects, field for field as the SDK's classes name them. Reads only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from storefront.standin.ledger import Row, one

Json = dict[str, Any]

API_VERSION: Final = "2026-10-28.endive"  # the version of the webhook endpoint, and of every object here


def session_object(ledger: sqlite3.Connection, row: Row, pages: str, expand: Iterable[str] = ()) -> Json:
    """A `checkout.session`. `pages` is the stand-in's own address; `url` is there while the session is open."""
    asked = json.loads(row["asked"])
    wanted = set(expand)
    session: Json = {
        "id": row["id"],
        "object": "checkout.session",
        "amount_subtotal": row["amount_total"],
        "amount_total": row["amount_total"],
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": asked["cancel_url"],
        "client_reference_id": row["client_reference_id"],
        "created": row["created"],
        "currency": row["currency"],
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": None,
        "customer_creation": "if_required",
        "customer_details": _customer(row, asked),
        "customer_email": asked["customer_email"],
        "discounts": [],
        "expires_at": row["expires_at"],
        "livemode": False,
        "locale": asked["locale"],
        "metadata": asked["metadata"],
        "mode": "payment",
        "payment_intent": row["payment_intent"],
        "payment_link": None,
        "payment_method_types": asked["payment_method_types"],
        "payment_status": row["payment_status"],
        "shipping_options": [],
        "status": row["status"],
        "submit_type": asked["submit_type"],
        "success_url": asked["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{pages}/c/pay/{row['id']}" if row["status"] == "open" else None,
    }
    if "line_items" in wanted:
        session["line_items"] = line_items(row)
    if wanted & {"payment_intent", "payment_intent.latest_charge"} and row["payment_intent"]:
        intent = one(ledger, "SELECT * FROM payment_intents WHERE id = ?", row["payment_intent"])
        if intent is not None:
            deeper = ["latest_charge"] if "payment_intent.latest_charge" in wanted else []
            session["payment_intent"] = intent_object(ledger, intent, deeper)
    return session


def _customer(row: Row, asked: Json) -> Json | None:
    email = row["email"] or asked["customer_email"]
    if not email:
        return None
    return {"address": None, "email": email, "name": row["name"], "phone": None, "tax_exempt": "none", "tax_ids": []}


def line_items(row: Row) -> Json:
    items = [
        {
            "id": f"li_{row['id'][-20:]}{number}",
            "object": "item",
            "amount_discount": 0,
            "amount_subtotal": line["unit_amount"] * line["quantity"],
            "amount_tax": 0,
            "amount_total": line["unit_amount"] * line["quantity"],
            "currency": row["currency"],
            "description": line["name"],
            "price": {
                "id": f"price_{row['id'][-20:]}{number}",
                "object": "price",
                "currency": row["currency"],
                "type": "one_time",
                "unit_amount": line["unit_amount"],
            },
            "quantity": line["quantity"],
        }
        for number, line in enumerate(json.loads(row["asked"])["lines"])
    ]
    return list_object(items, f"/v1/checkout/sessions/{row['id']}/line_items")


def intent_object(ledger: sqlite3.Connection, row: Row, expand: Iterable[str] = ()) -> Json:
    """A `payment_intent` with its latest charge, as id or expanded."""
    session = one(ledger, "SELECT * FROM sessions WHERE id = ?", row["session"])
    asked = json.loads(session["asked"]) if session else {}
    charge = one(ledger, "SELECT * FROM charges WHERE payment_intent = ? ORDER BY seq DESC", row["id"])
    latest: Json | str | None = charge["id"] if charge else None
    if charge and "latest_charge" in expand:
        latest = charge_object(ledger, charge)
    error = json.loads(row["error"]) if row["error"] else None
    return {
        "id": row["id"],
        "object": "payment_intent",
        "amount": row["amount"],
        "amount_capturable": 0,
        "amount_received": row["amount"] if row["status"] == "succeeded" else 0,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "created": row["created"],
        "currency": row["currency"],
        "customer": None,
        "description": asked.get("description"),
        "last_payment_error": error,
        "latest_charge": latest,
        "livemode": False,
        "metadata": asked.get("intent_metadata", {}),
        "next_action": None,
        "payment_method": None,
        "payment_method_types": asked.get("payment_method_types", ["card"]),
        "receipt_email": None,
        "status": row["status"],
    }


def charge_object(ledger: sqlite3.Connection, row: Row) -> Json:
    intent = one(ledger, "SELECT * FROM payment_intents WHERE id = ?", row["payment_intent"])
    session = one(ledger, "SELECT * FROM sessions WHERE id = ?", intent["session"]) if intent else None
    asked = json.loads(session["asked"]) if session else {}
    error = json.loads(row["error"]) if row["error"] else {}
    taken = row["status"] == "succeeded"
    return {
        "id": row["id"],
        "object": "charge",
        "amount": row["amount"],
        "amount_captured": row["amount"] if taken else 0,
        "amount_refunded": row["amount_refunded"],
        "balance_transaction": None,
        "billing_details": {
            "address": None,
            "email": session["email"] if session else None,
            "name": session["name"] if session else None,
            "phone": None,
            "tax_id": None,
        },
        "captured": taken,
        "created": row["created"],
        "currency": row["currency"],
        "customer": None,
        "description": asked.get("description"),
        "disputed": one(ledger, "SELECT id FROM disputes WHERE charge = ?", row["id"]) is not None,
        "failure_code": error.get("code"),
        "failure_message": error.get("message"),
        "livemode": False,
        "metadata": asked.get("intent_metadata", {}),
        "paid": taken,
        "payment_intent": row["payment_intent"],
        "payment_method_details": _method_details(row),
        "refunded": taken and row["amount_refunded"] == row["amount"],
        "status": row["status"],
    }


def _method_details(row: Row) -> Json:
    if row["method"] == "sepa_debit":
        return {"type": "sepa_debit", "sepa_debit": {"last4": row["last4"]}}
    return {"type": "card", "card": {"brand": row["brand"], "last4": row["last4"]}}


def dispute_object(row: Row) -> Json:
    return {
        "id": row["id"],
        "object": "dispute",
        "amount": row["amount"],
        "charge": row["charge"],
        "created": row["created"],
        "currency": row["currency"],
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": row["payment_intent"],
        "reason": "fraudulent",
        "status": "needs_response",
    }


def refund_object(row: Row) -> Json:
    return {
        "id": row["id"],
        "object": "refund",
        "amount": row["amount"],
        "balance_transaction": None,
        "charge": row["charge"],
        "created": row["created"],
        "currency": row["currency"],
        "metadata": json.loads(row["metadata"]),
        "payment_intent": row["payment_intent"],
        "reason": row["reason"],
        "receipt_number": None,
        "status": "succeeded",
    }


def event_object(row: Row) -> Json:
    """As recorded; only `pending_webhooks` follows the deliveries."""
    event: Json = json.loads(row["body"])
    event["pending_webhooks"] = int(row["sends_left"] > 0)
    return event


def list_object(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
