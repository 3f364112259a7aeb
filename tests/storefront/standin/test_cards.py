"""What the bank says of each test number, and what is wrong with a form."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storefront.standin.cards import TEST_CARDS, Card, Decline, passes_luhn, read_card
from storefront.standin.money import shown

TODAY = date(2026, 11, 20)


def read(number: str = "4242424242424242", expiry: str = "12/30", cvc: str = "123") -> Card | dict[str, str]:
    return read_card(number, expiry, cvc, TODAY)  # type: ignore[return-value]  # Errors is a dict of a narrower key


@pytest.mark.parametrize(
    ("number", "code", "decline_code", "field"),
    [
        ("4000000000000002", "card_declined", "generic_decline", "number"),
        ("4000000000009995", "card_declined", "insufficient_funds", "number"),
        ("4000000000000069", "expired_card", "expired_card", "expiry"),
        ("4000000000000127", "incorrect_cvc", None, "cvc"),
        ("4000000000000119", "processing_error", None, "number"),
        ("4000000000000341", "card_declined", "generic_decline", "number"),
    ],
)
def test_declining_numbers_decline(number: str, code: str, decline_code: str | None, field: str) -> None:
    card = read(number)
    assert isinstance(card, Card)
    assert isinstance(card.decline, Decline)
    assert (card.decline.code, card.decline.decline_code, card.decline.field) == (code, decline_code, field)


@pytest.mark.parametrize(
    ("number", "brand"),
    [("4242 4242 4242 4242", "visa"), ("5555-5555-5555-4444", "mastercard"), ("4000056655665556", "visa")],
)
def test_good_numbers_keep_brand_and_last_four_only(number: str, brand: str) -> None:
    assert read(number) == Card(brand, number[-4:], (2030, 12))


def test_an_amex_has_a_code_of_four_digits() -> None:
    assert read("378282246310005", cvc="1234") == Card("amex", "0005", (2030, 12))
    assert read("378282246310005", cvc="123") == {"cvc": "The security code has 4 digits."}


def test_the_card_of_3d_secure_asks_for_authentication() -> None:
    assert read("4000002500003155") == Card("visa", "3155", (2030, 12), authenticate=True)


@pytest.mark.parametrize("number", ["", "4242", "4242424242424241", "4242abcd42424242", "4" * 30, "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"])
def test_a_number_that_is_none_is_an_error_of_its_field(number: str) -> None:
    errors = read(number)
    assert isinstance(errors, dict)
    assert set(errors) == {"number"}


def test_a_card_that_is_no_test_card_is_refused() -> None:
    assert passes_luhn("4111111111111111")
    errors = read("4111111111111111")
    assert isinstance(errors, dict)
    assert errors["number"].startswith("Only Stripe's test numbers work here")


@pytest.mark.parametrize("expiry", ["11/26", "1126", "11 / 2026", "11-26", "12/76"])
def test_an_expiry_date_is_good_until_the_end_of_its_month(expiry: str) -> None:
    assert isinstance(read(expiry=expiry), Card)


@pytest.mark.parametrize("expiry", ["", "10/26", "13/30", "00/30", "12/77", "1/1/30", "abc", "12/1926"])
def test_an_expiry_date_that_is_past_or_none_is_an_error(expiry: str) -> None:
    errors = read(expiry=expiry)
    assert isinstance(errors, dict)
    assert set(errors) == {"expiry"}


def test_all_errors_come_at_once() -> None:
    errors = read("", "", "")
    assert isinstance(errors, dict)
    assert set(errors) == {"number", "expiry", "cvc"}


@given(st.text(max_size=25), st.text(max_size=10), st.text(max_size=6))
def test_any_text_is_read_or_refused_without_being_repeated(number: str, expiry: str, cvc: str) -> None:
    read(number, expiry, cvc)


@given(st.integers(10**14, 10**15 - 1), st.integers(0, 14), st.integers(1, 9))
def test_luhn_notices_every_single_wrong_digit(payload: int, place: int, shift: int) -> None:
    digits = next(f"{payload}{check}" for check in range(10) if passes_luhn(f"{payload}{check}"))
    wrong = str((int(digits[place]) + shift) % 10)
    assert not passes_luhn(digits[:place] + wrong + digits[place + 1 :])


def test_every_test_card_passes_its_own_check() -> None:
    assert all(passes_luhn(card.number) for card in TEST_CARDS)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (990, "eur", "€9.90"),
        (5, "usd", "$0.05"),
        (123456, "gbp", "£1,234.56"),
        (1980, "jpy", "¥1,980"),
        (990, "chf", "9.90 CHF"),
    ],
)
def test_amounts_are_shown_with_their_own_decimals(amount: int, currency: str, text: str) -> None:
    assert shown(amount, currency) == text
