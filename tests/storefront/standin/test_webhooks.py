"""Signed events: verified by the SDK, sent at least once, also across a `kill -9`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storefront.payer import BadSignature, PayerEvent
from storefront.standin.webhooks import LONGEST_WAIT, signature, wait_after
from storefront.standin.wire import API_VERSION
from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import order, payer_for, submit
from tests.storefront.standin.running import (
    Delivery,
    Receiver,
    StandIn,
    await_until,
    receiving_webhooks,
    running_standin,
)


def body(delivery: Delivery) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(delivery.body)
    return event


def about(deliveries: list[Delivery], object_id: str | None) -> list[Delivery]:
    return [one for one in deliveries if body(one)["data"]["object"]["id"] == object_id]


def events_about(payer: StripePayer, receiver: Receiver, object_id: str | None, count: int) -> list[PayerEvent]:
    arrived = receiver.wait(lambda deliveries: len(about(deliveries, object_id)) >= count)
    return [payer.verified_event(one.body, one.signature) for one in about(arrived, object_id)]


def test_a_payment_is_told_with_all_that_an_event_has(payer: StripePayer, receiver: Receiver, standin: StandIn) -> None:
    opened = payer.open_checkout(order(reference="S-EVENT"))
    submit(opened.url)
    intent = payer.checkout(opened.id).payment_intent
    (completed,) = events_about(payer, receiver, opened.id, 1)
    assert completed.kind == "checkout.session.completed"
    assert (completed.checkout_id, completed.payment_intent) == (opened.id, intent)
    assert (completed.livemode, completed.api_version) == (False, API_VERSION)
    (succeeded,) = events_about(payer, receiver, intent, 1)
    assert succeeded.kind == "payment_intent.succeeded"
    assert (succeeded.checkout_id, succeeded.payment_intent) == (None, intent)
    raw = body(about(receiver.deliveries, opened.id)[0])
    assert raw["object"] == "event"
    assert raw["id"].startswith("evt_")
    assert raw["data"]["object"]["payment_status"] == "paid"
    assert raw["request"] == {"id": None, "idempotency_key": None}


def test_declines_expiry_and_refunds_are_told(payer: StripePayer, receiver: Receiver, standin: StandIn) -> None:
    declined = payer.open_checkout(order())
    submit(declined.url, "4000000000000002")
    intent = payer.checkout(declined.id).payment_intent
    assert [event.kind for event in events_about(payer, receiver, intent, 1)] == ["payment_intent.payment_failed"]
    payer.expire_checkout(declined.id)
    assert [event.kind for event in events_about(payer, receiver, declined.id, 1)] == ["checkout.session.expired"]
    paid = payer.open_checkout(order(reference="S-BACK"))
    submit(paid.url)
    intent = payer.checkout(paid.id).payment_intent
    assert intent is not None
    payer.refund(intent, 500, "refund-told")
    charge = standin.rows("SELECT id FROM charges WHERE payment_intent = ?", intent)[0]["id"]
    (event,) = events_about(payer, receiver, charge, 1)
    assert event.kind == "charge.refunded"
    assert (event.payment_intent, event.checkout_id) == (intent, None)
    (raw,) = about(receiver.deliveries, charge)
    assert body(raw)["data"]["object"]["amount_refunded"] == 500
    assert body(raw)["request"]["idempotency_key"] == "refund-told"


def test_a_refused_webhook_is_sent_again_with_a_new_signature(tmp_path: Path) -> None:
    with receiving_webhooks() as receiver, running_standin(tmp_path, receiver.url) as standin:
        receiver.status = 500
        payer = payer_for(standin)
        opened = payer.open_checkout(order())
        submit(opened.url)
        receiver.wait(lambda all_: len(about(all_, opened.id)) >= 2)
        receiver.status = 200
        await_until(lambda: standin.rows("SELECT id FROM events WHERE sends_left > 0") == [])
        sent = [payer.verified_event(one.body, one.signature).id for one in about(receiver.deliveries, opened.id)]
        assert len(set(sent)) == 1
        settled = len(receiver.deliveries)
        assert standin.stop() == 0
        assert len(receiver.deliveries) == settled


def test_a_redirect_is_not_followed_and_is_no_delivery(tmp_path: Path) -> None:
    with receiving_webhooks() as receiver, running_standin(tmp_path, receiver.url) as standin:
        receiver.status = 302
        payer = payer_for(standin)
        payer.expire_checkout(payer.open_checkout(order()).id)
        receiver.wait(lambda all_: len(all_) >= 2)
        assert [row["sends_left"] for row in standin.rows("SELECT sends_left FROM events")] == [1]


def test_a_kill_between_payment_and_delivery_loses_no_webhook(tmp_path: Path) -> None:
    with receiving_webhooks() as gone:
        url, port = gone.url, int(gone.url.split(":")[2].split("/")[0])
    with running_standin(tmp_path, url) as standin:  # nobody listens
        payer = payer_for(standin)
        opened = payer.open_checkout(order())
        submit(opened.url)
        assert standin.rows("SELECT sends_left FROM events WHERE object_id = ?", opened.id) == [{"sends_left": 1}]
        standin.kill()
        with receiving_webhooks(port) as receiver:
            standin.start()
            assert payer.checkout(opened.id).paid
            (event,) = events_about(payer, receiver, opened.id, 1)
            assert event.kind == "checkout.session.completed"
        assert len(standin.rows("SELECT id FROM charges")) == 1


def test_a_kill_while_the_bank_asks_loses_nothing(tmp_path: Path) -> None:
    with running_standin(tmp_path) as standin:
        payer = payer_for(standin)
        opened = payer.open_checkout(order())
        submit(opened.url, "4000002500003155")
        standin.kill()
        standin.start()
        assert opened.url is not None
        assert submit(f"{opened.url}/authenticate", answer="complete").status == 303
        assert payer.checkout(opened.id).paid


def test_dropped_webhooks_are_only_listed(tmp_path: Path) -> None:
    with receiving_webhooks() as receiver:
        with running_standin(tmp_path, receiver.url, "--drop-webhooks") as standin:
            lost = payer_for(standin).open_checkout(order())
            submit(lost.url)
        with running_standin(tmp_path, receiver.url) as standin:  # dropped for good: a reconciler must find them
            payer = payer_for(standin)
            told = payer.open_checkout(order())
            submit(told.url)
            events_about(payer, receiver, told.id, 1)
            assert about(receiver.deliveries, lost.id) == []
            assert len(standin.rows("SELECT id FROM events WHERE object_id = ?", lost.id)) == 1


def test_duplicated_webhooks_come_as_often_as_asked(tmp_path: Path) -> None:
    with (
        receiving_webhooks() as receiver,
        running_standin(tmp_path, receiver.url, "--duplicate-webhooks", "5") as standin,
    ):
        payer = payer_for(standin)
        opened = payer.open_checkout(order())
        payer.expire_checkout(opened.id)
        await_until(lambda: standin.rows("SELECT sends_left FROM events") == [{"sends_left": 0}])
        assert len({event.id for event in events_about(payer, receiver, opened.id, 5)}) == 1
        assert len(receiver.deliveries) == 5


def test_waits_double_up_to_a_minute() -> None:
    assert [wait_after(tries) for tries in (1, 2, 3, 4)] == [0.25, 0.5, 1.0, 2.0]
    assert wait_after(10_000) == LONGEST_WAIT


def test_a_signature_is_about_secret_time_and_every_byte(payer: StripePayer, standin: StandIn) -> None:
    signed = signature(b'{"object": "event"}', standin.secret, 1_700_000_000)
    assert signed.startswith("t=1700000000,v1=")
    assert signed != signature(b'{"object":  "event"}', standin.secret, 1_700_000_000)
    with pytest.raises(BadSignature, match="tolerance"):
        payer.verified_event(b'{"object": "event"}', signed)
