from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storefront.pricing import (
    EXPONENTS,
    MAX_AMOUNT,
    exponent,
    format_amount,
    format_plain,
    included_tax,
    parse_amount,
    price_line,
)

currencies = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("9.90", "EUR", 990), ("9,9", "EUR", 990), ("9", "EUR", 900), ("0.01", "EUR", 1), (" 12 ", "JPY", 12)],
)
def test_amounts_are_read_as_people_write_them(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize("text", ["", "-1", "9.999", "1e3", "€9", "9.90.1", "٩", "1,000.00", "99999999", "nan"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an amount|more"):
        parse_amount(text, "EUR")


def test_an_unknown_currency_is_refused_not_guessed() -> None:
    with pytest.raises(ValueError, match="XXX"):
        exponent("XXX")


@given(st.integers(0, MAX_AMOUNT), currencies)
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    assert parse_amount(format_plain(minor, currency), currency) == minor


def test_amounts_are_written_for_people() -> None:
    assert format_amount(123456, "EUR") == "€1,234.56"
    assert format_amount(1200, "JPY") == "¥1,200"
    assert format_amount(990, "CHF") == "9.90 CHF"
    assert format_amount(-990, "EUR") == "−€9.90"


@given(st.integers(0, MAX_AMOUNT), st.integers(0, 300))
def test_tax_in_an_amount_is_rounded_half_up(gross: int, permille: int) -> None:
    exact = Decimal(gross) * permille / (1000 + permille)
    assert included_tax(gross, permille) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def test_a_line_is_priced_and_taxed_as_a_whole() -> None:
    line = price_line(990, 3, 190)
    assert (line.total, line.tax) == (2970, 474)
