"""Payment of an order: open one hosted page, and settle what the payer says, however often it says it.

No call to the payer is made inside a transaction; its idempotency key stands in a row before the call.
"""

from __future__ import annotations

import datetime as dt
import logging
from enum import Enum
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.urls import reverse

from archive.formats import FORMATS
from fulfillment import intake
from fulfillment.intake import WantedLine, WantedShipment
from fulfillment.models import ADDRESS_FIELDS
from fulfillment.tasks import nudge
from storefront import lifecycle, outbox
from storefront.models import Order, Payment
from storefront.orders import AlreadyPlaced
from storefront.payer import Checkout, CheckoutLine, CheckoutRequest, PayerRefused, payer
from storefront.promises import first_promise

log = logging.getLogger(__name__)

PAGE_LIVES: Final = dt.timedelta(hours=2)
STALE: Final = dt.timedelta(hours=1)  # an attempt the payer never answered; pages must live half an hour at least
ACTOR: Final = "payer"


class Settlement(Enum):
    SETTLED = "settled"  # also when it was settled before
    UNPAID = "unpaid"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"


def hosted_page(order: Order, content: str, now: dt.datetime) -> str | None:
    """The address of the page on which to pay for `content`; None if the order turns out to be paid.

    One page at a time: while one is open, the same content gets the same page.
    """
    payment = _unfinished(order) or _begin(order, content, now)
    if payment.content != content:
        raise AlreadyPlaced(order)  # another tab was quicker, with something else: never its page for this content
    if payment.state == Payment.State.OPEN:
        outcome = settle(payer().checkout(payment.session or ""), now)
        if outcome is Settlement.UNPAID:
            return payment.url
        if outcome is not Settlement.EXPIRED:
            return None
        payment = _begin(order, content, now)
    elif payment.created_at < now - STALE:  # the payer takes no page that closes so soon: a new attempt
        lifecycle.move_payment(payment, Payment.State.EXPIRED)
        payment = _begin(order, content, now)
    return _open(order, payment).url


def asks_for(order: Order, content: str) -> bool:
    """Whether a page is open, or about to be, that asks for just this."""
    return order.payments.filter(state__in=Payment.UNFINISHED, content=content).exists()


def close_unfinished(order: Order, now: dt.datetime) -> bool:
    """Closes the page that is open, before the order changes. False: it was paid, so nothing may change."""
    payment = _unfinished(order)
    if payment is None:
        return True
    if payment.state == Payment.State.OPENING:  # the same key gives the page that may or may not exist
        try:
            _open(order, payment)
        except PayerRefused:  # then no page exists, and the attempt is over
            return True
        payment.refresh_from_db()
    outcome = settle(payer().expire_checkout(payment.session or ""), now)
    return outcome is Settlement.EXPIRED


def _open(order: Order, payment: Payment) -> Checkout:
    """Asks the payer for the attempt's page. A refusal ends the attempt: asking again would be refused again."""
    try:
        checkout = payer().open_checkout(_request(order, payment))
    except PayerRefused as refused:
        log.error("payment %s refused: %s", payment.key, refused)
        lifecycle.move_payment(payment, Payment.State.EXPIRED)
        raise
    lifecycle.move_payment(payment, Payment.State.OPEN, session=checkout.id, url=checkout.url or "")
    return checkout


def settle(checkout: Checkout, now: dt.datetime, *, actor: str = ACTOR) -> Settlement:
    """Books what the payer says of a hosted page. May be called any number of times, by the page and by webhooks."""
    payment = (
        Payment.objects.select_related("order").filter(Q(session=checkout.id) | Q(key=checkout.reference or "")).first()
    )
    if payment is None:
        return Settlement.UNMATCHED
    if checkout.paid:
        return _settle_paid(payment, checkout, now, actor)
    if checkout.status == "expired":
        if payment.state in Payment.UNFINISHED:
            lifecycle.move_payment(payment, Payment.State.EXPIRED)
        return Settlement.EXPIRED
    return Settlement.UNPAID


def mismatch(payment: Payment, checkout: Checkout) -> str | None:
    """Why this money is not for this payment, in words for the staff; None if it is."""
    if (checkout.amount, checkout.currency.upper()) != (payment.amount_minor, payment.currency):
        return f"{checkout.amount} {checkout.currency} paid, {payment.amount_minor} {payment.currency} asked"
    if payment.amount_minor != payment.order.total_minor:
        return f"{payment.amount_minor} asked for what comes to {payment.order.total_minor}"
    if payment.order.payments.filter(state=Payment.State.PAID).exists():
        return "the order is paid already"
    if checkout.reference != payment.key:
        return f"paid for {checkout.reference!r}, asked for {payment.key!r}"
    if checkout.livemode != settings.SPINDLE_PRODUCTION:
        return f"livemode is {checkout.livemode}"
    return None


