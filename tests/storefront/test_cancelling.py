"""Cancelling and paying back, with the real SDK against the stand-in; late refunds and disputes of the payer (F9)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from devices.agent import wire
from devices.models import Disc
from fulfillment import allocation, operators
from fulfillment.models import Job, Shipment
from storefront import cancelling, payments, progress, refunding
from storefront.cancelling import Outcome
from storefront.models import Mail, MoneyDifference, Order, Payment, Refund
from storefront.payer import payer
from storefront.stripe_payer import StripePayer
from tests.at_once import at_once
from tests.scene import Plant, make_title
from tests.storefront.money import DISPUTED_CARD, charged, deliver, event_of, intent_of, paid, session_of, unheard
from tests.storefront.shopping import only_order, to_hosted_page
from tests.storefront.standin.asking import submit
from tests.storefront.standin.running import StandIn

pytestmark = pytest.mark.django_db

CARD = "4242424242424242"
HASTY = "tests.storefront.test_cancelling.HastyPayer"


class HastyPayer(StripePayer):
    """Gives the payer a fraction of a second, for a test that loses its answers."""

    def __init__(self) -> None:
        super().__init__(read_seconds=0.4)


@pytest.fixture
def order(client: Client, plant: Plant, till: StandIn) -> Order:
    return paid(client, make_title(), 3)


def press_cancel(client: Client, order: Order) -> Any:
    return client.post(f"/orders/{order.token}/cancel/", follow=True)


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def pay_back_due(now: dt.datetime | None = None) -> int:
    return refunding.send_due(now or timezone.now())


def cancelled_whole(order: Order, till: StandIn) -> None:
    """Stopped below, paid back once, told once."""
    assert state_of(order) == Order.State.CANCELLED
    assert set(Shipment.objects.values_list("state", flat=True)) == {"cancelled"}
    assert set(Job.objects.values_list("state", flat=True)) == {"cancelled"}
    assert charged(till, order) == (1, 0)
    assert sum(refund.amount_minor for refund in Refund.objects.filter(state="done")) == order.total_minor
    assert Mail.objects.filter(key=f"cancelled-{order.number}").count() == 1


def test_a_customer_cancels_on_the_page_and_is_paid_back(client: Client, order: Order, till: StandIn) -> None:
    page = client.get(order.get_absolute_url()).content.decode()
    assert "Cancel this order" in page
    assert "free of charge until your parcel is packed" in page
    asked = client.get(f"/orders/{order.token}/cancel/")
    assert order.total in asked.content.decode()
    assert state_of(order) == "paid"
    answer = press_cancel(client, order)
    assert b"Your money is on its way back" in answer.content
    assert state_of(order) == Order.State.CANCELLATION_REQUESTED
    assert pay_back_due() == 1
    cancelled_whole(order, till)
    assert order.total in Mail.objects.get(key=f"cancelled-{order.number}").text
    page = client.get(order.get_absolute_url()).content.decode()
    assert f"You got back {order.total}" in page
    assert "Cancel this order" not in page
    assert list(order.events.values_list("new", flat=True))[-2:] == ["cancellation-requested", "cancelled"]


def test_cancelling_needs_the_forms_token(order: Order) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"/orders/{order.token}/cancel/").status_code == 403
    assert strict.post("/orders/" + "0" * 32 + "/cancel/").status_code in {403, 404}
    assert state_of(order) == "paid"


def test_cancelled_twice_is_paid_back_once(client: Client, order: Order, till: StandIn) -> None:
    press_cancel(client, order)
    assert b"cancelled already" in press_cancel(client, order).content
    assert (pay_back_due(), pay_back_due()) == (1, 0)
    assert b"cancelled already" in press_cancel(client, order).content
    cancelled_whole(order, till)


def test_while_discs_are_written_the_started_one_becomes_stock(
    client: Client, order: Order, plant: Plant, till: StandIn
) -> None:
    plant.turn()
    first, *_ = Disc.objects.order_by("id")
    plant.agent.set_disc(first.serial, wire.DiscState.STARTED)
    plant.report()
    plant.turn()
    progress.read(plant.now)
    assert state_of(order) == "in-production"
    press_cancel(client, order)
    plant.turn()
    plant.agent.set_disc(first.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.make_all()
    pay_back_due()
    progress.read(plant.now)
    cancelled_whole(order, till)
    assert list(allocation.stock()) == [first]
    assert Disc.objects.exclude(state__in=["good", "cancelled"]).count() == 0


def test_a_packed_order_is_cancelled_by_staff_only_and_a_shipped_one_by_nobody(
    client: Client, admin_client: Client, order: Order, plant: Plant, till: StandIn
) -> None:
    plant.make_all()
    shipment = Shipment.objects.get()
    operators.pack(shipment, "user:1 Anna", timezone.now())
    progress.read(timezone.now())
    page = client.get(order.get_absolute_url()).content.decode()
    assert "Cancel this order" not in page
    assert "To cancel it now, write to" in page
    assert client.get(f"/orders/{order.token}/cancel/").status_code == 302
    assert b"packed or on its way" in press_cancel(client, order).content
    assert state_of(order) == "ready"
    changes = "/admin/storefront/order/"
    admin_client.post(changes, {"action": "cancel", "_selected_action": [order.pk]})
    pay_back_due()
    cancelled_whole(order, till)
    assert cancelling.cancel(order, actor="user:1", now=timezone.now(), even_packed=True) is Outcome.ALREADY


def test_what_was_shipped_stays_shipped(client: Client, order: Order, plant: Plant) -> None:
    plant.make_all()
    shipment = Shipment.objects.get()
    operators.pack(shipment, "user:1 Anna", timezone.now())
    operators.ship(shipment, "user:1 Anna", timezone.now())
    assert cancelling.cancel(order, actor="user:1", now=timezone.now(), even_packed=True) is Outcome.TOO_LATE
    progress.read(timezone.now())
    assert state_of(order) == "shipped"


def test_an_unpaid_order_closes_its_page(client: Client, plant: Plant, till: StandIn) -> None:
    page = to_hosted_page(client, make_title())
    order = only_order()
    assert b"Nothing was charged" in press_cancel(client, order).content
    assert state_of(order) == Order.State.CANCELLED
    assert till.rows("SELECT status FROM sessions WHERE id = ?", session_of(order)) == [{"status": "expired"}]
    submit(page, CARD)
    assert charged(till, order) == (0, 0)
    assert not Refund.objects.exists()


def test_paid_at_the_moment_of_cancelling_is_paid_back(client: Client, plant: Plant, till: StandIn) -> None:
    order = unheard(client, make_title())
    assert b"Your money is on its way back" in press_cancel(client, order).content
    pay_back_due()
    cancelled_whole(order, till)


def test_a_payer_that_is_away_leaves_an_unpaid_order_as_it_is(client: Client, plant: Plant, standin: StandIn) -> None:
    to_hosted_page(client, make_title())
    standin.stop()
    assert b"nothing was changed" in press_cancel(client, only_order()).content
    assert only_order().state == Order.State.AWAITING_PAYMENT


def test_a_refund_whose_answer_is_lost_is_made_once(
    client: Client, plant: Plant, standin: StandIn, settings: Settings
) -> None:
    order = paid(client, make_title())
    press_cancel(client, order)
    settings.SPINDLE_PAYER = HASTY
    standin.stop()
    standin.start("--answer-after", "1.5")
    now = timezone.now()
    assert pay_back_due(now) == 0
    assert charged(standin, order) == (1, 0)
    refund = Refund.objects.get()
    assert (refund.state, refund.attempts) == ("asked", 1)
    assert state_of(order) == Order.State.CANCELLATION_REQUESTED
    assert pay_back_due(now) == 0  # not before its time
    standin.stop()
    standin.start()
    standin.change("DELETE FROM idempotency")  # as the payer does after a day
    assert pay_back_due(now + dt.timedelta(minutes=3)) == 1
    cancelled_whole(order, standin)
    assert len(standin.rows("SELECT id FROM refunds")) == 1


def test_a_payer_that_is_away_is_asked_again_with_the_same_key(client: Client, plant: Plant, standin: StandIn) -> None:
    order = paid(client, make_title())
    press_cancel(client, order)
    standin.stop()
    now = timezone.now()
    assert pay_back_due(now) == 0
    assert "did not answer" in Refund.objects.get().reason
    standin.start()
    assert pay_back_due(now + dt.timedelta(minutes=1)) == 1
    cancelled_whole(order, standin)
    assert standin.rows("SELECT key FROM idempotency WHERE key LIKE 'refund%'") == [{"key": f"refund-{order.number}-1"}]


def test_a_refund_that_is_refused_waits_for_a_person(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title(), card=DISPUTED_CARD)
    # The dispute came with the charge: the order is stopped, and the payer refuses to pay it back meanwhile.
    assert state_of(order) == Order.State.CANCELLATION_REQUESTED
    assert cancelling.pay_back(order, timezone.now())
    assert pay_back_due() == 0
    assert Refund.objects.get().state == "refused"
    assert "charged back" in Refund.objects.get().reason
    assert state_of(order) == Order.State.CANCELLATION_REQUESTED
    till.change("DELETE FROM disputes")
    assert cancelling.pay_back(order, timezone.now())
    assert pay_back_due() == 1
    assert state_of(order) == Order.State.CANCELLED
    assert charged(till, order) == (1, 0)


def test_a_dispute_that_was_lost_is_closed_by_staff(
    client: Client, admin_client: Client, plant: Plant, till: StandIn
) -> None:
    order = paid(client, make_title(), card=DISPUTED_CARD)
    admin_client.post("/admin/storefront/order/", {"action": "close_without", "_selected_action": [order.pk]})
    assert state_of(order) == Order.State.CANCELLED
    assert not Refund.objects.exists()


# --- F9: the payer says so while the discs are being written --------------------------------------


def burning(plant: Plant) -> Disc:
    """One disc good, one started, others planned."""
    plant.turn()
    first, second, *_ = Disc.objects.order_by("id")
    plant.agent.set_disc(first.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.agent.set_disc(second.serial, wire.DiscState.STARTED)
    plant.report()
    plant.turn()
    progress.read(plant.now)
    return second


def test_a_refund_at_the_payers_stops_the_job_before_its_next_disc(
    client: Client, order: Order, plant: Plant, till: StandIn
) -> None:
    started = burning(plant)
    payer().refund(intent_of(order), order.total_minor, "by-hand-whole")
    event = event_of(till, order, "charge.refunded")
    assert [deliver(client, till, event) for _ in range(3)] == [200] * 3
    plant.turn()
    plant.agent.set_disc(started.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.make_all()
    cancelled_whole(order, till)
    assert Refund.objects.get().elsewhere
    assert Disc.objects.filter(state="good").count() == allocation.stock().count() == 2
    assert not Disc.objects.filter(state__in=["planned", "started"]).exists()


def test_a_dispute_stops_the_job_before_its_next_disc(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title(), 3)
    started = burning(plant)
    intent = intent_of(order)
    till.change(
        "INSERT INTO disputes (id, created, charge, payment_intent, amount, currency)"
        " SELECT 'dp_' || id, created, id, payment_intent, amount, currency FROM charges WHERE payment_intent = ?",
        intent,
    )
    event = {
        "id": f"evt_{intent}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1,
        "livemode": False,
        "type": "charge.dispute.created",
        "data": {"object": {"id": "dp_1", "object": "dispute", "payment_intent": intent, "metadata": {}}},
    }
    assert deliver(client, till, event) == 200
    plant.turn()
    plant.agent.set_disc(started.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.make_all()
    assert state_of(order) == Order.State.CANCELLATION_REQUESTED
    assert Disc.objects.filter(state="good").count() == allocation.stock().count() == 2
    assert not Refund.objects.exists()  # the money is the bank's to decide about
    assert deliver(client, till, event | {"id": f"evt_over_{intent}", "type": "charge.dispute.closed"}) == 200
    assert Payment.objects.get().dispute_over_at is not None


def test_a_part_paid_back_by_hand_goes_on_and_is_shown_to_a_person(client: Client, order: Order, till: StandIn) -> None:
    payer().refund(intent_of(order), 500, f"by-hand-{order.number}")
    deliver(client, till, event_of(till, order, "charge.refunded"))
    assert state_of(order) == "paid"
    assert "€5.00 of" in MoneyDifference.objects.get().why
    press_cancel(client, order)
    pay_back_due()
    cancelled_whole(order, till)
    assert [refund.amount_minor for refund in Refund.objects.all()] == [500, order.total_minor - 500]


def test_a_part_paid_back_by_hand_while_cancelling_is_not_paid_twice(
    client: Client, order: Order, till: StandIn
) -> None:
    press_cancel(client, order)
    payer().refund(intent_of(order), 500, f"by-hand-{order.number}")
    now = timezone.now()
    pay_back_due(now)
    pay_back_due(now + dt.timedelta(minutes=3))
    assert state_of(order) == Order.State.CANCELLED
    assert charged(till, order) == (1, 0)
    assert Refund.objects.filter(state="done").count() == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_everybody_cancels_and_pays_back_at_once(client: Client, order: Order, till: StandIn) -> None:
    now = timezone.now()

    def cancel() -> Outcome:
        return cancelling.cancel(Order.objects.get(), actor="customer", now=now)

    session = session_of(order)
    outcomes = at_once(*[cancel] * 6)
    assert sorted(outcome.value for outcome in outcomes) == ["already"] * 5 + ["requested"]
    at_once(*[lambda: refunding.send_due(now)] * 4, *[lambda: payments.settle(payer().checkout(session), now)] * 4)
    refunding.send_due(now + dt.timedelta(minutes=3))
    cancelled_whole(order, till)
    assert len(till.rows("SELECT id FROM refunds WHERE payment_intent = ?", intent_of(order))) == 1
