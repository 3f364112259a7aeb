"""Every page and error state of Spindle: by what name it is known, and what it answers with real rows behind it.

The lists themselves are in `pages_*.py`; a new address without an entry there fails `test_pages_listed.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings
from django.urls import Resolver404
from django.utils import timezone

from fulfillment import rolling
from storefront.models import Order, Product
from tests.scene import Plant, make_title, running_plant
from tests.storefront.shopping import to_hosted_page
from tests.storefront.standin.asking import GOOD, submit
from tests.storefront.standin.running import StandIn, running_standin


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `route` is the name (or the pattern) of the address in the URLconf."""

    status: int
    headers: dict[str, str]
    body: str
    route: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer as it is judged, a fragment made a document. `group` is shop, plant, admin, payer, papers or assets."""

    name: str
    group: str
    answer: Answer
    document: str


@dataclass(slots=True)
class World:
    """A shop with titles, a writer at work and the payment stand-in. Each visit's changes are taken back after it."""

    plant: Plant
    standin: StandIn
    products: list[Product]

    def customer(self) -> Client:
        return Client(raise_request_exception=False)

    def order(self, client: Client, copies: int = 3, *, pay: bool = True) -> Order:
        url = to_hosted_page(client, self.products[0], copies)
        if pay:
            submit(url, GOOD)
        order = Order.objects.latest("id")
        if pay:
            client.get(f"/checkout/paid/{order.token}/", {"session": order.payments.get().session or ""})
        return Order.objects.get(pk=order.pk)


@dataclass(frozen=True, slots=True)
class Visit:
    """One entry of the list: opens the page in a world, and says what status that must have."""

    name: str
    group: str
    open: Callable[[World], Any]
    status: int
    around: str


LIST: Final[dict[str, Visit]] = {}
FURNISHINGS: Final[dict[str, Callable[[World], None]]] = {}
WHOLE: Final = "{}"


def visit(
    name: str, group: str = "shop", *, status: int = 200, around: str = WHOLE
) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    """Puts a page into the list. `around` is the element that a fragment is put into, with {} for the fragment."""

    def put(opening: Callable[[World], Any]) -> Callable[[World], Any]:
        if name in LIST:
            raise ValueError(f"Two pages are called {name}: rename one.")
        LIST[name] = Visit(name, group, opening, status, around)
        return opening

    return put


def furnishing(group: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """What a group's pages need before the first of them is opened; made once, taken back after the last."""

    def put(furnish: Callable[[World], None]) -> Callable[[World], None]:
        FURNISHINGS[group] = furnish
        return furnish

    return put


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


@contextmanager
def running_world(folder: Path) -> Iterator[World]:
    """Inside a transaction of the caller's. Redis is not there: pages must not need it."""
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with running_standin(folder, None, "--bank-debit", "60") as standin, running_plant() as plant:
        plant.now = timezone.now()
        plant.report()
        with override_settings(
            PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
            STORAGES=storages,
            STRIPE_API_BASE=standin.url,
            STRIPE_SECRET_KEY=standin.key,
            STRIPE_WEBHOOK_SECRETS=[standin.secret],
        ):
            products = [make_title(), make_title("P-2", 1490, "dvd")]
            rolling.roll(plant.now)
            yield World(plant, standin, products)


def open_all(world: World) -> dict[str, Page]:
    """Every page of the list, by name."""
    pages: dict[str, Page] = {}
    for group in dict.fromkeys(entry.group for entry in LIST.values()):
        with taken_back():
            if furnish := FURNISHINGS.get(group):
                furnish(world)
            pages |= {name: open_one(world, entry) for name, entry in LIST.items() if entry.group == group}
    return pages


def open_one(world: World, entry: Visit) -> Page:
    with taken_back():
        try:
            answer = _answer(entry.open(world))
        except Exception as error:
            error.add_note(f"This was the page {entry.name}.")
            raise
    if answer.status != entry.status:
        raise AssertionError(f"{entry.name} answered {answer.status}, not {entry.status}: {answer.body[:2000]}")
    return Page(entry.name, entry.group, answer, _document(answer.body, entry.around))


def _answer(response: Any) -> Answer:
    if isinstance(response, Answer):
        return response
    try:
        route = response.resolver_match.view_name or response.resolver_match.route
    except Resolver404:  # an address that there is not
        route = ""
    return Answer(response.status_code, dict(response.headers), response.content.decode(), route)


def _document(body: str, around: str) -> str:
    if around == WHOLE:
        return body
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fragment</title></head><body>'
    return head + "<main>" + around.format(body) + "</main></body></html>"
