"""Payment of an order: open one hosted page, and settle what the payer says, however often it says it.

No call to the payer is made inside a transaction; its idempotency key stands in a row before the call.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from enum import Enum
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.urls import reverse
from structlog.contextvars import bind_contextvars

from archive.formats import FORMATS
from fulfillment import intake
from fulfillment.intake import WantedLine, WantedShipment
from fulfillment.lifecycle import hold_row
from fulfillment.models import ADDRESS_FIELDS
from fulfillment.tasks import nudge
from storefront import differences, lifecycle, outbox, refunding
from storefront.models import Order, Payment
from storefront.orders import AlreadyPlaced
from storefront.payer import (
    Checkout,
    CheckoutLine,
    CheckoutRequest,
    CheckoutStatus,
    PayerBusy,
    PayerRefused,
    payer,
)
from storefront.promises import FirstPromise, first_promise

log = logging.getLogger(__name__)

PAGE_LIVES: Final = dt.timedelta(hours=2)
STALE: Final = dt.timedelta(hours=1)  # an attempt the payer never answered; pages must live half an hour at least
PAUSES: Final = (0.2, 0.5, 1.0, 2.0)  # seconds; the payer takes one call of a key at a time
LOOK_FIRST: Final = dt.timedelta(minutes=1)  # until the payer is asked of itself (open_pages.py)
ACTOR: Final = "payer"


class Settlement(Enum):
    SETTLED = "settled"  # also when it was settled before
    UNPAID = "unpaid"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"


def hosted_page(order: Order, content: str, now: dt.datetime) -> str | None:
    """The address of the page on which to pay for `content`; None if the order is paid, or its money is on its way.

    One page at a time: while one is open, the same content gets the same page.
    """
    if under_way(order):
        return None
    payment = unfinished(order) or _begin(order, content, now)
    if payment.content != content:
        raise AlreadyPlaced(order)  # another tab was quicker, with something else: never its page for this content
    if payment.state == Payment.State.OPEN:
        outcome = settle(payer().checkout(payment.session or ""), now)
        if outcome is Settlement.UNPAID:
            return payment.url or None
        if outcome is not Settlement.EXPIRED:
            return None
        payment = _begin(order, content, now)
    elif payment.created_at < now - STALE:  # the payer takes no page that closes so soon: a new attempt
        lifecycle.move_payment(payment, Payment.State.EXPIRED)
        payment = _begin(order, content, now)
    return _url_of(order, payment)


def _url_of(order: Order, payment: Payment) -> str | None:
    """Opens the page, or waits a moment for the other half of a double click, which is opening it."""
    for pause in PAUSES:
        try:
            return _open(order, payment).url
        except PayerBusy:
            time.sleep(pause)
            payment.refresh_from_db()
            if payment.state == Payment.State.OPEN:
                return payment.url
            if payment.state != Payment.State.OPENING:
                raise AlreadyPlaced(order) from None  # closed or paid meanwhile: look again
    return _open(order, payment).url


def asks_for(order: Order, content: str) -> bool:
    """Whether a page is open, or about to be, that asks for just this."""
    return order.payments.filter(state__in=Payment.UNFINISHED, content=content).exists()


def close_unfinished(order: Order, now: dt.datetime, *, unless: str = "") -> bool:
    """Closes the page that is open, before the order changes. False: it was paid, so nothing may change.

    A page for the content `unless` stays: the other half of a double click has just opened it.
    """
    payment = unfinished(order)
    if payment is None:
        return not under_way(order)
    if payment.content == unless:
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
    payment = of(checkout)
    if payment is None:
        return _unmatched(checkout, None, "no order of ours asked for it", now)
    bind_contextvars(**payment.order.about)
    if checkout.paid:
        outcome = _settle_paid(payment, checkout, now, actor)
        # Only the page that paid for the order: what goes back of a second charge must not stop it.
        if payment.state == Payment.State.PAID and payment.session == checkout.id:
            refunding.take_up(payment, checkout, now)
        return outcome
    if checkout.over:
        _give_up(payment, checkout)
        return Settlement.EXPIRED
    if checkout.status == CheckoutStatus.COMPLETE:  # a bank debit: nobody can pay on that page any more
        Payment.objects.filter(pk=payment.pk, state=Payment.State.OPEN, session=checkout.id).update(url="")
        payment.url = ""
    return Settlement.UNPAID


def under_way(order: Order) -> bool:
    """Whether money for it is on its way or kept in sight: nobody may pay once more, or be told it was nothing."""
    if order.state != Order.State.AWAITING_PAYMENT:
        return False
    debited = order.payments.filter(state=Payment.State.OPEN, url="")
    return debited.exists() or differences.of(order, differences.Kind.UNMATCHED).exists()


def _give_up(payment: Payment, checkout: Checkout) -> None:
    """Ends the attempt, if that page is its own; money still wins from there."""
    if payment.state in Payment.UNFINISHED and payment.session in {None, checkout.id}:
        lifecycle.move_payment(payment, Payment.State.EXPIRED, session=checkout.id)


def of(checkout: Checkout) -> Payment | None:
    """The attempt that this page is of: by its session, or by its key if the session was never noted."""
    either = Payment.objects.select_related("order").filter(Q(session=checkout.id) | Q(key=checkout.reference or ""))
    return min(either, key=lambda payment: payment.session != checkout.id, default=None)


def _unmatched(checkout: Checkout, order: Order | None, why: str, now: dt.datetime) -> Settlement:
    """Keeps money that no order can have in sight, until it has gone back."""
    if not checkout.paid:
        return Settlement.EXPIRED if checkout.over else Settlement.UNPAID
    if checkout.refunded < checkout.amount:
        differences.unmatched(checkout, order, why, now)
        return Settlement.UNMATCHED
    differences.resolve(differences.Kind.UNMATCHED, checkout.id, "paid back", now)
    return Settlement.SETTLED


def end_dispute(payment_intent: str, now: dt.datetime) -> None:
    """The bank has decided: what that means for a stopped order, a person says."""
    Payment.objects.filter(intent=payment_intent, dispute_over_at=None).update(dispute_over_at=now)


def mismatch(payment: Payment, checkout: Checkout) -> str | None:
    """Why this money is not for this payment, in words for the staff; None if it is."""
    if payment.order.payments.filter(state=Payment.State.PAID).exists():
        return f"order {payment.order.number} is paid already: this is a second charge"
    if payment.order.state != Order.State.AWAITING_PAYMENT:
        return f"order {payment.order.number} is {payment.order.state}"
    if (checkout.amount, checkout.currency.upper()) != (payment.amount_minor, payment.currency):
        return f"{checkout.amount} {checkout.currency} paid, {payment.amount_minor} {payment.currency} asked"
    if payment.amount_minor != payment.order.total_minor:
        return f"{payment.amount_minor} asked for what comes to {payment.order.total_minor}"
    if checkout.reference != payment.key:
        return f"paid for {checkout.reference!r}, asked for {payment.key!r}"
    if checkout.livemode != settings.SPINDLE_PRODUCTION:
        return f"livemode is {checkout.livemode}"
    return None


def _settle_paid(payment: Payment, checkout: Checkout, now: dt.datetime, actor: str) -> Settlement:
    if payment.state == Payment.State.PAID and payment.session == checkout.id:
        return Settlement.SETTLED
    order = payment.order
    promised = first_promise(order, now)
    with transaction.atomic():
        hold_row(order)  # the landing page and the webhook may come at once: one of them books it, the other sees it
        hold_row(payment)
        payment.order = order
        if payment.state == Payment.State.PAID and payment.session == checkout.id:
            return Settlement.SETTLED
        if wrong := mismatch(payment, checkout):
            _give_up(payment, checkout)  # it is complete: asking for ever would say nothing new
            return _unmatched(checkout, order, wrong, now)
        intent = checkout.payment_intent or ""
        lifecycle.move_payment(payment, Payment.State.PAID, paid_at=now, intent=intent, session=checkout.id)
        text = f"paid: {order.total}"
        lifecycle.move_order(order, Order.State.PAID, actor=actor, now=now, text=text, paid_at=now)
        give_to_plant(order, promised, now)
        outbox.post_confirmation(order, promised.later, now)
        differences.resolve(differences.Kind.UNMATCHED, checkout.id, f"booked to order {order.number}", now)
    log.info("order %s paid, promised for %s", order.number, promised.on)
    return Settlement.SETTLED


def give_to_plant(order: Order, promised: FirstPromise, now: dt.datetime) -> None:
    """Has the order's shipment made; asking twice changes nothing."""
    wanted = wanted_shipment(order, promised)
    order.shipment = intake.accept(wanted, actor=f"order:{order.number}", now=now)
    order.save(update_fields=["shipment"])
    transaction.on_commit(lambda: nudge(), robust=True)


def wanted_shipment(order: Order, promised: FirstPromise) -> WantedShipment:
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
        promised_on=promised.on,
        plan_run=promised.plan_run,
        wanted_on=order.wanted_on,
        foreseen=promised.foreseen,
    )


def unfinished(order: Order) -> Payment | None:
    return order.payments.filter(state__in=Payment.UNFINISHED).first()


def _begin(order: Order, content: str, now: dt.datetime) -> Payment:
    attempt = order.payments.count() + 1
    try:
        with transaction.atomic():
            as_read = Order.objects.filter(pk=order.pk, state=Order.State.AWAITING_PAYMENT, revision=order.revision)
            if not as_read.update(revision=F("revision") + 1):
                if payment := unfinished(order):  # the other half of a double click was first
                    return payment
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
                look_at=now + LOOK_FIRST,
            )
    except IntegrityError:  # the other half of a double click was first: its row serves both
        if payment := unfinished(order):
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
