"""The shop's pages and what can go wrong on them. A part of the list in `pages.py`."""

from __future__ import annotations

from typing import Any

from django.test import Client, override_settings

from archive.models import Title
from devices.models import Writer
from fulfillment.models import PlanRun, Service, TransitTime
from storefront.cart import KEY, MAX_LINES
from storefront.models import Product
from tests.gates.pages import World, visit
from tests.scene import make_title
from tests.storefront.shopping import enter, put, review

LONG = "The Complete Recordings of the Rotterdam Harbour Orchestra and Donaudampfschifffahrtsgesellschaftskapitäne"
FRAGMENT = "<div>{}</div>"
OPTIONS = '<form action="/"><fieldset>{}</fieldset></form>'


def shopper(world: World, copies: int = 2) -> Client:
    """Somebody with one title in the cart."""
    client = world.customer()
    put(client, world.products[0], copies)
    return client


def dates_unknown() -> None:
    """No writer can be reached, and no plan knows of one."""
    Writer.objects.update(state="offline")
    PlanRun.objects.all().delete()


@visit("front")
def front(world: World) -> Any:
    return world.customer().get("/")


@visit("front-empty")
def front_empty(world: World) -> Any:
    Product.objects.update(active=False)
    return world.customer().get("/")


@visit("front-shelves")
def front_shelves(world: World) -> Any:
    for number, kind in enumerate(["music", "film", "software", "data"] * 4):
        title = make_title(f"Q-{number}", 590 + number).title
        Title.objects.filter(pk=title.pk).update(kind=kind, title=LONG if number == 3 else f"Nine songs {number}")
    return world.customer().get("/")


@visit("search")
def search(world: World) -> Any:
    return world.customer().get("/", {"q": "title"})


@visit("search-nothing")
def search_nothing(world: World) -> Any:
    return world.customer().get("/", {"q": '<b>"nothing like it"</b>'})


@visit("shelf")
def shelf(world: World) -> Any:
    return world.customer().get("/", {"kind": "music"})


@visit("title")
def title(world: World) -> Any:
    return world.customer().get("/titles/P-1/")


@visit("title-long")
def title_long(world: World) -> Any:
    Title.objects.filter(part_number="P-1").update(title=LONG, who=LONG, description=f"{LONG}\n\n{LONG}.")
    Product.objects.create(title=world.products[0].title, format="bd", price_minor=2490)
    return world.customer().get("/titles/P-1/")


@visit("title-date-unknown")
def title_date_unknown(world: World) -> Any:
    dates_unknown()
    return world.customer().get("/titles/P-1/")


@visit("title-not-made")
def title_not_made(world: World) -> Any:
    """One medium that no writer takes, and, by the form of another tab, a try to order it."""
    bd = Product.objects.create(title=world.products[0].title, format="bd", price_minor=2490)
    client = world.customer()
    return client.get(put(client, bd, 1).headers["Location"])


@visit("title-nothing-made")
def title_nothing_made(world: World) -> Any:
    Writer.objects.update(enabled=False)
    return world.customer().get("/titles/P-1/")


@visit("title-error", status=422)
def title_error(world: World) -> Any:
    return put(world.customer(), world.products[0], "two")


@visit("title-sold-out", status=404)
def title_sold_out(world: World) -> Any:
    Product.objects.filter(pk=world.products[0].pk).update(active=False)
    return world.customer().get("/titles/P-1/")


@visit("title-dates", around=FRAGMENT)
def title_dates(world: World) -> Any:
    return world.customer().get("/titles/P-1/dates/", {"product": world.products[0].pk, "copies": 20})


@visit("title-dates-error", around=FRAGMENT)
def title_dates_error(world: World) -> Any:
    return world.customer().get("/titles/P-1/dates/", {"product": world.products[0].pk, "copies": 0})


@visit("cart-empty")
def cart_empty(world: World) -> Any:
    return world.customer().get("/cart/")


@visit("cart")
def cart(world: World) -> Any:
    client = shopper(world)
    Title.objects.filter(part_number="P-1").update(title=LONG)
    return put_second(client, world).get("/cart/")


def put_second(client: Client, world: World) -> Client:
    put(client, world.products[1], 1000)
    return client


@visit("cart-error", status=422)
def cart_error(world: World) -> Any:
    client = put_second(shopper(world), world)
    return client.post(f"/cart/{world.products[0].pk}/change/", {"copies": "1001"})


@visit("cart-title-gone")
def cart_title_gone(world: World) -> Any:
    client = put_second(shopper(world), world)
    Product.objects.filter(pk=world.products[0].pk).update(active=False)
    return client.get("/cart/")


