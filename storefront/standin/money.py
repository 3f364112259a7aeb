"""Amounts in minor units: which currencies the stand-in takes, what the least charge is, and text for people. Pure."""

from __future__ import annotations

from typing import Final

MAX_AMOUNT: Final = 99_999_999
# Currency: (decimals, least amount that can be charged), as Stripe publishes them; another one is refused.
CURRENCIES: Final = {
    "eur": (2, 50),
    "usd": (2, 50),
    "chf": (2, 50),
    "gbp": (2, 30),
    "sek": (2, 300),
    "pln": (2, 200),
    "czk": (2, 1500),
    "jpy": (0, 50),
}
SYMBOLS: Final = {"eur": "€", "usd": "$", "gbp": "£", "jpy": "¥"}


def shown(amount: int, currency: str) -> str:
    """«€9.90», «9.90 CHF»."""
    decimals = CURRENCIES[currency][0]
    whole, part = divmod(amount, 10**decimals)
    text = f"{whole:,}.{part:0{decimals}d}" if decimals else f"{whole:,}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{text}" if symbol else f"{text} {currency.upper()}"
