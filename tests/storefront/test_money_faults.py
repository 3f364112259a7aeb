"""What may go wrong with money (F1 to F8): the real SDK, the running stand-in, real threads."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
import time
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from fulfillment.models import Job, Shipment
from storefront import alerts, open_pages, outbox, payments, refunding
from storefront.models import Alert, Mail, MoneyDifference, Order, Payment, ProviderEvent, Refund
from storefront.payer import payer
from storefront.standin.webhooks import signature
from tests.at_once import at_once
from tests.scene import Plant, make_title
from tests.storefront.money import (
    CARD,
    charged,
    deliver,
    event_of,
    events_of,
    intent_of,
    land,
    paid,
    post_event,
    session_of,
    unheard,
)
from tests.storefront.shopping import enter, only_order, pay, put, review, to_hosted_page
from tests.storefront.standin.asking import order as request_of
from tests.storefront.standin.asking import payer_for, submit
from tests.storefront.standin.running import StandIn

pytestmark = pytest.mark.django_db

COMPLETED = "checkout.session.completed"


def made_whole_once(order: Order, till: StandIn) -> None:
    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert order.events.filter(new="paid").count() == 1
    assert charged(till, order) == (1, order.total_minor)
    assert Payment.objects.get(order=order, state="paid").amount_minor == order.total_minor
    assert Shipment.objects.filter(reference=order.number).count() == 1
    assert Job.objects.filter(shipment__reference=order.number).count() == order.lines.count()
    assert list(Mail.objects.filter(order=order).values_list("key", flat=True)) == [f"confirmation-{order.number}"]


def nothing_moved(order: Order) -> None:
    order.refresh_from_db()
    assert order.state == Order.State.AWAITING_PAYMENT
    assert not Shipment.objects.exists()
    assert not Mail.objects.filter(order=order).exists()


# --- F1 and F3: asked for more than once ----------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_twenty_presses_at_once_are_one_order_one_page_one_charge(client: Client, plant: Plant, till: StandIn) -> None:
    put(client, make_title(), 2)
    enter(client)
    seen = review(client).context["seen"]

    def press() -> Any:
        tab = Client()
        tab.cookies = SimpleCookie(client.cookies.output(header="", sep=";"))
        return tab.post("/checkout/pay/", {"seen": seen})

    answers = at_once(*[press] * 20)
    assert [answer.status_code for answer in answers] == [302] * 20
    (page,) = {answer["Location"] for answer in answers}
    assert page.startswith(till.url)
    order = only_order()
    assert Payment.objects.count() == 1
    reference = f"pay-{order.number}-1"
    assert len(till.rows("SELECT id FROM sessions WHERE client_reference_id = ?", reference)) == 1
    at_once(*[lambda: submit(page, CARD)] * 20)
    at_once(*[lambda: land(Client(), order)] * 20)
    made_whole_once(order, till)


def test_a_page_whose_answer_is_lost_is_not_opened_twice(
    client: Client, plant: Plant, standin: StandIn, settings: Settings
) -> None:
    settings.SPINDLE_PAYER = "tests.storefront.test_cancelling.HastyPayer"
    standin.stop()
    standin.start("--answer-after", "1.5")
    put(client, make_title())
    enter(client)
    assert pay(client).status_code == 503
    assert Payment.objects.get().state == "opening"
    standin.stop()
    standin.start()
    page = pay(client)["Location"]
    assert standin.rows("SELECT count(*) AS pages FROM sessions") == [{"pages": 1}]
    submit(page, CARD)
    order = only_order()
    land(client, order)
    made_whole_once(order, standin)


# --- F2 and F7: nobody told us --------------------------------------------------------------------


def test_a_payment_nobody_told_of_is_found_within_a_minute(client: Client, plant: Plant, till: StandIn) -> None:
    order = unheard(client, make_title())
    now = timezone.now()
    assert open_pages.look_again(now) == 0
    soon = now + dt.timedelta(seconds=61)
    assert (open_pages.look_again(soon), open_pages.look_again(soon)) == (1, 0)
    made_whole_once(order, till)


def test_an_unpaid_page_is_looked_at_ever_more_seldom(client: Client, plant: Plant, till: StandIn) -> None:
    to_hosted_page(client, make_title())
    begun = Payment.objects.get().created_at
    looks = [minute for minute in range(120) if open_pages.look_again(begun + dt.timedelta(minutes=minute, seconds=1))]
    assert looks == [1, 3, 7, 15, 31, 63]


@pytest.mark.parametrize("copies", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_webhooks_that_were_held_up_come_all_at_once(client: Client, plant: Plant, till: StandIn, copies: int) -> None:
    """The endpoint was down: every event comes late, many times, in no order. 60 copies are a thousand events."""
    title = make_title()
    orders = [unheard(Client(), title) for _ in range(8)]
    late = [event for order in orders for event in events_of(till, order)] * copies
    random.Random(7).shuffle(late)
    assert {deliver(client, till, event) for event in late} == {200}
    for order in orders:
        made_whole_once(order, till)
    assert ProviderEvent.objects.count() == 16


# --- F4, F5 and F8: told twice, in any order, and by two at once -----------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_event_a_hundred_times_at_once_has_one_effect(client: Client, plant: Plant, till: StandIn) -> None:
    order = unheard(client, make_title())
    event = event_of(till, order, COMPLETED)

    def deliver_four() -> list[int]:  # a server has a bounded number of workers, and a database of connections
        return [deliver(Client(), till, event) for _ in range(4)]

    assert at_once(*[deliver_four] * 25) == [[200] * 4] * 25
    assert ProviderEvent.objects.count() == 1
    made_whole_once(order, till)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_landing_page_and_the_webhook_race_to_one_order(client: Client, plant: Plant, till: StandIn) -> None:
    order = unheard(client, make_title())
    hooks = [lambda event=event: deliver(Client(), till, event) for event in events_of(till, order)]
    at_once(*hooks, *[lambda: land(Client(), order)] * 2, *hooks)
    made_whole_once(order, till)


def final_state(order: Order) -> tuple[Any, ...]:
    order.refresh_from_db()
    return (
        order.state,
        sorted(order.events.values_list("old", "new")),
        sorted(Payment.objects.values_list("state", "amount_minor")),
        sorted(Refund.objects.values_list("state", "amount_minor", "elsewhere")),
        sorted(Shipment.objects.values_list("state", flat=True)),
        sorted(Job.objects.values_list("state", flat=True)),
        sorted(Mail.objects.values_list("key", flat=True)),
        MoneyDifference.objects.filter(resolved_at=None).count(),
    )


@pytest.mark.parametrize("count", [3, pytest.param(6, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_events_in_every_order_end_alike(client: Client, plant: Plant, till: StandIn, count: int) -> None:
    order = unheard(client, make_title())
    payer().refund(intent_of(order), 500, f"part-{order.number}")
    payer().refund(intent_of(order), order.total_minor - 500, f"rest-{order.number}")
    events = events_of(till, order)
    completed = event_of(till, order, COMPLETED)
    for kind in ("checkout.session.expired", "checkout.session.async_payment_succeeded"):
        events.append(completed | {"id": f"evt_{kind}_{order.number}", "type": kind})
    assert len(events) == 6
    ends = set()
    for sequence in itertools.permutations(events[:count]):
        with transaction.atomic():
            assert [deliver(client, till, event) for event in sequence] == [200] * count
            ends.add(json.dumps(final_state(order)))
            transaction.set_rollback(True)
    (end,) = ends
    assert json.loads(end)[0] == "cancelled"


def test_events_that_come_as_it_happens_end_as_those_that_come_late(
    client: Client, plant: Plant, till: StandIn
) -> None:
    order = paid(client, make_title())
    for number, amount in enumerate((500, order.total_minor - 500)):
        payer().refund(intent_of(order), amount, f"step-{order.number}-{number}")
        assert deliver(client, till, event_of(till, order, "charge.refunded")) == 200
    assert final_state(order)[0] == "cancelled"
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == order.total_minor
    # The part paid back was shown to a person; the whole of it needs nobody any more.
    assert MoneyDifference.objects.filter(resolved_at=None).count() == 0


def test_an_event_whose_effect_failed_is_taken_when_it_comes_again(
    client: Client, plant: Plant, till: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = unheard(client, make_title())
    event = event_of(till, order, COMPLETED)
    client.raise_request_exception = False

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "post_confirmation", full)
        assert deliver(client, till, event) == 500
    assert not ProviderEvent.objects.exists()
    nothing_moved(order)
    assert deliver(client, till, event) == 200
    made_whole_once(order, till)


# --- F6: forged, foreign, or about something else ---------------------------------------------------


def test_what_is_forged_old_or_changed_is_refused(client: Client, plant: Plant, till: StandIn) -> None:
    order = unheard(client, make_title())
    event = event_of(till, order, COMPLETED)
    body = json.dumps(event).encode()
    signed = signature(body, till.secret, int(time.time()))
    assert deliver(client, till, event, secret="whsec_other") == 400
    assert deliver(client, till, event, age=301) == 400
    assert post_event(client, json.dumps(event, indent=1).encode(), signed) == 400
    assert post_event(client, body.replace(b"completed", b"expired_"), signed) == 400
    assert post_event(client, body, "") == 400
    assert not ProviderEvent.objects.exists()
    nothing_moved(order)
    assert post_event(client, body, signed) == 200
    made_whole_once(order, till)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"account": "acct_other"}, "it is of another account, acct_other"), ({"livemode": True}, "livemode is True")],
)
def test_an_event_of_another_account_or_mode_is_kept_and_moves_nothing(
    client: Client, plant: Plant, till: StandIn, change: dict[str, Any], why: str, settings: Settings
) -> None:
    settings.SPINDLE_STAFF_MAIL = "staff@spindle.example"
    order = unheard(client, make_title())
    event = event_of(till, order, COMPLETED) | change
    assert [deliver(client, till, event) for _ in range(3)] == [200] * 3
    assert ProviderEvent.objects.get().outcome == "unmatched"
    row = MoneyDifference.objects.get()
    assert (row.why, row.amount_minor, row.currency) == (why, order.total_minor, "EUR")
    nothing_moved(order)
    now = timezone.now()
    assert (alerts.watch(now), alerts.watch(now)) == (1, 0)
    assert Mail.objects.filter(to="staff@spindle.example").count() == 1


def test_an_event_of_the_connected_account_is_taken(
    client: Client, plant: Plant, till: StandIn, settings: Settings
) -> None:
    settings.STRIPE_ACCOUNT = "acct_ours"
    order = unheard(client, make_title())
    assert deliver(client, till, event_of(till, order, COMPLETED) | {"account": "acct_ours"}) == 200
    made_whole_once(order, till)


def test_money_for_no_order_of_ours_is_shown_until_it_went_back(
    client: Client, admin_client: Client, plant: Plant, till: StandIn
) -> None:
    opened = payer_for(till).open_checkout(request_of())
    submit(opened.url)
    rows = till.rows("SELECT body FROM events WHERE object_id = ?", opened.id)
    assert deliver(client, till, json.loads(rows[0]["body"])) == 200
    row = MoneyDifference.objects.get()
    assert (row.kind, row.session, row.amount_minor, row.currency) == ("unmatched", opened.id, 2470, "EUR")
    now = timezone.now()
    alerts.watch(now)
    assert "€24.70" in Alert.objects.get(closed_at=None).text
    admin_client.post("/admin/storefront/moneydifference/", {"action": "pay_back", "_selected_action": [row.pk]})
    assert refunding.send_due(timezone.now()) == 1
    row.refresh_from_db()
    assert row.resolution == "paid back"
    alerts.watch(now)
    assert not Alert.objects.filter(closed_at=None).exists()
    assert payer().checkout(opened.id).refunded == 2470


@pytest.mark.parametrize(("column", "value"), [("amount_minor", 1), ("currency", "USD")])
def test_another_amount_or_currency_is_kept_as_unmatched(
    client: Client, plant: Plant, till: StandIn, column: str, value: object
) -> None:
    order = unheard(client, make_title())
    right = getattr(Payment.objects.get(), column)
    Payment.objects.update(**{column: value})
    event = event_of(till, order, COMPLETED)
    assert deliver(client, till, event) == 200
    assert MoneyDifference.objects.get(resolved_at=None).order == order
    nothing_moved(order)
    Payment.objects.update(**{column: right})
    land(client, order)
    made_whole_once(order, till)
    assert not MoneyDifference.objects.filter(resolved_at=None).exists()


def test_a_second_page_that_was_paid_is_a_second_charge_and_goes_back(
    client: Client, plant: Plant, till: StandIn
) -> None:
    """An old backup forgot a page, so a second one was opened; the customer paid both."""
    first = to_hosted_page(client, make_title())
    order = only_order()
    old = session_of(order)
    content = order.payments.get().content
    Payment.objects.update(state="expired")
    second = payments.hosted_page(order, content, timezone.now())
    submit(first, CARD)
    submit(second, CARD)
    land(client, order)
    assert payments.settle(payer().checkout(old), timezone.now()) is payments.Settlement.UNMATCHED
    row = MoneyDifference.objects.get()
    assert "second charge" in row.why
    assert refunding.ask_for_difference(row, timezone.now()) is not None
    refunding.send_due(timezone.now())
    assert charged(till, order) == (2, order.total_minor)
    assert not MoneyDifference.objects.filter(resolved_at=None).exists()


def test_a_page_left_open_beside_a_paid_one_is_closed(client: Client, plant: Plant, till: StandIn) -> None:
    first = to_hosted_page(client, make_title())
    order = only_order()
    old = session_of(order)
    Payment.objects.update(state="expired")
    payments.hosted_page(order, order.payments.get().content, timezone.now())
    newer = session_of(order)
    submit(first, CARD)
    payments.settle(payer().checkout(old), timezone.now())
    assert open_pages.close_needless(timezone.now()) == 1
    assert payer().checkout(newer).status == "expired"
    assert open_pages.close_needless(timezone.now()) == 0
    made_whole_once(order, till)
