"""The payer's books against ours: what was lost is found, mended and named, and a second look finds nothing."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from fulfillment import intake
from fulfillment.models import Job, JobEvent, Shipment, ShipmentEvent
from storefront import cancelling, facts, payments, promises, reconciling, refunding, tasks, ticks
from storefront.models import Mail, MoneyDifference, Order, OrderEvent, OrderLine, Payment, Refund
from storefront.payer import PayerRefused, PayerUnreachable, payer
from tests.scene import Plant, make_title
from tests.storefront.money import charged, intent_of, paid, session_of, unheard
from tests.storefront.shopping import only_order, to_hosted_page
from tests.storefront.standin.asking import order as request_of
from tests.storefront.standin.asking import payer_for, submit
from tests.storefront.standin.running import StandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(standin: StandIn) -> StandIn:
    """A ledger of its own: here all of it counts."""
    return standin


def reconcile(*words: str) -> tuple[list[str], int]:
    """The lines it prints and its exit code."""
    out = StringIO()
    try:
        call_command("payments", "reconcile", *words, stdout=out)
    except SystemExit as ended:
        return out.getvalue().splitlines(), int(str(ended.code))
    return out.getvalue().splitlines(), 0


def agrees() -> None:
    assert reconcile() == (["0 differences"], 0)


def test_books_that_agree_are_no_difference(client: Client, plant: Plant, till: StandIn) -> None:
    agrees()
    paid(client, make_title())
    to_hosted_page(Client(), make_title("P-2"))
    agrees()


def test_what_a_lost_webhook_left_is_made_whole(client: Client, plant: Plant, till: StandIn) -> None:
    order = unheard(client, make_title())
    lines, code = reconcile()
    assert code == 0
    assert lines[0].startswith(f"{session_of(order)}: {order.total} for order {order.number}: booked what nobody told")
    assert lines[-1] == "1 differences"
    assert only_order().state == "paid"
    assert (Shipment.objects.count(), Job.objects.count(), Mail.objects.count()) == (1, 1, 1)
    agrees()


def test_the_nightly_task_does_the_same(client: Client, plant: Plant, till: StandIn) -> None:
    unheard(client, make_title())
    tasks.reconcile()
    assert only_order().state == "paid"
    agrees()


def test_an_order_older_than_the_payers_books_is_made_whole(client: Client, plant: Plant, till: StandIn) -> None:
    """A backup of an hour ago: the order waits for its money, and its page was never noted (F41)."""
    order = paid(client, make_title(), 2)
    Mail.objects.all().delete()
    Order.objects.update(state="awaiting-payment", paid_at=None, shipment=None)
    Payment.objects.update(state="opening", session=None, url="", paid_at=None, intent="")
    JobEvent.objects.all().delete()
    ShipmentEvent.objects.all().delete()
    Job.objects.all().delete()
    Shipment.objects.all().delete()
    OrderEvent.objects.filter(new="paid").delete()
    assert reconcile()[1] == 0
    order.refresh_from_db()
    assert order.state == "paid"
    assert order.shipment is not None
    assert order.shipment.promised_on is not None
    assert Job.objects.get().copies == 2
    assert Mail.objects.get().key == f"confirmation-{order.number}"
    agrees()


def test_a_paid_order_the_plant_never_got_is_given_to_it(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    Order.objects.update(shipment=None)
    lines, code = reconcile()
    assert (lines[0], code) == (f"order {order.number}: paid and not given to the plant; given now.", 0)
    assert only_order().shipment is not None
    agrees()


def test_money_of_an_order_that_is_lost_waits_for_a_person(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    session = session_of(order)
    open_page = to_hosted_page(Client(), make_title("P-2"))
    for model in (Mail, OrderEvent, Payment, OrderLine, Order):
        model._default_manager.all().delete()  # a backup from before it was received
    for _ in range(2):
        lines, code = reconcile()
        assert code == 1
        expected = (
            f"{session}: {order.total} money without an order: no order of ours asked for it. A person must look."
        )
        assert lines[-2] == expected
    submit(open_page)
    assert till.rows("SELECT count(*) AS charges FROM charges") == [{"charges": 1}]  # its page was closed
    payer().refund(str(payer().checkout(session).payment_intent), order.total_minor, "by-hand")
    assert reconcile()[1] == 0
    agrees()


def test_a_refund_by_hand_that_no_webhook_told_cancels_the_order(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    payer().refund(intent_of(order), order.total_minor, "by-hand")
    lines, code = reconcile()
    assert code == 0
    assert f"paid → cancelled, {order.total} paid back at the payer's." in lines[0]
    assert only_order().state == "cancelled"
    assert Shipment.objects.get().state == "cancelled"
    agrees()


def test_an_order_without_its_money_is_named_until_it_is_there(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    till.change("UPDATE sessions SET payment_status = 'unpaid'")
    lines, code = reconcile()
    assert code == 1
    assert f"order {order.number} is paid, and the payer has no such charge" in lines[-2]
    till.change("UPDATE sessions SET payment_status = 'paid'")
    assert reconcile()[1] == 0
    agrees()


def test_a_refund_that_failed_afterwards_is_named(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    payer().refund(intent_of(order), order.total_minor, "by-hand")
    reconcile()
    till.change("UPDATE charges SET amount_refunded = 0")
    lines, code = reconcile()
    assert code == 1
    assert "a refund failed" in lines[-2]
    assert MoneyDifference.objects.get(resolved_at=None).kind == "paid-back"


def test_a_second_charge_is_named(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    again = payer_for(till).open_checkout(request_of(reference=f"pay-{order.number}-1"))
    submit(again.url)
    lines, code = reconcile()
    assert code == 1
    assert "this is a second charge" in lines[-2]
    assert again.id in lines[-2]


def test_what_is_over_is_given_up(client: Client, plant: Plant, till: StandIn) -> None:
    """One page of an order that is cancelled, one attempt the payer never heard of, one page that ran out."""
    to_hosted_page(client, make_title())
    first = only_order()
    Order.objects.update(state="cancelled")
    Payment.objects.update(state="expired")
    long_ago = timezone.now() - dt.timedelta(hours=3)
    to_hosted_page(Client(), make_title("P-2"))
    till.change("DELETE FROM sessions WHERE id = ?", Payment.objects.get(state="open").session)
    Payment.objects.filter(state="open").update(state="opening", session=None, url="", created_at=long_ago)
    to_hosted_page(Client(), make_title("P-3"))
    ran_out = Payment.objects.get(state="open")
    till.change("UPDATE sessions SET status = 'expired' WHERE id = ?", ran_out.session)
    lines, code = reconcile()
    assert code == 0
    assert f"{session_of(first)}: a page on which nobody should pay; closed it." in lines
    assert any("no page was ever opened for it; given up." in line for line in lines)
    assert not Payment.objects.exclude(state="expired").exists()
    agrees()


def test_a_page_that_was_never_noted_is_noted(client: Client, plant: Plant, till: StandIn) -> None:
    page = to_hosted_page(client, make_title())
    Payment.objects.update(state="opening", session=None, url="")
    lines, code = reconcile()
    assert (code, "opening → open" in lines[0]) == (0, True)
    assert Payment.objects.get().url == page
    agrees()


def test_a_stopped_order_without_its_refund_gets_one(client: Client, plant: Plant, till: StandIn) -> None:
    order = paid(client, make_title())
    assert order.shipment is not None
    intake.cancel(order.shipment, actor="test", now=timezone.now())
    Order.objects.update(state="cancellation-requested")
    lines, code = reconcile()
    assert (lines[0], code) == (f"order {order.number}: cancelled and not paid back; paying back now.", 0)
    assert only_order().state == "cancelled"
    assert Refund.objects.get().state == "done"
    assert charged(till, order) == (1, 0)
    agrees()


def test_it_says_when_the_payer_is_away(client: Client, plant: Plant, till: StandIn) -> None:
    till.stop()
    with pytest.raises(CommandError, match="run it again when the payer answers"):
        reconcile()
    with pytest.raises(PayerUnreachable):  # a run that failed: an alert until the next one that does not
        tasks.reconcile()


def test_a_night_without_its_reconciliation_is_told(db: None) -> None:
    now = timezone.now()
    ticks.note("storefront.reconcile", 1.0, now, failed=False)
    assert [fact for fact in facts.all_facts(now) if fact.kind == "reconcile-failed"] == []
    ticks.note("storefront.reconcile", 1.0, now + dt.timedelta(days=1), failed=True)
    (fact,) = [fact for fact in facts.all_facts(now) if fact.kind == "reconcile-failed"]
    assert "manage.py payments reconcile" in fact.text
    ticks.note("storefront.reconcile", 1.0, now + dt.timedelta(days=2), failed=False)
    assert [fact for fact in facts.all_facts(now) if fact.kind == "reconcile-failed"] == []


def test_who_pays_while_it_runs_is_no_difference(client: Client, plant: Plant, till: StandIn) -> None:
    """The list says that the page is open; then it is paid, and the webhook books it."""
    page = to_hosted_page(client, make_title())
    now = timezone.now()
    with pytest.MonkeyPatch.context() as patch:
        real = reconciling._unfinished

        def meanwhile(*arguments: Any) -> Any:
            submit(page)
            payments.settle(payer().checkout(session_of(only_order())), now)
            return real(*arguments)

        patch.setattr(reconciling, "_unfinished", meanwhile)
        run = reconciling.reconcile(now - dt.timedelta(days=1), now)
        assert [difference for difference in run if not difference.mended] == []
    assert only_order().state == "paid"
    assert not MoneyDifference.objects.exists()


def test_a_wrong_key_ends_it_and_accuses_nobody(
    client: Client, plant: Plant, till: StandIn, settings: Settings
) -> None:
    paid(client, make_title())
    to_hosted_page(Client(), make_title("P-2"))
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    now = timezone.now()
    for step in (reconciling._paid({}, now - dt.timedelta(days=1), now), reconciling._unfinished({}, now)):
        with pytest.raises(PayerRefused):
            list(step)
    assert sorted(Payment.objects.values_list("state", flat=True)) == ["open", "paid"]
    assert not MoneyDifference.objects.exists()


def test_an_order_cancelled_while_it_is_given_to_the_plant_is_not_made(
    client: Client, plant: Plant, till: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restore: paid, without a shipment. Its customer cancels between the look and the giving."""
    order = paid(client, make_title())
    Order.objects.update(shipment=None)
    for model in (JobEvent, ShipmentEvent, Job, Shipment):
        model._default_manager.all().delete()
    real = promises.first_promise

    def cancelled_meanwhile(*arguments: Any) -> Any:
        now = timezone.now()
        assert cancelling.cancel(only_order(), actor="customer", now=now) is cancelling.Outcome.REQUESTED
        return real(*arguments)

    monkeypatch.setattr(reconciling, "first_promise", cancelled_meanwhile)
    reconcile()
    order.refresh_from_db()
    assert order.state == "cancellation-requested"
    assert not Shipment.objects.exists()


def test_a_refund_that_failed_long_after_the_payment_is_named(client: Client, plant: Plant, till: StandIn) -> None:
    """Paid a month ago, paid back yesterday: the nightly look back is counted from both."""
    order = paid(client, make_title())
    client.post(f"/orders/{order.token}/cancel/")
    refunding.send_due(timezone.now())
    Payment.objects.update(paid_at=timezone.now() - dt.timedelta(days=30))
    till.change("UPDATE sessions SET created = created - 2592000")
    till.change("UPDATE charges SET amount_refunded = 0")
    lines, code = reconcile("--since", "7d")
    assert code == 1
    assert "a refund failed" in lines[-2]


@pytest.mark.parametrize("since", ["7d", "12h", "2026-01-01"])
def test_since_is_a_date_or_a_time_back(plant: Plant, till: StandIn, since: str) -> None:
    assert reconcile("--since", since) == (["0 differences"], 0)


def test_another_since_is_refused(plant: Plant) -> None:
    with pytest.raises(CommandError, match="no date like 2026-11-01"):
        reconcile("--since", "yesterday")
