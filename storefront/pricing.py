"""Money: integer minor units, and text to and from people. Pure; knows no order, no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Currencies the shop may be run in, with their exponents (ISO 4217). Another one is refused, not guessed.
EXPONENTS: Final = {"EUR": 2, "GBP": 2, "USD": 2, "CHF": 2, "SEK": 2, "PLN": 2, "CZK": 2, "JPY": 0}
SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}

MAX_AMOUNT: Final = 99_999_999  # Stripe's largest amount, in minor units
AMOUNT = re.compile(r"(?P<whole>[0-9]{1,9})(?:[.,](?P<part>[0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class LinePrice:
    """One order line: what it costs, and the tax inside that amount; minor units."""

    total: int
    tax: int


def exponent(currency: str) -> int:
    """How many digits follow the decimal point. Raises ValueError for a currency the shop can't be run in."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"Currency {currency!r} is unknown; use one of {', '.join(EXPONENTS)}.") from None


def parse_amount(text: str, currency: str) -> int:
    """«9.90» or «9,90» as minor units. Raises ValueError that says what is wrong with the text."""
    digits = exponent(currency)
    match = AMOUNT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not an amount; write it like {format_plain(990, currency)}.")
    part = match["part"] or ""
    if len(part) > digits:
        raise ValueError(f"{text!r} has more decimals than {currency} has ({digits}).")
    amount = int(match["whole"]) * int(10**digits) + int(part.ljust(digits, "0") or "0")
    if amount > MAX_AMOUNT:
        raise ValueError(f"{text!r} is more than {format_plain(MAX_AMOUNT, currency)} {currency}.")
    return amount


def format_plain(minor: int, currency: str) -> str:
    """«9.90»: what `parse_amount` takes back."""
    digits = exponent(currency)
    sign, minor = ("-", -minor) if minor < 0 else ("", minor)
    if digits == 0:
        return f"{sign}{minor}"
    return f"{sign}{minor // 10**digits}.{minor % 10**digits:0{digits}d}"


def format_amount(minor: int, currency: str) -> str:
    """«€9.90», «9.90 CHF»: for people."""
    whole, _, part = format_plain(abs(minor), currency).partition(".")
    text = f"{int(whole):,}" + (f".{part}" if part else "")
    symbol = SYMBOLS.get(currency)
    return ("−" if minor < 0 else "") + (f"{symbol}{text}" if symbol else f"{text} {currency}")


def included_tax(gross: int, tax_permille: int) -> int:
    """The tax inside a gross amount, rounded half up (minor units; the rate in tenths of a percent)."""
    base = 1000 + tax_permille
    return (2 * gross * tax_permille + base) // (2 * base)


def price_line(unit: int, copies: int, tax_permille: int) -> LinePrice:
    """Prices are what the customer pays, tax included; tax is rounded once a line."""
    total = unit * copies
    return LinePrice(total=total, tax=included_tax(total, tax_permille))
