"""The stand-in's hosted payment page in each of its states, from the real process. A part of the list in `pages.py`."""

from __future__ import annotations

import urllib3
from django.urls import Resolver404, resolve

from storefront.standin.cards import IBAN_THAT_PAYS
from tests.gates.pages import Answer, World, visit
from tests.storefront.standin.asking import get, order, payer_for, post, sdk_for, session_fields, submit

DECLINED, AUTHENTICATED = "4000000000000002", "4000002500003155"


def taken(answer: urllib3.BaseHTTPResponse) -> Answer:
    path = urllib3.util.parse_url(answer.url or "").path or "/"
    try:
        route = "payer: " + resolve(path, "storefront.standin.urls").route
    except Resolver404:
        route = ""
    return Answer(answer.status, dict(answer.headers), answer.data.decode(), route)


def opened(world: World) -> str:
    return str(payer_for(world.standin).open_checkout(order()).url)


@visit("payer-front", "payer")
def front(world: World) -> Answer:
    return taken(get(f"{world.standin.url}/"))


@visit("payer-pay", "payer")
def pay(world: World) -> Answer:
    return taken(get(opened(world)))


@visit("payer-without-email", "payer")
def without_email(world: World) -> Answer:
    fields = session_fields()
    session = sdk_for(world.standin).v1.checkout.sessions.create(fields)  # type: ignore[arg-type]  # a plain dict
    return taken(get(session.url))


@visit("payer-errors", "payer", status=400)
def errors(world: World) -> Answer:
    return taken(submit(opened(world), "4242", expiry="01/20", cvc="1", name=""))


@visit("payer-declined", "payer", status=402)
def declined(world: World) -> Answer:
    return taken(submit(opened(world), DECLINED))


@visit("payer-bank-errors", "payer", status=400)
def bank_errors(world: World) -> Answer:
    return taken(post(opened(world) + "/bank", {"iban": "GB29", "bank_name": ""}))


@visit("payer-bank-under-way", "payer")
def bank_under_way(world: World) -> Answer:
    url = opened(world)
    post(url + "/bank", {"iban": IBAN_THAT_PAYS, "bank_name": "Anna Weiß"})
    return taken(get(url))


@visit("payer-authenticate", "payer")
def authenticate(world: World) -> Answer:
    url = opened(world)
    submit(url, AUTHENTICATED)
    return taken(get(url + "/authenticate"))


@visit("payer-complete", "payer")
def complete(world: World) -> Answer:
    url = opened(world)
    submit(url)
    return taken(get(url))


@visit("payer-expired", "payer", status=410)
def expired(world: World) -> Answer:
    payer = payer_for(world.standin)
    checkout = payer.open_checkout(order())
    payer.expire_checkout(checkout.id)
    return taken(get(checkout.url))


@visit("payer-unknown", "payer", status=404)
def unknown(world: World) -> Answer:
    return taken(get(f"{world.standin.url}/c/pay/cs_nothing"))
