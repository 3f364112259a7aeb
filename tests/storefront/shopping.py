"""A customer in the tests: Django's client, the shop's own forms."""

from __future__ import annotations

from typing import Any

from django.test import Client

from storefront.models import Order, Product

BUYER = {
    "name": "Zoë Kowalska",
    "email": "zoe@example.com",
    "phone": "",
    "organisation": "",
    "line1": "Hauptstraße 12",
    "line2": "",
    "postal_code": "10827",
    "city": "Berlin",
    "region": "",
    "country": "DE",
    "service": "standard",
    "wanted_on": "",
}


def put(client: Client, product: Product, copies: object = 1) -> Any:
    return client.post("/cart/add/", {"product": product.pk, "copies": copies})


def enter(client: Client, **changes: str) -> Any:
    return client.post("/checkout/", BUYER | changes)


def review(client: Client) -> Any:
    return client.get("/checkout/review/")


def pay(client: Client) -> Any:
    """Presses «Pay» on the review page."""
    return client.post("/checkout/pay/", {"seen": review(client).context["seen"]})


def to_hosted_page(client: Client, product: Product, copies: int = 1) -> str:
    """The address of the payer's page for a new order."""
    put(client, product, copies)
    assert enter(client).status_code == 302
    answer = pay(client)
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def problem_of(answer: Any, field: str) -> str:
    """What the page says beside that field."""
    return str(answer.context["form"].errors[field][0])


def only_order() -> Order:
    return Order.objects.get()
