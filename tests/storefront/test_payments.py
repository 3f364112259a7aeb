"""Money, with the real SDK against the stand-in."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
import stripe
from django.test import Client
from django.utils import timezone

from fulfillment import rolling
from fulfillment.models import Job, PlanRun, Shipment
from storefront import outbox, payments, progress
from storefront.models import Mail, Order, Payment, ProviderEvent
from storefront.orders import AlreadyPlaced
from storefront.payer import payer
from storefront.payments import Settlement
from tests.scene import Plant, make_title
from tests.storefront.shopping import only_order, put, to_hosted_page
from tests.storefront.standin.asking import submit
from tests.storefront.standin.running import StandIn

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

HOURS = dt.timedelta(hours=2)
CARD, DECLINED = "4242424242424242", "4000000000000002"


@pytest.fixture
def hosted(client: Client, plant: Plant, standin: StandIn) -> str:
    return to_hosted_page(client, make_title(), 2)


def land(client: Client) -> None:
    """The customer comes back from the payer's page."""
    order = only_order()
    client.get(f"/checkout/paid/{order.token}/", {"session": order.payments.get().session or ""})


def webhook(client: Client, standin: StandIn, session: str, event_id: str = "evt_1") -> int:
    body = json.dumps(
        {
            "id": event_id,
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": 1,
            "livemode": False,
            "type": "checkout.session.completed",
            "data": {"object": {"id": session, "object": "checkout.session", "client_reference_id": "x"}},
        }
    )
    now = int(timezone.now().timestamp())
    signature = stripe.WebhookSignature._compute_signature(f"{now}.{body}", standin.secret)
    answer = client.post(
        "/stripe/webhook/",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": f"t={now},v1={signature}"},
    )
    return answer.status_code


def test_a_paid_order_is_logged_promised_mailed_and_given_to_the_plant(client: Client, hosted: str) -> None:
    submit(hosted, CARD)
    land(client)
    order = only_order()
    assert order.state == Order.State.PAID
    assert order.paid_at is not None
    assert order.shipment is not None
    assert order.shipment.promised_on == order.shown_on
    job = Job.objects.get()
    assert (job.copies, job.state) == (2, Job.State.WAITING)
    assert job.due is not None
    assert Mail.objects.get().key == f"confirmation-{order.number}"
    assert client.session["cart"] == {}


def test_a_declined_card_charges_nothing_and_can_be_tried_again(client: Client, hosted: str, standin: StandIn) -> None:
    submit(hosted, DECLINED)
    land(client)
    assert only_order().state == Order.State.AWAITING_PAYMENT
    assert standin.rows("SELECT count(*) FROM charges WHERE status = 'succeeded'") == [{"count(*)": 0}]
    submit(hosted, CARD)
    land(client)
    assert only_order().state == Order.State.PAID


def test_the_webhook_settles_without_the_customer_coming_back(client: Client, hosted: str, standin: StandIn) -> None:
    submit(hosted, CARD)
    session = only_order().payments.get().session or ""
    assert webhook(client, standin, session) == 200
    assert only_order().state == Order.State.PAID
    assert ProviderEvent.objects.get().outcome == ProviderEvent.Outcome.SETTLED


def test_landing_and_webhooks_any_number_of_times_settle_once(client: Client, hosted: str, standin: StandIn) -> None:
    submit(hosted, CARD)
    session = only_order().payments.get().session or ""
    for number in range(5):
        assert webhook(client, standin, session, f"evt_{number}") == 200
        assert webhook(client, standin, session, f"evt_{number}") == 200
        land(client)
    assert (Shipment.objects.count(), Job.objects.count(), Mail.objects.count()) == (1, 1, 1)
    assert ProviderEvent.objects.count() == 5
    assert only_order().events.filter(new="paid").count() == 1


def test_a_forged_webhook_changes_nothing(client: Client, hosted: str) -> None:
    body = b'{"id": "evt_x", "type": "checkout.session.completed"}'
    answer = client.post(
        "/stripe/webhook/", body, content_type="application/json", headers={"Stripe-Signature": "t=1,v1=00"}
    )
    assert answer.status_code == 400
    assert not ProviderEvent.objects.exists()


def test_a_webhook_for_a_session_nobody_knows_is_sent_again_later(
    client: Client, hosted: str, standin: StandIn
) -> None:
    assert webhook(client, standin, "cs_test_unknown") == 503
    assert not ProviderEvent.objects.exists()


def test_a_session_that_was_never_stored_is_found_by_its_key(client: Client, hosted: str, standin: StandIn) -> None:
    """The server died between the payer's answer and its own note of it."""
    session = only_order().payments.get().session or ""
    Payment.objects.update(state=Payment.State.OPENING, session=None, url="")
    submit(hosted, CARD)
    assert webhook(client, standin, session) == 200
    assert only_order().state == Order.State.PAID
    assert Payment.objects.get().session == session


