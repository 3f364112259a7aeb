"""The payer's gateway against a real stand-in process: what it sends, what it understands, and how it fails."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import stripe
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from storefront.payer import (
    BadSignature,
    CheckoutLine,
    CheckoutStatus,
    Payer,
    PayerRefused,
    PayerUnreachable,
    payer,
)
from storefront.standin.webhooks import signature
from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import order, payer_for, submit
from tests.storefront.standin.running import StandIn, running_standin


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running_standin(tmp_path_factory.mktemp("payer")) as standin:
        yield standin


@pytest.fixture
def till(standin: StandIn) -> StripePayer:
    return payer_for(standin)


def test_a_checkout_says_what_it_is(till: StripePayer) -> None:
    wanted = order(expires_at=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    opened = till.open_checkout(wanted)
    assert (opened.status, opened.paid, opened.livemode) == (CheckoutStatus.OPEN, False, False)
    assert (opened.amount, opened.currency, opened.reference) == (2470, "EUR", wanted.reference)
    assert opened.payment_intent is None
    assert till.checkout(opened.id) == opened


def test_a_paid_checkout_has_a_payment(till: StripePayer) -> None:
    opened = till.open_checkout(order())
    submit(opened.url)
    paid = till.checkout(opened.id)
    assert (paid.status, paid.paid, paid.url) == (CheckoutStatus.COMPLETE, True, None)
    assert str(paid.payment_intent).startswith("pi_")


def test_the_same_key_gives_the_same_checkout(till: StripePayer) -> None:
    wanted = order()
    assert till.open_checkout(wanted) == till.open_checkout(wanted)
    with pytest.raises(PayerRefused, match="same parameters"):
        till.open_checkout(order(key=wanted.key))


def test_expiring_says_how_it_ended(till: StripePayer) -> None:
    opened = till.open_checkout(order())
    assert till.expire_checkout(opened.id).status is CheckoutStatus.EXPIRED
    assert till.expire_checkout(opened.id).status is CheckoutStatus.EXPIRED
    paid = till.open_checkout(order())
    submit(paid.url)
    assert till.expire_checkout(paid.id).paid
    with pytest.raises(PayerRefused, match=r"No such checkout\.session"):
        till.expire_checkout("cs_nothing")


def test_checkouts_are_found_again_beyond_one_page(till: StripePayer, standin: StandIn) -> None:
    since = datetime.now(UTC) - timedelta(seconds=2)
    made = [till.open_checkout(order()).id for _ in range(3)]
    standin.change(
        "INSERT INTO sessions (id, created, expires_at, status, payment_status, amount_total, currency, asked)"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)"
        " SELECT 'cs_copy_' || i, created, expires_at, 'open', payment_status, amount_total, currency, asked"
        " FROM n, sessions WHERE id = ?",
        made[0],
    )
    found = [checkout.id for checkout in till.checkouts_since(since)]
    assert found[:150] == [f"cs_copy_{number}" for number in range(150, 0, -1)]
    assert found[150:153] == made[::-1]
    assert list(till.checkouts_since(datetime.now(UTC) + timedelta(hours=1))) == []


def test_a_refund_goes_back_once_per_key(till: StripePayer) -> None:
    opened = till.open_checkout(order())
    submit(opened.url)
    intent = str(till.checkout(opened.id).payment_intent)
    first = till.refund(intent, 470, f"refund-{intent}")
    assert (first.amount, first.currency, first.payment_intent) == (470, "EUR", intent)
    assert till.refund(intent, 470, f"refund-{intent}") == first
    with pytest.raises(PayerRefused, match="greater than unrefunded amount"):
        till.refund(intent, 2001, f"refund-more-{intent}")
    assert till.refund(intent, 2000, f"refund-rest-{intent}").amount == 2000


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"lines": ()}, "line_items"),
        ({"lines": (CheckoutLine("Disc", 990, 0),)}, r"line_items\[0\]\[quantity\]"),
        ({"lines": (CheckoutLine("Disc", 1, 1),)}, "at least €0.50"),
        ({"currency": "XXX"}, "currency"),
        ({"email": "nobody"}, "customer_email"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expires_at"),
    ],
)
def test_what_the_payer_refuses_is_named(till: StripePayer, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(PayerRefused, match=text):
        till.open_checkout(order(**changes))


def test_a_wrong_key_names_the_setting(standin: StandIn) -> None:
    wrong = StripePayer(secret_key="sk_test_wrong", api_base=standin.url)
    with pytest.raises(PayerRefused, match="STRIPE_SECRET_KEY"):
        wrong.checkout("cs_1")


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lonely = StripePayer(secret_key="sk_test_x", api_base=f"http://127.0.0.1:{port}")
    with pytest.raises(PayerUnreachable, match="did not answer"):
        lonely.open_checkout(order())


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>proxy</html>"), (200, b"{}"), (200, b'{"id": "cs_1", "status": "odd"}'), (502, b"Bad gateway"),
     (500, b'{"error": {"type": "api_error", "message": "broken"}}'), (429, b'{"error": {"message": "slow down"}}')],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_leaves_the_result_unknown(status: int, body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Stripe-Should-Retry", "false")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        odd = StripePayer(secret_key="sk_test_x", api_base=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(PayerUnreachable):
            odd.checkout("cs_1")
        thread.join()


def test_a_proxy_of_the_environment_does_not_get_requests_to_this_machine(
    till: StripePayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert till.open_checkout(order()).status is CheckoutStatus.OPEN


@pytest.mark.parametrize(
    ("key", "base"),
    [
        ("sk_test_x", "http://api.stripe.example"),
        ("sk_test_x", "http://10.0.0.1:8010"),
        ("sk_live_x", "http://127.0.0.1:8010"),
        ("sk_test_x", "ftp://127.0.0.1"),
        ("sk_test_x", ""),
    ],
)
def test_plain_http_is_for_a_stand_in_on_this_machine_only(key: str, base: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="STRIPE_API_BASE"):
        StripePayer(secret_key=key, api_base=base)


def test_the_settings_name_the_payer(settings: Settings, standin: StandIn) -> None:
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = standin.url, standin.key
    named = payer()
    assert isinstance(named, StripePayer)
    assert isinstance(named, Payer)
    assert named.open_checkout(order()).status is CheckoutStatus.OPEN
    settings.SPINDLE_PAYER = "collections.OrderedDict"
    with pytest.raises(ImproperlyConfigured, match="SPINDLE_PAYER"):
        payer()


# --- Webhooks -------------------------------------------------------------------------------------

EVENT = {
    "id": "evt_1",
    "object": "event",
    "api_version": "2026-10-28.endive",
    "created": 1_700_000_000,
    "livemode": False,
    "type": "checkout.session.completed",
    "data": {
        "object": {
            "id": "cs_1",
            "object": "checkout.session",
            "payment_intent": {"id": "pi_1", "object": "payment_intent"},
            "client_reference_id": None,
            "metadata": {"reference": "S-META"},
        }
    },
}
BODY = json.dumps(EVENT).encode()
HOOKED = ("whsec_new", "whsec_old")


def hooked(secrets: tuple[str, ...] = HOOKED) -> StripePayer:
    return StripePayer(secret_key="sk_test_x", api_base="http://127.0.0.1:9", webhook_secrets=secrets)


def signed(secret: str = HOOKED[0], body: bytes = BODY, age: int = 0) -> str:
    return signature(body, secret, int(time.time()) - age)


@pytest.mark.parametrize("secret", HOOKED)
def test_each_secret_of_a_rotation_is_good(secret: str) -> None:
    event = hooked().verified_event(BODY, signed(secret))
    assert (event.id, event.kind, event.livemode) == ("evt_1", "checkout.session.completed", False)
    assert (event.checkout_id, event.payment_intent, event.api_version) == ("cs_1", "pi_1", "2026-10-28.endive")


def test_an_event_about_something_else_names_no_checkout() -> None:
    body = json.dumps(EVENT | {"type": "payout.paid", "data": {"object": {"id": "po_1", "object": "payout"}}}).encode()
    event = hooked().verified_event(body, signed(body=body))
    assert (event.checkout_id, event.payment_intent) == (None, None)


@pytest.mark.parametrize("header", [None, "", "t=1,v1=ÿ", "nonsense", f"t={'9' * 5000},v1=00"])
def test_a_header_that_is_no_signature_is_refused(header: str | None) -> None:
    with pytest.raises(BadSignature):
        hooked().verified_event(BODY, header)


@pytest.mark.parametrize(("secret", "age"), [("whsec_other", 0), (HOOKED[0], 400)])
def test_another_secret_or_an_old_signature_is_refused(secret: str, age: int) -> None:
    with pytest.raises(BadSignature, match="not verified"):
        hooked().verified_event(BODY, signed(secret, age=age))


@pytest.mark.parametrize("body", [BODY + b" ", json.dumps(EVENT, indent=1).encode(), b""])
def test_a_body_that_was_changed_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature, match="not verified"):
        hooked().verified_event(body, signed())


@pytest.mark.parametrize(
    "body", [b"\xff", b"not json", b"[]", b"7", b"{}", b'{"object": "v2.core.event"}', b'{"id": []}']
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature):
        hooked().verified_event(body, signed(body=body))


def test_without_secrets_nothing_is_verified() -> None:
    with pytest.raises(BadSignature, match="STRIPE_WEBHOOK_SECRETS is empty"):
        hooked(()).verified_event(BODY, signed())


def test_the_sdks_module_keeps_no_key_of_ours(till: StripePayer) -> None:
    till.open_checkout(order())
    assert (stripe.api_key, stripe.default_http_client) == (None, None)
    assert re.fullmatch(r"https://api\.stripe\.com", stripe.api_base)
