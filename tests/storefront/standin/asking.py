"""What tests ask of a stand-in: an order to pay, the SDK to speak with it, a customer who fills in the hosted page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import stripe
import urllib3

from storefront.payer import CheckoutLine, CheckoutRequest
from storefront.stripe_payer import StripePayer
from tests.storefront.standin.running import StandIn

GOOD: Final = "4242 4242 4242 4242"
pool: Final = urllib3.PoolManager(retries=False, timeout=20)


def payer_for(standin: StandIn) -> StripePayer:
    return StripePayer(secret_key=standin.key, api_base=standin.url, webhook_secrets=(standin.secret,))


def order(**changes: object) -> CheckoutRequest:
    """Two discs and their shipping: 24.70 euros."""
    values: dict[str, object] = {
        "reference": f"S-{uuid4().hex[:8].upper()}",
        "key": f"pay-{uuid4()}",
        "currency": "EUR",
        "lines": (CheckoutLine("Winterreise (CD)", 990, 2), CheckoutLine("Standard shipping", 490, 1)),
        "email": "anna@example.org",
        "success_url": "http://127.0.0.1:8000/paid?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:8000/checkout",
        "expires_at": datetime.now(UTC) + timedelta(hours=2),
    }
    return CheckoutRequest(**(values | changes))  # type: ignore[arg-type]  # the values are as declared above


def sdk_for(standin: StandIn, retries: int = 0) -> stripe.StripeClient:
    """The unmodified SDK."""
    return stripe.StripeClient(standin.key, base_addresses={"api": standin.url}, max_network_retries=retries)


def session_fields(**changes: Any) -> dict[str, Any]:
    """The least that a session needs."""
    price = {"currency": "eur", "unit_amount": 990, "product_data": {"name": "Winterreise (CD)"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 2}],
        "success_url": "http://127.0.0.1:8000/paid",
    } | changes


def submit(url: str | None, number: str = GOOD, **changes: str) -> urllib3.BaseHTTPResponse:
    """Fills in the hosted page and pays; redirects are not followed."""
    fields = {"number": number, "expiry": "12 / 40", "cvc": "123", "name": "Anna Weiß", "email": "anna@example.org"}
    return post(url, fields | changes)


def post(url: str | None, fields: dict[str, str]) -> urllib3.BaseHTTPResponse:
    assert url is not None
    return pool.request("POST", url, fields=fields, encode_multipart=False, redirect=False)


def get(url: str | None) -> urllib3.BaseHTTPResponse:
    assert url is not None
    return pool.request("GET", url, redirect=False)
