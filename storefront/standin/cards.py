"""The cards of the hosted page: reads what was typed and says what a bank would say of Stripe's test numbers.

Pure. A number leaves this module only as brand and last four digits, and one that is no test number not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

Field = Literal["number", "expiry", "cvc", "name", "email", "iban"]
Errors = dict[Field, str]


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank says no: `code` and `decline_code` as on the wire, `field` is where the page shows it."""

    code: str
    message: str
    field: Field = "number"
    decline_code: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What may be kept of a test card, and how the bank answers it."""

    brand: str
    last4: str
    expires: tuple[int, int]  # year, month
    decline: Decline | None = None
    authenticate: bool = False
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class KnownCard:
    number: str
    brand: str
    says: str
    decline: Decline | None = None
    authenticate: bool = False
    disputed: bool = False


def _refused(decline_code: str, message: str) -> Decline:
    return Decline("card_declined", message, decline_code=decline_code)


AUTHENTICATION_FAILED: Final = Decline(
    "payment_intent_authentication_failure",
    "Your bank couldn't authenticate this payment. Try again, or use another card.",
)

TEST_CARDS: Final = (
    KnownCard("4242424242424242", "visa", "is accepted"),
    KnownCard("5555555555554444", "mastercard", "is accepted"),
    KnownCard("4000056655665556", "visa", "is accepted (debit)"),
    KnownCard("378282246310005", "amex", "is accepted (4-digit CVC)"),
    KnownCard("4000002500003155", "visa", "asks for authentication", authenticate=True),
    KnownCard("4000000000000259", "visa", "is accepted, then disputed as fraudulent", disputed=True),
    KnownCard(
        "4000000000000002",
        "visa",
        "is declined",
        _refused("generic_decline", "Your card was declined. Use another card."),
    ),
    KnownCard(
        "4000000000009995",
        "visa",
        "has insufficient funds",
        _refused("insufficient_funds", "Your card has insufficient funds. Use another card."),
    ),
    KnownCard(
        "4000000000000069",
        "visa",
        "is expired",
        Decline("expired_card", "Your card has expired. Use another card.", "expiry", "expired_card"),
    ),
    KnownCard(
        "4000000000000127",
        "visa",
        "has a wrong CVC",
        Decline("incorrect_cvc", "Your card's security code is incorrect. Check it and try again.", "cvc"),
    ),
    KnownCard(
        "4000000000000119",
        "visa",
        "meets a processing error",
        Decline("processing_error", "An error occurred while processing your card. Try again in a little while."),
    ),
    KnownCard(
        "4000000000000341",
        "visa",
        "is declined when charged",
        _refused("generic_decline", "Your card was declined. Use another card."),
    ),
)
BY_NUMBER: Final = {card.number: card for card in TEST_CARDS}

IBAN_THAT_PAYS: Final = "DE89370400440532013000"
IBAN_THAT_FAILS: Final = "DE62370400440532013001"


def passes_luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812: every second digit from the right doubled, the sum divisible by ten."""
    doubled = [2 * int(digit) - 9 * (int(digit) > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def read_card(number: str, expiry: str, cvc: str, today: date) -> Card | Errors:
    """The card, or an error per field. Nothing that was typed is part of an error's text."""
    errors: Errors = {}
    known = _read_number(number, errors)
    expires = _read_expiry(expiry, today, errors)
    code = cvc.strip()
    wanted = 4 if known and known.brand == "amex" else 3
    if not code:
        errors["cvc"] = "Enter the security code."
    elif not (code.isascii() and code.isdigit()) or (len(code) != wanted if known else len(code) not in {3, 4}):
        errors["cvc"] = f"The security code has {wanted} digits."
    if errors or known is None or expires is None:
        return errors
    return Card(known.brand, known.number[-4:], expires, known.decline, known.authenticate, known.disputed)


def _read_number(number: str, errors: Errors) -> KnownCard | None:
    digits = re.sub(r"[ \-\u00a0]", "", number)
    if not digits:
        errors["number"] = "Enter a card number."
    elif not (digits.isascii() and digits.isdigit()):
        errors["number"] = "A card number has digits only."
    elif not 12 <= len(digits) <= 19:
        errors["number"] = "This card number is incomplete or too long."
    elif not passes_luhn(digits):
        errors["number"] = "This card number is not valid. Check its digits."
    elif digits not in BY_NUMBER:
        errors["number"] = "Only Stripe's test numbers work here, such as 4242 4242 4242 4242. Never enter a real card."
    else:
        return BY_NUMBER[digits]
    return None


def _read_expiry(expiry: str, today: date, errors: Errors) -> tuple[int, int] | None:
    if not expiry.strip():
        errors["expiry"] = "Enter the expiry date."
        return None
    match = re.fullmatch(r"\s*(0?[1-9]|1[0-2])\s*[/\-. ]?\s*(20)?([0-9]{2})\s*", expiry, re.ASCII)
    if not match:
        errors["expiry"] = "Write the expiry date as month and year, MM/YY."
        return None
    month, year = int(match[1]), 2000 + int(match[3])
    if (year, month) < (today.year, today.month):
        errors["expiry"] = "This card's expiry date is in the past."
        return None
    if year > today.year + 50:
        errors["expiry"] = "This card's expiry date is too far in the future."
        return None
    return year, month