@pytest.mark.parametrize("column", ["amount_minor", "currency"])
def test_money_of_another_amount_or_currency_is_not_booked(
    client: Client, hosted: str, standin: StandIn, column: str
) -> None:
    submit(hosted, CARD)
    Payment.objects.update(**{column: {"amount_minor": 1, "currency": "USD"}[column]})
    session = only_order().payments.get().session or ""
    assert webhook(client, standin, session) == 200
    assert ProviderEvent.objects.get().outcome == ProviderEvent.Outcome.UNMATCHED
    assert only_order().state == Order.State.AWAITING_PAYMENT


def test_an_expired_page_makes_room_for_another_attempt(client: Client, hosted: str, standin: StandIn) -> None:
    session = only_order().payments.get().session or ""
    assert payments.settle(payer().expire_checkout(session), timezone.now()) is Settlement.EXPIRED
    again = payments.hosted_page(only_order(), only_order().payments.get().content, timezone.now())
    assert again is not None
    assert again != hosted
    submit(again, CARD)
    newest = only_order().payments.get(state=Payment.State.OPEN)
    client.get(f"/checkout/paid/{only_order().token}/", {"session": newest.session or ""})
    assert only_order().state == Order.State.PAID


def test_a_cart_changed_after_paying_leaves_the_paid_order_alone(client: Client, hosted: str) -> None:
    """Paid in one tab; in the other, which has not heard of it, the cart is changed and paid."""
    submit(hosted, CARD)
    put(client, make_title("P-9"), 7)
    seen = client.get("/checkout/review/").context["seen"]
    answer = client.post("/checkout/pay/", {"seen": seen}, follow=True)
    order = only_order()
    assert order.state == Order.State.PAID
    assert [line.copies for line in order.lines.all()] == [2]
    assert b"is paid. What is in the cart now becomes a new order." in answer.content
    assert client.post("/checkout/pay/", {"seen": answer.context["seen"]})["Location"].startswith("http")
    assert Order.objects.count() == 2


def test_an_order_paid_unheard_of_in_another_tab_empties_its_cart(client: Client, hosted: str) -> None:
    submit(hosted, CARD)
    answer = client.post("/checkout/pay/", {"seen": client.get("/checkout/review/").context["seen"]})
    assert answer["Location"] == only_order().get_absolute_url()
    assert client.session["cart"] == {}


def test_money_for_an_order_that_changed_is_not_booked(client: Client, hosted: str, standin: StandIn) -> None:
    submit(hosted, CARD)
    Order.objects.update(goods_minor=99_00, total_minor=99_00 + 390)
    session = only_order().payments.get().session or ""
    assert webhook(client, standin, session) == 200
    assert ProviderEvent.objects.get().outcome == ProviderEvent.Outcome.UNMATCHED


def test_an_attempt_the_payer_never_heard_of_is_replaced_when_it_is_stale(client: Client, hosted: str) -> None:
    Payment.objects.update(state=Payment.State.OPENING, session=None, url="", created_at=timezone.now() - HOURS)
    content = only_order().payments.get().content
    assert payments.hosted_page(only_order(), content, timezone.now()) is not None
    assert list(only_order().payments.values_list("state", flat=True)) == ["expired", "open"]


def test_another_tabs_page_is_never_handed_out_for_other_content(client: Client, hosted: str) -> None:
    with pytest.raises(AlreadyPlaced):
        payments.hosted_page(only_order(), "of something else", timezone.now())


def test_a_date_that_no_longer_holds_when_the_money_comes_is_told(client: Client, hosted: str, plant: Plant) -> None:
    order = only_order()
    assert order.shown_on is not None
    Order.objects.update(shown_on=order.shown_on.replace(year=2020))
    submit(hosted, CARD)
    rolling.roll(timezone.now())
    land(client)
    order = only_order()
    assert order.shipment is not None
    assert order.shipment.promised_on is not None
    assert order.shipment.promised_on.year > 2020
    assert "later than the date you saw" in Mail.objects.get().text


def test_a_date_shown_stands_when_no_new_one_can_be_reckoned(client: Client, hosted: str) -> None:
    PlanRun.objects.update(at="2020-01-01T00:00Z")
    submit(hosted, CARD)
    land(client)
    order = only_order()
    assert order.shipment is not None
    assert order.shipment.promised_on == order.shown_on


def test_an_order_is_followed_to_the_door(client: Client, hosted: str, plant: Plant) -> None:
    submit(hosted, CARD)
    land(client)
    plant.make_all()
    progress.read(plant.now)
    order = only_order()
    assert order.state == Order.State.READY
    assert list(order.events.values_list("new", flat=True)) == ["awaiting-payment", "paid", "in-production", "ready"]


def test_the_outbox_sends_each_mail_once_and_keeps_what_failed(
    client: Client, hosted: str, settings: object, tmp_path: Path, mailoutbox: list[object]
) -> None:
    submit(hosted, CARD)
    land(client)
    now = timezone.now()
    assert outbox.send_waiting(now) == 1
    assert outbox.send_waiting(now) == 0
    assert len(mailoutbox) == 1
    assert Mail.objects.get().state == Mail.State.SENT
