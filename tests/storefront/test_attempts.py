"""Attempts to be paid that come to no good end: complete and not bookable, debits that fail, a payer that is away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from storefront import facts, open_pages, payments
from storefront.models import MoneyDifference, Order, Payment, ProviderEvent
from storefront.payer import PayerUnreachable, payer
from storefront.standin.cards import IBAN_THAT_FAILS, IBAN_THAT_PAYS
from storefront.stripe_payer import StripePayer
from tests.scene import Plant, make_title
from tests.storefront.conftest import use
from tests.storefront.money import CARD, deliver, event_of, land, session_of
from tests.storefront.shopping import only_order, to_hosted_page
from tests.storefront.standin.asking import post, submit
from tests.storefront.standin.running import StandIn, await_until, running_standin

pytestmark = pytest.mark.django_db

LATER = dt.timedelta(minutes=3)


@pytest.fixture
def page(client: Client, plant: Plant, till: StandIn) -> str:
    return to_hosted_page(client, make_title())


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def pay_by_bank(page: str, iban: str) -> None:
    assert post(f"{page}/bank", {"bank_name": "Zoë Kowalska", "iban": iban}).status == 303


def press_cancel(client: Client, order: Order) -> str:
    return client.post(f"/orders/{order.token}/cancel/", follow=True).content.decode()


# --- Paid, and not bookable ---------------------------------------------------------------------------


def test_a_page_that_was_paid_and_can_not_be_booked_is_asked_about_no_more(
    client: Client, page: str, till: StandIn
) -> None:
    order = only_order()
    Payment.objects.update(amount_minor=1)
    submit(page, CARD)
    assert deliver(client, till, event_of(till, order, "checkout.session.completed")) == 200
    assert Payment.objects.get().state == "expired"
    assert open_pages.look_again(timezone.now() + dt.timedelta(days=1)) == 0
    Order.objects.update(state="cancelled")
    assert open_pages.close_needless(timezone.now()) == 0


def test_nobody_pays_a_second_time_while_the_first_money_is_in_sight(client: Client, page: str) -> None:
    order = only_order()
    Payment.objects.update(amount_minor=1)
    submit(page, CARD)
    land(client, order)
    assert payments.hosted_page(only_order(), order.payments.get().content, timezone.now()) is None
    assert "Nothing was charged" not in press_cancel(client, order)
    assert state_of(order) == Order.State.AWAITING_PAYMENT
    assert Payment.objects.count() == 1


# --- Bank debits ------------------------------------------------------------------------------------------


@pytest.fixture
def bank(tmp_path: Path, settings: Settings, request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in that takes debits, which settle after so many seconds."""
    with running_standin(tmp_path, None, "--bank-debit", str(request.param)) as running:
        use(running, settings)
        yield running


@pytest.mark.parametrize("bank", [600], indirect=True)
def test_a_debit_under_way_offers_no_second_payment_and_no_cancelling(
    client: Client, plant: Plant, bank: StandIn
) -> None:
    page = to_hosted_page(client, make_title())
    order = only_order()
    pay_by_bank(page, IBAN_THAT_PAYS)
    land(client, order)
    shown = client.get(order.get_absolute_url()).content.decode()
    assert "Your payment is on its way" in shown
    assert page not in shown
    assert "Cancel this order" not in shown
    assert payments.hosted_page(only_order(), order.payments.get().content, timezone.now()) is None
    assert "on its way and can&#x27;t be stopped" in press_cancel(client, order)
    assert state_of(order) == Order.State.AWAITING_PAYMENT


@pytest.mark.parametrize("bank", [0.2], indirect=True)
@pytest.mark.parametrize("told", ["webhook", "look"])
def test_a_debit_that_failed_makes_room_for_another_attempt(
    client: Client, plant: Plant, bank: StandIn, told: str
) -> None:
    page = to_hosted_page(client, make_title())
    order = only_order()
    pay_by_bank(page, IBAN_THAT_FAILS)
    kind = "checkout.session.async_payment_failed"
    like = f"%{session_of(order)}%"
    await_until(lambda: bool(bank.rows("SELECT id FROM events WHERE type = ? AND body LIKE ?", kind, like)))
    if told == "webhook":
        assert deliver(client, bank, event_of(bank, order, kind)) == 200
        assert ProviderEvent.objects.get().outcome == "expired"
    else:
        assert open_pages.look_again(timezone.now() + LATER) == 1
    assert Payment.objects.get().state == "expired"
    again = payments.hosted_page(only_order(), order.payments.get().content, timezone.now())
    assert again is not None
    assert again != page
    assert "Nothing was charged" in press_cancel(client, order)
    assert state_of(order) == Order.State.CANCELLED


