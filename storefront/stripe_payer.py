"""Stripe's hosted Checkout behind the payer's gateway: the only module that speaks with the SDK.

Apart from the gateway, because the SDK takes a third of a second and 15 MB to load, and most processes never call it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final, cast
from urllib.parse import urlsplit

import stripe
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from storefront.payer import (
    BadSignature,
    Checkout,
    CheckoutRequest,
    CheckoutStatus,
    NoSuchPage,
    PaidBack,
    PayerBusy,
    PayerError,
    PayerEvent,
    PayerRefused,
    PayerUnreachable,
)

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 8.0
MONEY: Final = "payment_intent.latest_charge"  # in the same answer: what became of a page's money
RETRIES: Final = 1  # after time-outs, 409 and 5xx, under the same key; a customer waits 23 s at the very most


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=4)
def _client(key: str, base: str, read_seconds: float) -> stripe.StripeClient:
    """One client per configuration: it holds the connections. Nothing of the `stripe` module itself is set."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    here = _on_this_machine(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and here and not key.startswith("sk_live_")):
        raise ImproperlyConfigured(
            f"STRIPE_API_BASE is {base!r}: give an https:// address (http:// only for a stand-in on this machine,"
            " with a test key)."
        )
    # A proxy from the environment must not get the requests meant for this machine.
    proxy: Any = {"http": "", "https": ""} if here else None
    http = stripe.RequestsClient(timeout=(CONNECT_SECONDS, read_seconds), proxy=proxy)
    return stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=RETRIES, http_client=http)


class StripePayer:
    """Stripe's hosted Checkout. Without arguments everything comes from the settings."""

    def __init__(
        self,
        *,
        secret_key: str | None = None,
        api_base: str | None = None,
        webhook_secrets: tuple[str, ...] | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._client = _client(
            settings.STRIPE_SECRET_KEY if secret_key is None else secret_key,
            settings.STRIPE_API_BASE if api_base is None else api_base,
            read_seconds,
        )
        self._secrets = tuple(settings.STRIPE_WEBHOOK_SECRETS) if webhook_secrets is None else webhook_secrets

    def open_checkout(self, request: CheckoutRequest) -> Checkout:
        currency = request.currency.lower()
        lines: list[Any] = [
            {
                "price_data": {
                    "currency": currency,
                    "unit_amount": line.unit_amount,
                    "product_data": {"name": line.name},
                },
                "quantity": line.quantity,
            }
            for line in request.lines
        ]
        with _said_in_our_words():
            session = self._client.v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "line_items": lines,
                    "client_reference_id": request.reference,
                    # On the session and on the payment: some events carry only one of them.
                    "metadata": {"reference": request.reference},
                    "payment_intent_data": {"metadata": {"reference": request.reference}},
                    "customer_email": request.email,
                    "success_url": request.success_url,
                    "cancel_url": request.cancel_url,
                    "expires_at": int(request.expires_at.timestamp()),
                },
                {"idempotency_key": request.key},
            )
            return _checkout(session.to_dict())

    def checkout(self, checkout_id: str) -> Checkout:
        with _said_in_our_words():
            sessions = self._client.v1.checkout.sessions
            return _checkout(sessions.retrieve(checkout_id, {"expand": [MONEY]}).to_dict())

    def checkout_of(self, payment_intent: str) -> Checkout | None:
        with _said_in_our_words():
            asked: Any = {"payment_intent": payment_intent, "limit": 1, "expand": [f"data.{MONEY}"]}
            found = self._client.v1.checkout.sessions.list(asked).data
            return _checkout(found[0].to_dict()) if found else None

    def checkouts_since(self, since: datetime) -> Iterator[Checkout]:
        asked: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100, "expand": [f"data.{MONEY}"]}
        with _said_in_our_words():
            for session in self._client.v1.checkout.sessions.list(asked).auto_paging_iter():
                yield _checkout(session.to_dict())

    def expire_checkout(self, checkout_id: str) -> Checkout:
        try:
            with _said_in_our_words():
                return _checkout(self._client.v1.checkout.sessions.expire(checkout_id).to_dict())
        except PayerRefused:
            ended = self.checkout(checkout_id)
            if ended.status is CheckoutStatus.OPEN:
                raise
            return ended

    def refund(self, payment_intent: str, amount: int, key: str) -> PaidBack:
        with _said_in_our_words():
            made = self._client.v1.refunds.create(
                {"payment_intent": payment_intent, "amount": amount, "reason": "requested_by_customer"},
                {"idempotency_key": key},
            )
            return _refund(made.to_dict())

    def verified_event(self, raw_body: bytes, signature_header: str | None) -> PayerEvent:
        # The SDK compares the signatures as text, which only works for ASCII.
        if not signature_header or not signature_header.isascii():
            raise BadSignature("The Stripe-Signature header is missing or not ASCII.")
        for secret in self._secrets:
            try:
                event = self._client.construct_event(raw_body, signature_header, secret)
            except stripe.SignatureVerificationError as error:
                reason = str(error.user_message)
            except (ValueError, AttributeError) as error:  # the SDK takes any JSON for an object
                raise BadSignature("The webhook's body is not an event in JSON.") from error
            else:
                return _event(event.to_dict())
        if not self._secrets:
            raise BadSignature("STRIPE_WEBHOOK_SECRETS is empty: no webhook can be verified.")
        raise BadSignature(f"The webhook is not verified: {reason}")


