"""Refunds that go wrong: of a second charge, in parts, failed days later, or never made. Real SDK, running stand-in."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from storefront import alerts, cancelling, facts, payments, refunding
from storefront.models import Alert, Mail, MoneyDifference, Order, OrderEvent, Payment, Refund
from storefront.payer import payer
from tests.scene import Plant, make_title
from tests.storefront.money import CARD, DISPUTED_CARD, charged, deliver, event_of, intent_of, land, paid, session_of
from tests.storefront.shopping import only_order, to_hosted_page
from tests.storefront.standin.asking import order as request_of
from tests.storefront.standin.asking import payer_for, submit
from tests.storefront.standin.running import StandIn

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def order(client: Client, plant: Plant, till: StandIn) -> Order:
    return paid(client, make_title(), 3)


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def open_differences() -> list[str]:
    return list(MoneyDifference.objects.filter(resolved_at=None).order_by("id").values_list("kind", flat=True))


def texts(now: dt.datetime, kind: str) -> list[str]:
    return [fact.text for fact in facts.all_facts(now) if fact.kind == kind]


def settle(session: str) -> payments.Settlement:
    return payments.settle(payer().checkout(session), timezone.now())


def pay_all_back(row: MoneyDifference) -> None:
    now = timezone.now()
    assert refunding.ask_for_difference(row, now) is not None
    refunding.send_due(now)
    refunding.send_due(now)


def refund_fails(till: StandIn, order: Order, left: int = 0) -> int:
    """The customer's bank sends it back days later; the payer's event says so."""
    intent = intent_of(order)
    till.change("UPDATE charges SET amount_refunded = ? WHERE payment_intent = ?", left, intent)
    subject = {"id": "re_1", "object": "refund", "payment_intent": intent, "metadata": {}}
    event = {
        "id": f"evt_failed_{intent}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1,
        "livemode": False,
        "type": "refund.failed",
        "data": {"object": subject},
    }
    return deliver(Client(), till, event)


# --- The second charge ------------------------------------------------------------------------------


def second_charge(client: Client) -> tuple[Order, str]:
    first = to_hosted_page(client, make_title())
    order = only_order()
    old = session_of(order)
    Payment.objects.update(state="expired")  # a backup forgot that page
    second = payments.hosted_page(order, order.payments.get().content, timezone.now())
    submit(first, CARD)
    submit(second, CARD)
    land(client, order)
    assert settle(old) is payments.Settlement.UNMATCHED
    return order, old


def test_a_second_charge_that_went_back_leaves_the_paid_order_alone(
    client: Client, plant: Plant, till: StandIn
) -> None:
    order, old = second_charge(client)
    pay_all_back(MoneyDifference.objects.get())
    assert settle(old) is payments.Settlement.SETTLED
    assert state_of(order) == "paid"
    assert charged(till, order) == (2, order.total_minor)
    assert not Mail.objects.filter(key=f"cancelled-{order.number}").exists()
    assert not Payment.objects.get(state="paid").refunds.exists()


def test_a_second_charge_found_by_its_key_alone_leaves_the_paid_order_alone(order: Order, till: StandIn) -> None:
    again = payer_for(till).open_checkout(request_of(reference=f"pay-{order.number}-1"))
    submit(again.url)
    assert settle(again.id) is payments.Settlement.UNMATCHED
    pay_all_back(MoneyDifference.objects.get())
    assert settle(again.id) is payments.Settlement.SETTLED
    assert state_of(order) == "paid"
    assert payer().checkout(session_of(order)).refunded == 0


# --- Money without an order, in parts -----------------------------------------------------------------


@pytest.fixture
def stray(plant: Plant, till: StandIn) -> str:
    """A page of 24.70 that no order asked for, and is paid."""
    opened = payer_for(till).open_checkout(request_of())
    submit(opened.url)
    return opened.id


def part_back(session: str, amount: int) -> None:
    payer().refund(str(payer().checkout(session).payment_intent), amount, f"by-hand-{session}-{amount}")


@pytest.mark.parametrize("known", [True, False])
def test_what_is_left_of_a_stray_payment_goes_back(stray: str, known: bool) -> None:
    if known:
        part_back(stray, 500)
    settle(stray)
    if not known:  # the part went back after the matter was opened
        part_back(stray, 500)
    pay_all_back(MoneyDifference.objects.get())
    assert payer().checkout(stray).refunded == 2470
    assert MoneyDifference.objects.get().resolution == "paid back"
    assert open_differences() == []


def test_a_matter_shows_what_is_left_of_it(stray: str) -> None:
    settle(stray)
    part_back(stray, 500)
    settle(stray)
    assert MoneyDifference.objects.get().amount_minor == 1970


def test_a_refund_of_a_stray_payment_that_fails_opens_the_matter_again(stray: str, till: StandIn) -> None:
    settle(stray)
    pay_all_back(MoneyDifference.objects.get())
    till.change(
        "UPDATE charges SET amount_refunded = 0 WHERE payment_intent = ?", payer().checkout(stray).payment_intent
    )
    settle(stray)
    assert open_differences() == ["unmatched"]
    pay_all_back(MoneyDifference.objects.get())
    assert payer().checkout(stray).refunded == 2470


def test_a_matter_that_a_person_closed_stays_closed(stray: str, admin_client: Client) -> None:
    settle(stray)
    row = MoneyDifference.objects.get()
    admin_client.post("/admin/storefront/moneydifference/", {"action": "looked_at", "_selected_action": [row.pk]})
    settle(stray)
    assert open_differences() == []


# --- Failed after they were made ------------------------------------------------------------------------


def test_a_refund_that_fails_days_later_is_told_and_made_again(
    client: Client, admin_client: Client, order: Order, till: StandIn
) -> None:
    client.post(f"/orders/{order.token}/cancel/")
    assert refunding.send_due(timezone.now()) == 1
    assert state_of(order) == Order.State.CANCELLED
    assert refund_fails(till, order) == 200
    assert open_differences() == ["paid-back"]
    (text,) = texts(timezone.now(), "money-paid-back")
    assert "a refund failed" in text
    assert "Pay back once more" in text
    changes = "/admin/storefront/order/"
    admin_client.post(changes, {"action": "pay_back", "_selected_action": [order.pk]})
    assert refunding.send_due(timezone.now()) == 1
    assert charged(till, order) == (1, 0)
    assert open_differences() == []
    assert not cancelling.pay_back(order, timezone.now())
    assert Mail.objects.filter(key=f"cancelled-{order.number}").count() == 1


def test_a_late_word_of_less_paid_back_is_no_failure(client: Client, order: Order, till: StandIn) -> None:
    stale = payer().checkout(session_of(order))
    client.post(f"/orders/{order.token}/cancel/")
    refunding.send_due(timezone.now())
    refunding.look_for_failed(stale, timezone.now())
    assert open_differences() == []


def test_a_part_that_failed_does_not_hold_up_the_refund_of_the_rest(
    client: Client, order: Order, till: StandIn
) -> None:
    payer().refund(intent_of(order), 500, f"by-hand-{order.number}")
    deliver(client, till, event_of(till, order, "charge.refunded"))
    till.change("UPDATE charges SET amount_refunded = 0 WHERE payment_intent = ?", intent_of(order))
    client.post(f"/orders/{order.token}/cancel/")
    now = timezone.now()
    refunding.send_due(now)
    refunding.send_due(now)
    assert charged(till, order) == (1, 0)
    assert state_of(order) == Order.State.CANCELLED
    assert not Refund.objects.filter(state="asked").exists()


def test_a_refund_that_is_not_made_for_an_hour_is_told(client: Client, plant: Plant, standin: StandIn) -> None:
    order = paid(client, make_title())
    client.post(f"/orders/{order.token}/cancel/")
    standin.stop()
    now = timezone.now()
    refunding.send_due(now)
    assert texts(now, "refund-waits") == []
    (text,) = texts(now + HOUR + dt.timedelta(minutes=1), "refund-waits")
    assert order.number in text
    assert "did not answer" in text


# --- Kindness, and disputes ------------------------------------------------------------------------------


def test_a_part_paid_back_after_shipping_asks_nobody_to_cancel(client: Client, order: Order, till: StandIn) -> None:
    Order.objects.update(state="shipped")
    payer().refund(intent_of(order), 500, f"kind-{order.number}")
    deliver(client, till, event_of(till, order, "charge.refunded"))
    assert open_differences() == []
    assert refunding.paid_back(Payment.objects.get()) == 500


def test_closing_a_dispute_of_a_shipped_order_closes_its_alert_and_says_so(admin_client: Client, order: Order) -> None:
    Order.objects.update(state="shipped")
    now = timezone.now()
    Payment.objects.update(disputed_at=now)
    alerts.watch(now)
    assert Alert.objects.get(closed_at=None).kind == "dispute"
    changes = "/admin/storefront/order/"
    answer = admin_client.post(changes, {"action": "close_without", "_selected_action": [order.pk]}, follow=True)
    assert b"left as they are" not in answer.content
    alerts.watch(now)
    assert not Alert.objects.filter(closed_at=None).exists()
    assert state_of(order) == "shipped"
    assert not OrderEvent.objects.filter(order=order, new="cancelled").exists()


def test_a_disputed_orders_page_promises_no_refund(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title(), card=DISPUTED_CARD)
    page = client.get(order.get_absolute_url()).content.decode()
    assert "We are paying back" not in page
    assert "we write to you" in page
