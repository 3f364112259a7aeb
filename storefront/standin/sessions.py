"""Checkout sessions: opened by the merchant, expired by the merchant or by time. Knows nothing of paying."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Final
from urllib.parse import urlsplit

from storefront.standin.errors import StripeError, missing
from storefront.standin.events import Happening, record
from storefront.standin.form import Parameters
from storefront.standin.ledger import Row, changed, new_id, one
from storefront.standin.money import CURRENCIES, MAX_AMOUNT, shown
from storefront.standin.wire import Json, session_object

SHORTEST: Final = 30 * 60
LONGEST: Final = 24 * 3600
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]+")
LOCALE: Final = re.compile(r"auto|[a-z]{2,3}(-[A-Za-z0-9]{2,4})?")


def find_session(ledger: sqlite3.Connection, session_id: str) -> Row:
    row = one(ledger, "SELECT * FROM sessions WHERE id = ?", session_id)
    if row is None:
        raise missing("checkout.session", session_id, "session")
    return row


def open_session(ledger: sqlite3.Connection, asked: Parameters, methods: list[str], at: Happening) -> Row:
    """Checks everything the merchant sent and writes the session. Raises StripeError naming the parameter."""
    now = int(at.now)
    if asked.one_of("mode", ("payment", "setup", "subscription")) != "payment":
        raise StripeError("This stand-in takes mode=payment only.", code="parameter_missing", param="mode")
    asked.one_of("ui_mode", ("hosted_page",))
    lines, currency = _lines(asked)
    amount = sum(line["unit_amount"] * line["quantity"] for line in lines)
    intent = asked.section("payment_intent_data")
    kept: Json = {
        "lines": lines,
        "payment_method_types": methods,
        "success_url": _address(asked, "success_url", required=True),
        "cancel_url": _address(asked, "cancel_url", required=False),
        "customer_email": _email(asked),
        "locale": _locale(asked),
        "submit_type": asked.one_of("submit_type", ("auto", "book", "donate", "pay")),
        "metadata": asked.metadata(),
        "intent_metadata": intent.metadata(),
        "description": intent.text("description", limit=1000),
    }
    intent.finish()
    reference = asked.text("client_reference_id", limit=200)
    expires_at = _expiry(asked, now)
    asked.finish()
    _check_amount(amount, currency)
    session_id = new_id("cs_test", 58)
    ledger.execute(
        "INSERT INTO sessions (id, created, expires_at, status, payment_status, amount_total, currency,"
        " client_reference_id, asked) VALUES (?, ?, ?, 'open', 'unpaid', ?, ?, ?, ?)",
        (session_id, now, expires_at, amount, currency, reference, json.dumps(kept)),
    )
    return find_session(ledger, session_id)


def _lines(asked: Parameters) -> tuple[list[Json], str]:
    items = asked.items("line_items")
    if not items:
        raise asked.absent("line_items")
    if len(items) > 100:
        raise StripeError("A session takes up to 100 line items.", param="line_items")
    lines: list[Json] = []
    currencies = set()
    for item in items:
        price = item.section("price_data")
        currencies.add(_currency(price))
        product = price.section("product_data")
        unit = price.integer("unit_amount", low=0, high=MAX_AMOUNT)
        if unit is None:
            raise price.absent("unit_amount")
        quantity = item.integer("quantity", low=1, high=999_999)
        if quantity is None:
            raise item.absent("quantity")
        lines.append({"name": product.required("name", limit=250), "unit_amount": unit, "quantity": quantity})
        product.text("description")
        for section in (product, price, item):
            section.finish()
    if len(currencies) > 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    return lines, currencies.pop()


def _currency(price: Parameters) -> str:
    currency = price.required("currency").lower()
    if currency not in CURRENCIES:
        raise StripeError(
            f"Invalid currency: {currency[:10]}. This stand-in takes {', '.join(CURRENCIES)}.",
            param=price.spelt("currency"),
        )
    return currency


def _check_amount(amount: int, currency: str) -> None:
    least = CURRENCIES[currency][1]
    if amount < least:
        raise StripeError(
            f"The Checkout Session's total amount due must add up to at least {shown(least, currency)}",
            code="amount_too_small",
        )
    if amount > MAX_AMOUNT:
        raise StripeError(
            f"The Checkout Session's total amount must be no more than {shown(MAX_AMOUNT, currency)}",
            code="amount_too_large",
        )


def _address(asked: Parameters, name: str, *, required: bool) -> str | None:
    text = asked.required(name) if required else asked.text(name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        good = False
    if not good:
        raise StripeError("Not a valid URL", code="url_invalid", param=name)
    return text


def _email(asked: Parameters) -> str | None:
    email = asked.text("customer_email", limit=800)
    if email is not None and not EMAIL.fullmatch(email):
        raise StripeError(f"Invalid email address: {email[:80]}", code="email_invalid", param="customer_email")
    return email


def _locale(asked: Parameters) -> str | None:
    locale = asked.text("locale")
    if locale is not None and not LOCALE.fullmatch(locale):
        raise StripeError(f"Invalid locale: {locale[:20]}", param="locale")
    return locale


def _expiry(asked: Parameters, now: int) -> int:
    wanted = asked.integer("expires_at", low=0, high=10**11)
    if wanted is None:
        return now + LONGEST
    if wanted < now + SHORTEST:
        text = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
    elif wanted > now + LONGEST:
        text = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
    else:
        return wanted
    raise StripeError(text, param="expires_at")


def expire_session(ledger: sqlite3.Connection, session_id: str, at: Happening) -> Row:
    """Expires an open session; one that is complete or expired is refused."""
    row = find_session(ledger, session_id)
    if not _expire(ledger, row, at):
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of'
            f" {row['status']}.",
            began=True,
        )
    return find_session(ledger, session_id)


def expire_overdue(ledger: sqlite3.Connection, at: Happening) -> int:
    """Expires what has run out; says how many."""
    rows = ledger.execute("SELECT * FROM sessions WHERE status = 'open' AND expires_at <= ?", (at.now,)).fetchall()
    return sum(_expire(ledger, row, at) for row in rows)


def _expire(ledger: sqlite3.Connection, row: Row, at: Happening) -> bool:
    if not changed(ledger, "UPDATE sessions SET status = 'expired' WHERE id = ? AND status = 'open'", row["id"]):
        return False
    # A payment that was started and can't be finished any more, for example one waiting for authentication.
    ledger.execute("UPDATE payment_intents SET status = 'canceled' WHERE session = ?", (row["id"],))
    record(ledger, "checkout.session.expired", session_object(ledger, find_session(ledger, row["id"]), ""), at)
    return True
