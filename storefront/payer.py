"""The gateway to whoever takes the money: what it is asked and what it answers. `SPINDLE_PAYER` names who is behind it.

Keeps nothing, decides nothing about orders, and must never be called inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


class PayerError(Exception):
    """The payer did not do what it was asked for."""


class PayerUnreachable(PayerError):
    """Nobody knows whether it was done: no answer, or a broken one. Repeat it with the same key."""


class PayerBusy(PayerUnreachable):
    """Another call with the same key is under way, and its answer will be ours as well."""


class PayerRefused(PayerError):
    """The payer said no; repeating the same request changes nothing. The text says why."""


class NoSuchPage(PayerRefused):
    """The payer knows no object of that name: nobody can pay on it. Any other refusal says nothing of the page."""


class BadSignature(PayerError):
    """A webhook that was not signed with one of STRIPE_WEBHOOK_SECRETS within the last five minutes."""


class CheckoutStatus(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CheckoutLine:
    """One line of the payment page; `unit_amount` in minor units, tax included."""

    name: str
    unit_amount: int
    quantity: int


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """What a customer is to pay.

    `key` names this attempt and must have been stored before the call: the same key gives the same checkout again,
    and everything else must then be the same too, `expires_at` as well (30 minutes to 24 hours ahead).
    `{CHECKOUT_SESSION_ID}` in `success_url` is replaced by the payer.
    """

    reference: str
    key: str
    currency: str
    lines: tuple[CheckoutLine, ...]
    email: str
    success_url: str
    cancel_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page as the payer sees it now.

    `url` is there while it is open. `paid` says that the money is there: a delayed method completes unpaid.
    `amount` is in minor units of `currency` (ISO 4217, upper case); `refunded` of it has gone back. `failed`: a
    delayed method completed the page, and then the bank refused it.
    """

    id: str
    url: str | None
    status: CheckoutStatus
    paid: bool
    amount: int
    currency: str
    reference: str | None
    payment_intent: str | None
    livemode: bool
    refunded: int = 0
    disputed: bool = False
    failed: bool = False

    @property
    def over(self) -> bool:
        """Nothing was paid on it, and nothing will be."""
        return not self.paid and (self.failed or self.status is CheckoutStatus.EXPIRED)


@dataclass(frozen=True, slots=True)
class PaidBack:
    """Money on its way back."""

    id: str
    payment_intent: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class PayerEvent:
    """A verified webhook. It says where to look, never what is true: events come late, twice and in any order.

    `account` is there when it is another account's than the key's own; `amount` is what the event itself says.
    """

    id: str
    kind: str
    livemode: bool
    api_version: str | None
    checkout_id: str | None
    payment_intent: str | None
    account: str | None = None
    amount: int | None = None
    currency: str = ""


@runtime_checkable
class Payer(Protocol):
    """Every method may raise PayerUnreachable or PayerRefused; `verified_event` only BadSignature."""

    def open_checkout(self, request: CheckoutRequest) -> Checkout: ...

    def checkout(self, checkout_id: str) -> Checkout: ...

    def checkout_of(self, payment_intent: str) -> Checkout | None:
        """The page on which that was paid; None if it was paid in another way."""
        ...

    def checkouts_since(self, since: datetime) -> Iterator[Checkout]:
        """Newest first; for finding what no webhook told."""
        ...

    def expire_checkout(self, checkout_id: str) -> Checkout:
        """Closes an open page; of one that is closed already it says how it ended: perhaps it is paid."""
        ...

    def refund(self, payment_intent: str, amount: int, key: str) -> PaidBack: ...

    def verified_event(self, raw_body: bytes, signature_header: str | None) -> PayerEvent: ...


def payer() -> Payer:
    """The payer that the settings name."""
    made = import_string(settings.SPINDLE_PAYER)()
    if not isinstance(made, Payer):
        raise ImproperlyConfigured(f"SPINDLE_PAYER {settings.SPINDLE_PAYER!r} has not the methods of a Payer.")
    return made