@visit("cart-removed")
def cart_removed(world: World) -> Any:
    return shopper(world).post(f"/cart/{world.products[0].pk}/remove/", follow=True)


@visit("cart-full")
def cart_full(world: World) -> Any:
    client = shopper(world)
    session = client.session
    session[KEY] = {str(make_title(f"F-{number}").pk): 1 for number in range(MAX_LINES)}
    session.save()
    return client.post("/cart/add/", {"product": world.products[0].pk, "copies": 1}, follow=True)


@visit("cart-too-dear")
def cart_too_dear(world: World) -> Any:
    Product.objects.filter(pk=world.products[0].pk).update(price_minor=999_999)
    return shopper(world, 1000).get("/checkout/", follow=True)


@visit("checkout")
def checkout(world: World) -> Any:
    return put_second(shopper(world), world).get("/checkout/")


@visit("checkout-errors", status=422)
def checkout_errors(world: World) -> Any:
    wrong = {"name": "1", "email": "zoe@", "phone": "call me", "line1": "", "line2": "x" * 101, "postal_code": "ABC"}
    wrong |= {"city": "0", "region": "\u202e", "service": "teleport", "wanted_on": "soon", "organisation": "x" * 81}
    return enter(shopper(world), **wrong)


@visit("checkout-no-country", status=422)
def checkout_no_country(world: World) -> Any:
    return enter(shopper(world), country="", service="", wanted_on="2001-01-01")


@visit("checkout-date-not-made", status=422)
def checkout_date_not_made(world: World) -> Any:
    client = shopper(world, 900)
    options = {option.service.key: option for option in client.get("/checkout/").context["options"]}
    return enter(client, wanted_on=options["express"].arrives_on.isoformat())


@visit("checkout-not-there", status=422)
def checkout_not_there(world: World) -> Any:
    TransitTime.objects.exclude(country="DE").delete()
    return enter(shopper(world), country="JP", postal_code="160-0022", region="東京都", city="新宿区")


@visit("checkout-once-more")
def checkout_once_more(world: World) -> Any:
    client = shopper(world)
    enter(client)
    Service.objects.filter(key="standard").update(active=False)
    return client.get("/checkout/review/", follow=True)


@visit("checkout-options", around=OPTIONS)
def checkout_options(world: World) -> Any:
    return shopper(world).get("/checkout/options/", {"country": "JP"})


@visit("checkout-options-none", around=OPTIONS)
def checkout_options_none(world: World) -> Any:
    TransitTime.objects.exclude(country="DE").delete()
    return shopper(world).get("/checkout/options/", {"country": "JP"})


@visit("checkout-options-date-unknown", around=OPTIONS)
def checkout_options_date_unknown(world: World) -> Any:
    dates_unknown()
    return shopper(world).get("/checkout/options/", {"country": "DE"})


@visit("review")
def review_page(world: World) -> Any:
    client = put_second(shopper(world), world)
    enter(client, organisation="Deutsche Nationalbibliothek", phone="+49 30 1234567", line2="Hinterhaus")
    return review(client)


@visit("review-date-unknown")
def review_date_unknown(world: World) -> Any:
    dates_unknown()
    client = shopper(world)
    enter(client)
    return review(client)


@visit("review-too-often", status=429)
def review_too_often(world: World) -> Any:
    client = shopper(world)
    enter(client)
    with override_settings(SPINDLE_LIMITS={"POST pay": {"session": (0, 600)}}):
        return client.post("/checkout/pay/")


@visit("review-changed", status=409)
def review_changed(world: World) -> Any:
    client = shopper(world)
    enter(client)
    return client.post("/checkout/pay/", {"seen": "what was there an hour ago"})


@visit("review-payer-away", status=503)
def review_payer_away(world: World) -> Any:
    with override_settings(STRIPE_API_BASE="http://127.0.0.1:9"):
        return _pay(shopper(world))


@visit("review-payer-refused", status=502)
def review_payer_refused(world: World) -> Any:
    with override_settings(STRIPE_SECRET_KEY="sk_test_of_somebody_else"):
        return _pay(shopper(world))


def _pay(client: Client) -> Any:
    enter(client)
    return client.post("/checkout/pay/", {"seen": review(client).context["seen"]})


@visit("review-payment-cancelled")
def review_payment_cancelled(world: World) -> Any:
    client = world.customer()
    world.order(client, pay=False)
    return client.get("/checkout/cancelled/", follow=True)


@visit("cart-payment-cancelled")
def cart_payment_cancelled(world: World) -> Any:
    return world.customer().get("/checkout/cancelled/", follow=True)