def _settle_paid(payment: Payment, checkout: Checkout, now: dt.datetime, actor: str) -> Settlement:
    if payment.state == Payment.State.PAID:
        return Settlement.SETTLED
    if wrong := mismatch(payment, checkout):
        log.error("payment %s of order %s not booked: %s", payment.key, payment.order.number, wrong)
        return Settlement.UNMATCHED
    promised = first_promise(payment.order, now)
    order = payment.order
    with transaction.atomic():
        paid = lifecycle.move_payment(
            payment, Payment.State.PAID, paid_at=now, intent=checkout.payment_intent or "", session=checkout.id
        )
        if not paid:
            return Settlement.SETTLED  # the landing page and the webhook came at once; the other one does it
        if not lifecycle.move_order(
            order, Order.State.PAID, actor=actor, now=now, text=f"paid: {order.total}", paid_at=now
        ):
            transaction.set_rollback(True)
            log.error("payment %s came for order %s, which is %s", payment.key, order.number, order.state)
            return Settlement.UNMATCHED
        order.shipment = intake.accept(
            wanted_shipment(order, promised.on, promised.plan_run), actor=f"order:{order.number}", now=now
        )
        order.save(update_fields=["shipment"])
        outbox.post_confirmation(order, promised.later, now)
        transaction.on_commit(lambda: nudge(), robust=True)
    log.info("order %s paid, promised for %s", order.number, promised.on)
    return Settlement.SETTLED


def wanted_shipment(order: Order, promised_on: dt.date | None, plan_run: int | None) -> WantedShipment:
    lines = order.lines.select_related("version__title", "version__image")
    return WantedShipment(
        reference=order.number,
        address={name: str(getattr(order, name)) for name in ADDRESS_FIELDS},
        service=order.service,
        lines=[
            WantedLine(
                reference=line.reference,
                image=line.version.image,
                title=line.version.title.title,
                part_number=line.version.title.part_number,
                format=line.format,
                copies=line.copies,
            )
            for line in lines
        ],
        received_at=order.received_at,
        promised_on=promised_on,
        plan_run=plan_run,
        wanted_on=order.wanted_on,
    )


def _unfinished(order: Order) -> Payment | None:
    return order.payments.filter(state__in=Payment.UNFINISHED).first()


def _begin(order: Order, content: str, now: dt.datetime) -> Payment:
    attempt = order.payments.count() + 1
    try:
        with transaction.atomic():
            as_read = Order.objects.filter(pk=order.pk, state=Order.State.AWAITING_PAYMENT, revision=order.revision)
            if not as_read.update(revision=F("revision") + 1):
                raise AlreadyPlaced(order)  # changed meanwhile: what is asked for must be what it is now
            order.revision += 1
            return Payment.objects.create(
                order=order,
                attempt=attempt,
                key=f"pay-{order.number}-{attempt}",
                content=content,
                amount_minor=order.total_minor,
                currency=order.currency,
                created_at=now,
            )
    except IntegrityError:  # the other half of a double click was first: its row serves both
        if payment := _unfinished(order):
            return payment
        raise


def _request(order: Order, payment: Payment) -> CheckoutRequest:
    """Built from rows alone, so that a second call with the same key says the very same."""
    lines = [
        CheckoutLine(
            name=f"{line.version.title.title} on {FORMATS[line.format].label}",
            unit_amount=line.unit_minor,
            quantity=line.copies,
        )
        for line in order.lines.select_related("version__title")
    ]
    if order.shipping_minor:
        lines.append(CheckoutLine(name=f"Shipping: {order.service.name}", unit_amount=order.shipping_minor, quantity=1))
    landing = settings.SPINDLE_BASE_URL + reverse("paid", args=[order.token])
    return CheckoutRequest(
        key=payment.key,
        reference=payment.key,
        currency=payment.currency,
        lines=tuple(lines),
        email=order.email,
        success_url=landing + "?session={CHECKOUT_SESSION_ID}",
        cancel_url=settings.SPINDLE_BASE_URL + reverse("checkout-cancelled"),
        expires_at=payment.created_at + PAGE_LIVES,
    )
