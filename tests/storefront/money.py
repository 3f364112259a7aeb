"""Money in the tests: paying on the hosted page, and the payer's own events, signed and delivered at will."""

from __future__ import annotations

import json
import time
from typing import Any

from django.test import Client

from storefront.models import Order, Product
from storefront.payer import payer
from storefront.standin.webhooks import signature
from tests.storefront.shopping import to_hosted_page
from tests.storefront.standin.asking import submit
from tests.storefront.standin.running import StandIn

CARD, DISPUTED_CARD = "4242424242424242", "4000000000000259"


def session_of(order: Order) -> str:
    return order.payments.order_by("-attempt").values_list("session", flat=True)[0] or ""


def land(client: Client, order: Order) -> None:
    """The customer comes back from the payer's page."""
    client.get(f"/checkout/paid/{order.token}/", {"session": session_of(order)})


def unheard(client: Client, product: Product, copies: int = 1, card: str = CARD) -> Order:
    """An order that is paid at the payer's, and nobody has told the shop."""
    submit(to_hosted_page(client, product, copies), card)
    return Order.objects.latest("id")


def paid(client: Client, product: Product, copies: int = 1, card: str = CARD) -> Order:
    order = unheard(client, product, copies, card)
    land(client, order)
    order.refresh_from_db()
    assert order.state != Order.State.AWAITING_PAYMENT
    return order


def intent_of(order: Order) -> str:
    return str(payer().checkout(session_of(order)).payment_intent)


def events_of(standin: StandIn, order: Order) -> list[dict[str, Any]]:
    """All that the payer tells of this order, in the order in which it happened."""
    (session,) = standin.rows("SELECT id, payment_intent FROM sessions WHERE id = ?", session_of(order))
    bodies = [json.loads(row["body"]) for row in standin.rows("SELECT body FROM events ORDER BY seq")]
    about = set(session.values()) - {None}
    return [each for each in bodies if {each["data"]["object"].get(name) for name in ("id", "payment_intent")} & about]


def event_of(standin: StandIn, order: Order, kind: str) -> dict[str, Any]:
    return [event for event in events_of(standin, order) if event["type"] == kind][-1]


def deliver(client: Client, standin: StandIn, event: dict[str, Any], secret: str = "", age: int = 0) -> int:
    """The answer's status to an event as the payer would send it."""
    body = json.dumps(event).encode()
    return post_event(client, body, signature(body, secret or standin.secret, int(time.time()) - age))


def post_event(client: Client, body: bytes, signed: str) -> int:
    headers = {"Stripe-Signature": signed}
    return client.post("/stripe/webhook/", body, content_type="application/json", headers=headers).status_code


def charged(standin: StandIn, order: Order) -> tuple[int, int]:
    """How many charges took money for this order, and how much of it the payer still has."""
    rows = standin.rows(
        "SELECT charges.amount - amount_refunded AS kept FROM charges"
        " JOIN payment_intents ON charges.payment_intent = payment_intents.id"
        " JOIN sessions ON payment_intents.session = sessions.id"
        " WHERE charges.status = 'succeeded' AND client_reference_id LIKE ?",
        f"pay-{order.number}-%",
    )
    return len(rows), sum(row["kept"] for row in rows)