@contextmanager
def _said_in_our_words() -> Iterator[None]:
    """Turns the SDK's exceptions into ours. A 409, 429 or 5xx that outlasts the retries leaves the result unknown."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
        if isinstance(error.__cause__, SoftTimeLimitExceeded):  # the SDK takes it for a fault of the line
            raise error.__cause__ from error
        if error.http_status == HTTPStatus.CONFLICT:
            raise PayerBusy(f"The payment service is at it already: {_text(error)}") from error
        raise PayerUnreachable(f"The payment service did not answer: {_text(error)}") from error
    except stripe.AuthenticationError as error:
        raise PayerRefused(f"The payment service refused our key; check STRIPE_SECRET_KEY: {_text(error)}") from error
    except stripe.StripeError as error:
        if error.code == "resource_missing":
            raise NoSuchPage(_text(error)) from error
        param = getattr(error, "param", None)
        raise PayerRefused(f"{_text(error)}{f' (parameter {param})' if param else ''}") from error


def _text(error: stripe.StripeError) -> str:
    return (error.user_message or type(error).__name__).replace("\n", " ")


def _id_of(value: object) -> str | None:
    """A reference to another object: its id, or the object when it came expanded."""
    if isinstance(value, Mapping):
        return cast(str, value["id"])
    return value if isinstance(value, str) else None


@contextmanager
def _reading(unreadable: type[PayerError]) -> Iterator[None]:
    """An answer of a shape we don't know must not pass for a bug of the caller."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(f"What the payment service sent can't be read: {error!r}") from error


@_reading(PayerUnreachable)
def _checkout(session: dict[str, Any]) -> Checkout:
    intent = session["payment_intent"]
    charge = intent.get("latest_charge") if isinstance(intent, Mapping) else None
    money: Mapping[str, Any] = charge if isinstance(charge, Mapping) else {}
    refused = isinstance(intent, Mapping) and intent["status"] in {"requires_payment_method", "canceled"}
    status = CheckoutStatus(session["status"])
    return Checkout(
        id=session["id"],
        url=session["url"],
        status=status,
        paid=session["payment_status"] == "paid",
        amount=session["amount_total"],
        currency=session["currency"].upper(),
        reference=session["client_reference_id"],
        payment_intent=_id_of(intent),
        livemode=session["livemode"],
        refunded=money.get("amount_refunded", 0),
        disputed=money.get("disputed", False),
        failed=refused and status is CheckoutStatus.COMPLETE,
    )


@_reading(PayerUnreachable)
def _refund(refund: dict[str, Any]) -> PaidBack:
    if refund["status"] in {"failed", "canceled"}:
        raise PayerRefused(f"The refund {refund['id']} failed: {refund.get('failure_reason') or 'no reason is given'}.")
    return PaidBack(
        id=refund["id"],
        payment_intent=refund["payment_intent"],
        amount=refund["amount"],
        currency=refund["currency"].upper(),
    )


@_reading(BadSignature)
def _event(event: dict[str, Any]) -> PayerEvent:
    subject: dict[str, Any] = event["data"]["object"]
    kind = subject.get("object")
    session = kind == "checkout.session"
    intent = subject.get("id") if kind == "payment_intent" else subject.get("payment_intent")
    return PayerEvent(
        id=event["id"],
        kind=event["type"],
        livemode=event["livemode"],
        api_version=event.get("api_version"),
        checkout_id=subject["id"] if session else None,
        payment_intent=_id_of(intent),
        account=event.get("account"),
        amount=subject.get("amount_total") if session else subject.get("amount"),
        currency=(subject.get("currency") or "").upper(),
    )