def test_a_page_that_ran_out_says_how_to_go_on(client: Client, page: str) -> None:
    order = only_order()
    payments.settle(payer().expire_checkout(session_of(order)), timezone.now())
    shown = client.get(order.get_absolute_url()).content.decode()
    assert "has run out, and nothing was charged" in shown
    assert "Waiting for your payment" not in shown


# --- A payer that is away, or does not know us ---------------------------------------------------------------


def needless_pages(count: int) -> None:
    for number in range(count):
        to_hosted_page(Client(), make_title(f"P-{number + 1}"))
    Order.objects.update(state="cancelled")


def test_a_page_is_closed_by_one_tick_at_a_time(plant: Plant, till: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tick hangs in its call; the next beats find nothing to do, and no slot of the worker is lost to them."""
    needless_pages(1)
    calls: list[int] = []

    def hang(*_: object, **__: object) -> bool:
        calls.append(open_pages.close_needless(timezone.now()))
        raise PayerUnreachable("The payment service did not answer.")

    monkeypatch.setattr(payments, "close_unfinished", lambda *a, **k: hang() if len(calls) < 3 else True)
    assert open_pages.close_needless(timezone.now()) == 0
    assert calls == [0]
    assert open_pages.close_needless(timezone.now() + LATER) == 0


def test_the_first_call_without_an_answer_ends_the_look(
    plant: Plant, till: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        to_hosted_page(Client(), make_title(f"P-{number + 1}"))
    calls: list[str] = []

    def away(self: StripePayer, session: str) -> Any:
        calls.append(session)
        raise PayerUnreachable("away")

    monkeypatch.setattr(StripePayer, "checkout", away)
    assert open_pages.look_again(timezone.now() + LATER) == 0
    assert len(calls) == 1


def test_a_wrong_key_gives_up_no_page(client: Client, page: str, settings: Settings) -> None:
    Order.objects.update(state="cancelled")
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    open_pages.close_needless(timezone.now())
    assert Payment.objects.get().state == "open"


def test_a_page_the_payer_never_had_is_given_up(client: Client, page: str, till: StandIn) -> None:
    till.change("DELETE FROM sessions WHERE id = ?", session_of(only_order()))
    Order.objects.update(state="cancelled")
    open_pages.close_needless(timezone.now())
    assert Payment.objects.get().state == "expired"


def test_the_end_of_the_tasks_time_is_not_taken_for_a_fault_of_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payer_ = StripePayer(secret_key="sk_test_x", api_base="http://127.0.0.1:9")

    def over(*_: object, **__: object) -> Any:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("requests.Session.request", over)
    with pytest.raises(SoftTimeLimitExceeded):
        payer_.checkout("cs_1")


# --- Events that are not ours ------------------------------------------------------------------------------


def foreign(till: StandIn, order: Order, kind: str, number: int = 1) -> dict[str, Any]:
    event = event_of(till, order, "checkout.session.completed")
    return event | {"id": f"evt_{kind}_{number}_{order.number}", "type": kind, "account": "acct_other"}


def test_a_foreign_event_without_money_opens_no_matter(client: Client, page: str, till: StandIn) -> None:
    submit(page, CARD)
    event = foreign(till, only_order(), "customer.updated")
    event["data"] = {"object": {"id": "cus_1", "object": "customer"}}
    assert deliver(client, till, event) == 200
    assert ProviderEvent.objects.get().outcome == "ignored"
    assert "acct_other" in ProviderEvent.objects.get().text
    assert not MoneyDifference.objects.exists()


def test_foreign_money_is_one_matter_with_a_remedy_that_can_be_followed(
    client: Client, page: str, till: StandIn
) -> None:
    submit(page, CARD)
    order = only_order()
    assert deliver(client, till, foreign(till, order, "checkout.session.completed")) == 200
    intent = event_of(till, order, "payment_intent.succeeded") | {"account": "acct_other"}
    assert deliver(client, till, intent) == 200
    assert MoneyDifference.objects.count() == 1
    (fact,) = facts.money_differences(timezone.now())
    assert "pay it back there" in fact.text
    assert set(ProviderEvent.objects.values_list("api_version", flat=True)) == {"2026-10-28.endive"}
