"""The wire, driven by the unmodified SDK."""

from __future__ import annotations

import time
from typing import Any

import pytest
import stripe

from storefront.standin.wire import API_VERSION
from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import get, order, pool, session_fields, submit
from tests.storefront.standin.running import StandIn


def test_the_api_version_is_the_sdks_own() -> None:
    assert stripe.api_version == API_VERSION


def test_a_session_holds_what_was_asked(sdk: stripe.StripeClient, standin: StandIn) -> None:
    fields = session_fields(
        client_reference_id="S-1",
        metadata={"reference": "S-1"},
        customer_email="anna@example.org",
        locale="en",
        cancel_url="http://127.0.0.1:8000/cart",
        expires_at=int(time.time()) + 3600,
        payment_intent_data={"metadata": {"reference": "S-1"}, "description": "Order S-1"},
        expand=["line_items"],
    )
    session = sdk.v1.checkout.sessions.create(fields)  # type: ignore[arg-type]  # a plain dict serves as well
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_total, session.currency) == (1980, "eur")
    assert (session.client_reference_id, session.customer_email, session.locale) == ("S-1", "anna@example.org", "en")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"reference": "S-1"}
    assert (session.livemode, session.payment_intent, session.expires_at) == (False, None, fields["expires_at"])
    assert session.url == f"{standin.url}/c/pay/{session.id}"
    assert session.line_items is not None
    assert [(line.description, line.quantity, line.amount_total) for line in session.line_items.data] == [
        ("Winterreise (CD)", 2, 1980)
    ]
    again = sdk.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert again.to_dict() == session.to_dict()
    lines = sdk.v1.checkout.sessions.line_items.list(session.id)
    assert [line.amount_total for line in lines.data] == [1980]


