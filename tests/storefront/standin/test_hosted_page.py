"""The hosted page, as a customer's browser speaks to it: by forms and redirects, without JavaScript."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storefront.payer import CheckoutLine, CheckoutStatus
from storefront.standin.cards import IBAN_THAT_FAILS, IBAN_THAT_PAYS, TEST_CARDS, Decline
from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import get, order, payer_for, post, sdk_for, session_fields, submit
from tests.storefront.standin.running import StandIn, await_until, running_standin

AUTHENTICATED = "4000002500003155"


def charges_of(standin: StandIn, session_id: str, status: str = "succeeded") -> int:
    return len(
        standin.rows(
            "SELECT charges.id FROM charges JOIN payment_intents ON payment_intents.id = charges.payment_intent"
            " WHERE payment_intents.session = ? AND charges.status = ?",
            session_id,
            status,
        )
    )


def kinds_of(standin: StandIn, object_ids: set[str]) -> list[str]:
    rows = standin.rows("SELECT type, object_id FROM events ORDER BY seq")
    return [row["type"] for row in rows if row["object_id"] in object_ids]


def test_the_page_shows_what_is_to_be_paid(payer: StripePayer) -> None:
    page = get(payer.open_checkout(order(reference="S-PAGE")).url)
    text = page.data.decode()
    assert page.status == 200
    for part in ("Test payment – stand-in", "Pay Spindle", "Winterreise (CD)", "2 × €9.90", "€19.80", "€24.70"):
        assert part in text
    assert "anna@example.org" in text
    assert "S-PAGE" in text
    assert 'href="http://127.0.0.1:8000/checkout"' in text
    assert "<script" not in text
    assert page.headers["Cache-Control"] == "no-store"
    assert "form-action 'self' http://127.0.0.1:8000" in page.headers["Content-Security-Policy"]


def test_what_the_merchant_writes_is_shown_as_text(payer: StripePayer) -> None:
    lines = (CheckoutLine("<img src=x onerror=alert(1)>", 990, 1),)
    text = get(payer.open_checkout(order(lines=lines)).url).data.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<img" not in text


@pytest.mark.parametrize("number", ["4242424242424242", "5555 5555 5555 4444"])
def test_a_good_card_pays_and_leads_back(payer: StripePayer, standin: StandIn, number: str) -> None:
    opened = payer.open_checkout(order())
    answer = submit(opened.url, number)
    assert (answer.status, answer.headers["Location"]) == (303, f"http://127.0.0.1:8000/paid?session={opened.id}")
    checkout = payer.checkout(opened.id)
    assert (checkout.status, checkout.paid, checkout.amount) == (CheckoutStatus.COMPLETE, True, 2470)
    assert charges_of(standin, opened.id) == 1
    assert kinds_of(standin, {opened.id, str(checkout.payment_intent)}) == [
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


@pytest.mark.parametrize(("number", "decline"), [(card.number, card.decline) for card in TEST_CARDS if card.decline])
def test_a_declined_card_stays_on_the_page_and_may_be_followed_by_a_good_one(
    payer: StripePayer, standin: StandIn, number: str, decline: Decline
) -> None:
    opened = payer.open_checkout(order())
    answer = submit(opened.url, number)
    text = answer.data.decode()
    assert answer.status == 402
    assert decline.message.replace("'", "&#x27;") in text
    assert re.search(rf'<input id="{decline.field}"[^>]*aria-invalid="true"', text)
    assert f'id="{decline.field}-error"' in text
    assert number not in re.sub(r"\s", "", re.sub(r"<details>.*?</details>", "", text, flags=re.S))
    assert 'value="Anna Weiß"' in text
    checkout = payer.checkout(opened.id)
    assert (checkout.status, checkout.paid) == (CheckoutStatus.OPEN, False)
    assert charges_of(standin, opened.id) == 0
    assert charges_of(standin, opened.id, "failed") == 1
    intent = standin.rows("SELECT * FROM payment_intents WHERE session = ?", opened.id)[0]
    assert intent["status"] == "requires_payment_method"
    assert json.loads(intent["error"])["code"] == decline.code
    assert kinds_of(standin, {opened.id, intent["id"]}) == ["payment_intent.payment_failed"]
    assert submit(opened.url).status == 303
    assert payer.checkout(opened.id).payment_intent == intent["id"]
    assert charges_of(standin, opened.id) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "4242 4242 4242 4241"),
        ("number", "4111111111111111"),
        ("number", ""),
        ("expiry", "01/20"),
        ("expiry", "20/40"),
        ("cvc", "12"),
        ("name", " "),
        ("name", "x" * 121),
    ],
)
def test_a_bad_field_is_marked_and_nothing_happens(
    payer: StripePayer, standin: StandIn, field: str, value: str
) -> None:
    opened = payer.open_checkout(order())
    answer = submit(opened.url, **{field: value})
    text = answer.data.decode()
    assert answer.status == 400
    assert re.findall(r'<input id="(\w+)"[^>]*aria-invalid="true"', text) == [field]
    assert f'aria-describedby="{field}-error"' in text
    assert "<title>Error: " in text
    if field == "number" and value:
        assert value not in text
    assert standin.rows("SELECT id FROM payment_intents WHERE session = ?", opened.id) == []


def test_without_an_email_from_the_merchant_the_page_asks_for_one(
    sdk_session: tuple[str, str], standin: StandIn
) -> None:
    session_id, url = sdk_session
    assert 'name="email"' in get(url).data.decode()
    assert submit(url, email="nobody").status == 400
    assert submit(url, email="bert@example.org").status == 303
    assert standin.rows("SELECT email FROM sessions WHERE id = ?", session_id) == [{"email": "bert@example.org"}]


@pytest.fixture
def sdk_session(standin: StandIn) -> tuple[str, str]:
    """A session without e-mail address and way back."""

    session = sdk_for(standin).v1.checkout.sessions.create(session_fields())  # type: ignore[arg-type]  # a plain dict
    return session.id, str(session.url)


def test_twenty_clicks_at_once_charge_once(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: submit(opened.url), range(20)))
    target = f"http://127.0.0.1:8000/paid?session={opened.id}"
    assert {(answer.status, answer.headers["Location"]) for answer in answers} == {(303, target)}
    assert charges_of(standin, opened.id) == 1
    assert kinds_of(standin, {opened.id}) == ["checkout.session.completed"]


def test_a_paid_page_says_so_and_takes_no_more(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url)
    page = get(opened.url)
    assert page.status == 200
    assert "This payment is complete" in page.data.decode()
    assert f"http://127.0.0.1:8000/paid?session={opened.id}" in page.data.decode()
    assert submit(opened.url, "4000000000000002").status == 303
    assert charges_of(standin, opened.id, "failed") == 0


def test_an_expired_page_says_so_and_takes_nothing(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    payer.expire_checkout(opened.id)
    for answer in (get(opened.url), submit(opened.url)):
        assert answer.status == 410
        assert "This payment page has expired" in answer.data.decode()
    assert charges_of(standin, opened.id) == 0
    assert kinds_of(standin, {opened.id}) == ["checkout.session.expired"]


def test_a_session_expires_by_itself(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    standin.change("UPDATE sessions SET expires_at = created WHERE id = ?", opened.id)
    assert submit(opened.url).status == 410  # even before the expiry was noted
    await_until(lambda: payer.checkout(opened.id).status is CheckoutStatus.EXPIRED)
    assert kinds_of(standin, {opened.id}) == ["checkout.session.expired"]


def test_an_unknown_page_is_a_404(standin: StandIn) -> None:
    for path in ("cs_nothing", "cs_nothing/authenticate", "cs_nothing/bank"):
        page = get(f"{standin.url}/c/pay/{path}")
        assert page.status == 404
        assert "no payment page" in page.data.decode()


def test_3d_secure_pays_after_authentication(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    answer = submit(opened.url, AUTHENTICATED)
    assert (answer.status, answer.headers["Location"]) == (303, f"/c/pay/{opened.id}/authenticate")
    bank = f"{opened.url}/authenticate"
    assert "Complete authentication" in get(bank).data.decode()
    assert not payer.checkout(opened.id).paid
    assert charges_of(standin, opened.id) == 0
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post(bank, {"answer": "complete"}), range(8)))
    target = f"http://127.0.0.1:8000/paid?session={opened.id}"
    assert {(answer.status, answer.headers["Location"]) for answer in answers} == {(303, target)}
    assert payer.checkout(opened.id).paid
    assert charges_of(standin, opened.id) == 1


def test_3d_secure_that_fails_leads_back_to_the_form(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url, AUTHENTICATED)
    answer = post(f"{opened.url}/authenticate", {"answer": "fail"})
    assert answer.status == 402
    assert "authenticate this payment" in answer.data.decode()
    assert f'action="/c/pay/{opened.id}"' in answer.data.decode()
    # Authenticating later, without a new try, takes nothing.
    assert post(f"{opened.url}/authenticate", {"answer": "complete"}).status == 402
    assert charges_of(standin, opened.id) == 0
    assert submit(opened.url).status == 303


def test_another_tab_paid_while_the_bank_was_asking(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url, AUTHENTICATED)
    submit(opened.url)
    assert post(f"{opened.url}/authenticate", {"answer": "complete"}).status == 303
    assert charges_of(standin, opened.id) == 1


def test_the_session_expired_while_the_bank_was_asking(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    submit(opened.url, AUTHENTICATED)
    payer.expire_checkout(opened.id)
    assert post(f"{opened.url}/authenticate", {"answer": "complete"}).status == 410
    assert charges_of(standin, opened.id) == 0


BANK = {"bank_name": "Anna Weiß"}


def test_a_bank_debit_completes_unpaid_and_is_paid_later(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    assert post(f"{opened.url}/bank", BANK | {"iban": IBAN_THAT_PAYS}).status == 303
    await_until(lambda: payer.checkout(opened.id).paid)
    intent = payer.checkout(opened.id).payment_intent
    assert kinds_of(standin, {opened.id, str(intent)}) == [
        "checkout.session.completed",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]
    first = standin.rows("SELECT body FROM events WHERE object_id = ? ORDER BY seq", opened.id)[0]
    assert json.loads(first["body"])["data"]["object"]["payment_status"] == "unpaid"
    assert charges_of(standin, opened.id) == 1


def test_a_bank_debit_may_fail_later(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    post(f"{opened.url}/bank", BANK | {"iban": IBAN_THAT_FAILS.lower()})
    await_until(lambda: "checkout.session.async_payment_failed" in kinds_of(standin, {opened.id}))
    checkout = payer.checkout(opened.id)
    assert (checkout.status, checkout.paid) == (CheckoutStatus.COMPLETE, False)
    assert charges_of(standin, opened.id) == 0


def test_a_real_account_number_is_refused_and_not_repeated(payer: StripePayer, standin: StandIn) -> None:
    opened = payer.open_checkout(order())
    answer = post(f"{opened.url}/bank", BANK | {"iban": "GB29NWBK60161331926819"})
    assert answer.status == 400
    assert "GB29" not in answer.data.decode()
    assert re.findall(r'<input id="(\w+)"[^>]*aria-invalid="true"', answer.data.decode()) == ["iban"]
    assert charges_of(standin, opened.id, "pending") == 0


def test_bank_debit_is_offered_only_when_asked_for(tmp_path: Path) -> None:
    with running_standin(tmp_path) as standin:
        opened = payer_for(standin).open_checkout(order())
        assert "Bank debit" not in get(opened.url).data.decode()
        assert post(f"{opened.url}/bank", BANK | {"iban": IBAN_THAT_PAYS}).status == 404
