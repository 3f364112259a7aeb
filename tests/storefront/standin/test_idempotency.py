"""The same key: the same answer and one effect, whatever happens in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stripe
import urllib3

from storefront.payer import PayerUnreachable
from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import order, payer_for, pool, sdk_for, session_fields, submit
from tests.storefront.standin.running import StandIn, await_until, running_standin

FORM = (
    "mode=payment&success_url=http://127.0.0.1/paid&line_items[0][quantity]=1"
    "&line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=990"
    "&line_items[0][price_data][product_data][name]=Disc"
)


def send(standin: StandIn, key: str, form: str = FORM, path: str = "/v1/checkout/sessions") -> urllib3.BaseHTTPResponse:
    headers = {
        "Authorization": f"Bearer {standin.key}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Idempotency-Key": key,
    }
    return pool.request("POST", standin.url + path, body=form, headers=headers)


def sessions_of(standin: StandIn, reference: str) -> int:
    return len(standin.rows("SELECT id FROM sessions WHERE client_reference_id = ?", reference))


def test_a_replay_gives_the_same_status_and_body(standin: StandIn) -> None:
    first = send(standin, "replay-1", FORM + "&client_reference_id=REPLAY")
    again = send(standin, "replay-1", "client_reference_id=REPLAY&" + FORM)
    assert (first.status, again.status) == (200, 200)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == "replay-1"
    assert sessions_of(standin, "REPLAY") == 1


def test_other_parameters_or_another_address_under_the_key_are_refused(standin: StandIn) -> None:
    send(standin, "other-1", FORM + "&client_reference_id=OTHER")
    for answer in (send(standin, "other-1"), send(standin, "other-1", "payment_intent=pi_1", "/v1/refunds")):
        assert answer.status == 400
        assert answer.json()["error"]["type"] == "idempotency_error"
    assert sessions_of(standin, "OTHER") == 1


def test_the_sdk_sees_the_mismatch_as_such(sdk: stripe.StripeClient) -> None:
    fields: Any = session_fields()
    sdk.v1.checkout.sessions.create(fields, {"idempotency_key": "mismatch-1"})
    changed: Any = session_fields(client_reference_id="S-2")
    with pytest.raises(stripe.IdempotencyError):
        sdk.v1.checkout.sessions.create(changed, {"idempotency_key": "mismatch-1"})


def test_what_fails_its_validation_is_not_kept(standin: StandIn) -> None:
    assert send(standin, "invalid-1", "mode=payment").status == 400
    assert send(standin, "invalid-1").status == 200


def test_a_refusal_on_its_merits_is_kept(standin: StandIn, payer: StripePayer) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url)
    form = f"payment_intent={payer.checkout(opened.id).payment_intent}&amount=9999"
    first = send(standin, "refused-1", form, "/v1/refunds")
    again = send(standin, "refused-1", form, "/v1/refunds")
    assert (first.status, again.status, again.json()) == (400, 400, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_a_length(standin: StandIn, key: str) -> None:
    assert send(standin, key).status == 400


def test_twenty_at_once_have_one_effect(standin: StandIn) -> None:
    form = FORM + "&client_reference_id=TWENTY"
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: send(standin, "twenty", form), range(20)))
    done = [answer.json()["id"] for answer in answers if answer.status == 200]
    waiting = [answer.json()["error"]["code"] for answer in answers if answer.status == 409]
    assert len(done) + len(waiting) == 20
    assert len(set(done)) == 1
    assert set(waiting) <= {"idempotency_key_in_use"}
    assert sessions_of(standin, "TWENTY") == 1


def test_twenty_refunds_at_once_give_back_once(standin: StandIn, payer: StripePayer) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url)
    intent = payer.checkout(opened.id).payment_intent
    form = f"payment_intent={intent}"
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda number: send(standin, f"many-{number}", form, "/v1/refunds"), range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 19
    assert standin.rows("SELECT amount FROM refunds WHERE payment_intent = ?", intent) == [{"amount": 2470}]


def test_a_key_is_forgotten_after_a_day(standin: StandIn) -> None:
    first = send(standin, "day").json()["id"]
    standin.change("UPDATE idempotency SET created = created - 86401 WHERE key = 'day'")
    assert send(standin, "day").json()["id"] != first


def test_an_answer_that_came_too_late_is_had_with_the_same_key(tmp_path: Path) -> None:
    with running_standin(tmp_path, None, "--answer-after", "2.5") as standin:
        hurried = StripePayer(secret_key=standin.key, api_base=standin.url, read_seconds=0.2)
        wanted = order()
        with pytest.raises(PayerUnreachable):
            hurried.open_checkout(wanted)
        await_until(lambda: sessions_of(standin, wanted.reference) == 1)  # done, though nobody heard of it
        busy = send(standin, wanted.key)
        assert (busy.status, busy.json()["error"]["code"]) == (409, "idempotency_key_in_use")
        await_until(lambda: send(standin, wanted.key).status == 400)  # its first answer is out
        checkout = payer_for(standin).open_checkout(wanted)
        assert [checkout.id] == [row["id"] for row in standin.rows("SELECT id FROM sessions")]


def test_keys_outlive_a_kill(tmp_path: Path) -> None:
    with running_standin(tmp_path) as standin:
        fields: Any = session_fields()
        first = sdk_for(standin).v1.checkout.sessions.create(fields, {"idempotency_key": "kill"})
        standin.kill()
        standin.start()
        again = sdk_for(standin).v1.checkout.sessions.create(fields, {"idempotency_key": "kill"})
        assert again.id == first.id
        assert len(standin.rows("SELECT id FROM sessions")) == 1