BAD_FIELDS: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"line_items": []}, "parameter_missing", "line_items"),
    ({"success_url": None}, "parameter_missing", "success_url"),
    ({"success_url": "javascript:alert(1)"}, "url_invalid", "success_url"),
    ({"success_url": "https://[broken"}, "url_invalid", "success_url"),
    ({"cancel_url": ""}, "parameter_invalid_empty", "cancel_url"),
    ({"mode": None}, "parameter_missing", "mode"),
    ({"mode": "gift"}, None, "mode"),
    ({"customer_email": "anna"}, "email_invalid", "customer_email"),
    ({"expires_at": 1}, None, "expires_at"),
    ({"expires_at": 10**10}, None, "expires_at"),
    ({"expires_at": "tomorrow"}, "parameter_invalid_integer", "expires_at"),
    ({"locale": "<b>"}, None, "locale"),
    ({"colour": "red"}, "parameter_unknown", "colour"),
    ({"payment_intent_data": {"colour": "red"}}, "parameter_unknown", "payment_intent_data[colour]"),
    ({"metadata": {"k": "v" * 501}}, "parameter_invalid_string", "metadata[k]"),
    ({"client_reference_id": "x" * 201}, "parameter_invalid_string", "client_reference_id"),
    ({"expand": ["customer"]}, None, "expand"),
]
BAD_LINES: list[tuple[dict[str, Any], dict[str, Any], str | None, str | None]] = [
    ({"quantity": None}, {}, "parameter_missing", "line_items[0][quantity]"),
    ({"quantity": 0}, {}, "parameter_invalid_integer", "line_items[0][quantity]"),
    ({"quantity": 10**9}, {}, "parameter_invalid_integer", "line_items[0][quantity]"),
    ({}, {"unit_amount": "9.90"}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
    ({}, {"unit_amount": -1}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
    ({}, {"unit_amount": None}, "parameter_missing", "line_items[0][price_data][unit_amount]"),
    ({}, {"currency": "xxx"}, None, "line_items[0][price_data][currency]"),
    ({}, {"currency": None}, "parameter_missing", "line_items[0][price_data][currency]"),
    ({}, {"product_data": {}}, "parameter_missing", "line_items[0][price_data][product_data][name]"),
    ({"colour": "red"}, {}, "parameter_unknown", "line_items[0][colour]"),
    ({"quantity": 1}, {"unit_amount": 49}, "amount_too_small", None),
    ({"quantity": 999_999}, {"unit_amount": 99_999_999}, "amount_too_large", None),
]


@pytest.mark.parametrize(("changes", "code", "param"), BAD_FIELDS)
def test_a_bad_field_is_named(
    sdk: stripe.StripeClient, changes: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sdk.v1.checkout.sessions.create(session_fields(**changes))  # type: ignore[arg-type]  # wrong on purpose
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize(("line", "price", "code", "param"), BAD_LINES)
def test_a_bad_line_is_named(
    sdk: stripe.StripeClient, line: dict[str, Any], price: dict[str, Any], code: str | None, param: str | None
) -> None:
    fields = session_fields()
    fields["line_items"][0] |= line
    fields["line_items"][0]["price_data"] |= price
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sdk.v1.checkout.sessions.create(fields)  # type: ignore[arg-type]  # wrong on purpose
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


def test_lines_in_two_currencies_are_refused(sdk: stripe.StripeClient) -> None:
    fields = session_fields()
    other = {"price_data": fields["line_items"][0]["price_data"] | {"currency": "usd"}, "quantity": 1}
    fields["line_items"].append(other)
    with pytest.raises(stripe.InvalidRequestError, match="same currency"):
        sdk.v1.checkout.sessions.create(fields)  # type: ignore[arg-type]  # a plain dict


def test_what_is_not_there_is_a_404(sdk: stripe.StripeClient) -> None:
    for ask, param in (
        (sdk.v1.checkout.sessions.retrieve, "session"),
        (sdk.v1.checkout.sessions.expire, "session"),
        (sdk.v1.payment_intents.retrieve, "intent"),
        (sdk.v1.charges.retrieve, "charge"),
        (sdk.v1.refunds.retrieve, "id"),
        (sdk.v1.events.retrieve, "id"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            ask("nothing")
        assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", param)


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer sk_test_wrong", "Basic !!!", "Basic c2tfdGVzdDo=", "Bearer ÿ"]
)
def test_only_the_right_key_gets_in(standin: StandIn, authorization: str) -> None:
    answer = pool.request("GET", f"{standin.url}/v1/account", headers={"Authorization": authorization})
    assert answer.status == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert standin.key not in answer.data.decode()


def test_the_sdk_sees_a_wrong_key_as_such(standin: StandIn) -> None:
    client = stripe.StripeClient("sk_test_wrong", base_addresses={"api": standin.url})
    with pytest.raises(stripe.AuthenticationError):
        client.v1.balance.retrieve()


def test_an_unknown_address_or_method_is_said_so(standin: StandIn) -> None:
    headers = {"Authorization": f"Bearer {standin.key}", "Stripe-Version": "1999-01-01"}
    for method, path in (("GET", "/v1/subscriptions"), ("DELETE", "/v1/refunds"), ("POST", "/v1/account")):
        answer = pool.request(method, standin.url + path, headers=headers)
        assert answer.status == 404
        assert answer.json()["error"]["message"] == f"Unrecognized request URL ({method}: {path})."


def test_a_body_that_is_no_form_is_refused(standin: StandIn) -> None:
    headers = {"Authorization": f"Bearer {standin.key}", "Content-Type": "application/json"}
    answer = pool.request("POST", f"{standin.url}/v1/refunds", body=b"{}", headers=headers)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = pool.request("POST", f"{standin.url}/v1/refunds", body=b"a=" + b"x" * 1_100_000, headers=headers)
    assert answer.status == 400


def test_lists_come_in_pages_newest_first(sdk: stripe.StripeClient, payer: StripePayer) -> None:
    made = [payer.open_checkout(order()) for _ in range(5)]
    ids = [checkout.id for checkout in reversed(made)]
    first = sdk.v1.checkout.sessions.list({"limit": 2})
    assert ([session.id for session in first.data], first.has_more) == (ids[:2], True)
    second = sdk.v1.checkout.sessions.list({"limit": 2, "starting_after": ids[1]})
    assert [session.id for session in second.data] == ids[2:4]
    since = sdk.v1.checkout.sessions.retrieve(made[0].id).created
    everything = sdk.v1.checkout.sessions.list({"limit": 2, "created": {"gte": since}, "status": "open"})
    assert [session.id for session in everything.auto_paging_iter()][:5] == ids
    nothing = sdk.v1.checkout.sessions.list({"created": {"gt": since + 3600}})
    assert ([*nothing.data], nothing.has_more) == ([], False)
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": "cs_nothing"}, {"status": "lost"}, {"page": 2}):
        with pytest.raises(stripe.InvalidRequestError):
            sdk.v1.checkout.sessions.list(wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_payment_is_found_with_its_charge(sdk: stripe.StripeClient, payer: StripePayer) -> None:
    opened = payer.open_checkout(order(reference="S-CHARGE"))
    assert submit(opened.url).status == 303
    session = sdk.v1.checkout.sessions.retrieve(opened.id, {"expand": ["payment_intent.latest_charge"]}).to_dict()
    intent = session["payment_intent"]
    assert (session["status"], session["payment_status"], session["url"]) == ("complete", "paid", None)
    assert session["customer_details"]["name"] == "Anna Weiß"
    assert (intent["status"], intent["amount"], intent["amount_received"]) == ("succeeded", 2470, 2470)
    assert intent["metadata"] == {"reference": "S-CHARGE"}
    charge = intent["latest_charge"]
    assert (charge["paid"], charge["amount"], charge["refunded"]) == (True, 2470, False)
    assert charge["payment_method_details"]["card"] == {"brand": "visa", "last4": "4242"}
    assert sdk.v1.charges.retrieve(charge["id"]).to_dict() == charge
    plain = sdk.v1.payment_intents.retrieve(intent["id"])
    assert plain.latest_charge == charge["id"]
    found = sdk.v1.checkout.sessions.list({"payment_intent": intent["id"]})
    assert [one.id for one in found.data] == [opened.id]


def test_refunds_go_up_to_what_was_taken(sdk: stripe.StripeClient, payer: StripePayer) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url)
    intent = payer.checkout(opened.id).payment_intent
    assert intent is not None
    part = sdk.v1.refunds.create({"payment_intent": intent, "amount": 1000, "metadata": {"why": "one disc"}})
    assert (part.status, part.amount, part.currency) == ("succeeded", 1000, "eur")
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as caught:
        sdk.v1.refunds.create({"payment_intent": intent, "amount": 1471})
    assert caught.value.param == "amount"
    charge = part.charge
    assert isinstance(charge, str)
    rest = sdk.v1.refunds.create({"charge": charge})
    assert rest.amount == 1470
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sdk.v1.refunds.create({"payment_intent": intent})
    assert caught.value.code == "charge_already_refunded"
    assert sdk.v1.charges.retrieve(charge).refunded is True
    assert [one.id for one in sdk.v1.refunds.list({"payment_intent": intent}).data] == [rest.id, part.id]
    assert sdk.v1.refunds.retrieve(part.id).to_dict() == part.to_dict()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"payment_intent": "pi_1", "charge": "ch_1"},
        {"payment_intent": "pi_nothing"},
        {"payment_intent": "pi_1", "amount": 0},
    ],
)
def test_a_refund_of_nothing_is_refused(sdk: stripe.StripeClient, fields: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.refunds.create(fields)  # type: ignore[arg-type]  # wrong on purpose


def test_an_unpaid_payment_is_not_refunded(sdk: stripe.StripeClient, payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    assert submit(opened.url, "4000000000000002").status == 402
    intent = payer.checkout(opened.id).payment_intent
    assert intent is not None
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        sdk.v1.refunds.create({"payment_intent": intent})


def test_expiring_closes_an_open_session_once(sdk: stripe.StripeClient, payer: StripePayer) -> None:
    opened = payer.open_checkout(order())
    assert sdk.v1.checkout.sessions.expire(opened.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        sdk.v1.checkout.sessions.expire(opened.id)


def test_events_are_listed_and_found(sdk: stripe.StripeClient, payer: StripePayer) -> None:
    opened = payer.open_checkout(order())
    sdk.v1.checkout.sessions.expire(opened.id)
    newest = sdk.v1.events.list({"type": "checkout.session.expired", "limit": 1}).data[0]
    assert newest.data.object["id"] == opened.id
    assert sdk.v1.events.retrieve(newest.id).data.object["id"] == opened.id
    assert sdk.v1.events.list({"type": "checkout.session.*", "limit": 1}).data[0].id == newest.id
    assert sdk.v1.events.list({"type": "no.such"}).data == []


def test_the_account_and_the_balance_are_there(sdk: stripe.StripeClient, payer: StripePayer) -> None:
    assert sdk.v1.accounts.retrieve_current().charges_enabled is True
    before = sum(money.amount for money in sdk.v1.balance.retrieve().available)
    submit(payer.open_checkout(order()).url)
    assert sum(money.amount for money in sdk.v1.balance.retrieve().available) == before + 2470


def test_the_front_door_says_what_this_is(standin: StandIn) -> None:
    assert "A stand-in for Stripe" in get(standin.url).data.decode()
    assert get(f"{standin.url}/nowhere").status == 404
    assert pool.request("GET", standin.url, headers={"Host": "evil.example"}).status == 400
