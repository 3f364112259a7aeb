"""Compares the payer's books with ours and mends what can be mended: lost webhooks, old backups, forgotten pages.

Level-triggered and bounded by `since`: run twice, the second run finds nothing. What a person must decide it names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Q

from fulfillment.lifecycle import hold_row
from storefront import differences, lifecycle, payments, refunding, stopping
from storefront.models import MoneyDifference, Order, Payment, Refund
from storefront.payer import Checkout, CheckoutStatus, NoSuchPage, payer
from storefront.pricing import format_amount
from storefront.promises import first_promise

KEYS: Final = "pay-"  # how the reference of every page of ours begins
Kind: Final = MoneyDifference.Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """One plain line: what was found, and what was done or is to be done. `mended`: nobody has to look."""

    text: str
    mended: bool

    def __str__(self) -> str:
        return self.text


def reconcile(since: dt.datetime, now: dt.datetime) -> Iterator[Difference]:
    """Every difference among pages opened, and payments made or begun, since then. Raises PayerUnreachable."""
    listed: dict[str, Checkout] = {}
    for checkout in payer().checkouts_since(since):
        listed[checkout.id] = checkout
        yield from _page(checkout, now)
    yield from _unfinished(listed, now)
    yield from _paid(listed, since, now)
    yield from _orders(since, now)
    refunding.send_due(now, limit=100)
    for row in differences.unresolved():
        amount = f" {format_amount(row.amount_minor, row.currency)}" if row.amount_minor and row.currency else ""
        text = f"{row.source}:{amount} {row.get_kind_display()}: {row.why}. A person must look."
        yield Difference(text, mended=False)


def _page(checkout: Checkout, now: dt.datetime) -> Iterator[Difference]:
    """One page of the payer's list. What stays unmatched is told at the end."""
    payment = payments.of(checkout)
    before = _seen(payment)
    open_ = MoneyDifference.objects.filter(session=checkout.id, resolved_at=None).exists()
    if payment and payment.state == Payment.State.OPENING and checkout.status is CheckoutStatus.OPEN:
        lifecycle.move_payment(payment, Payment.State.OPEN, session=checkout.id, url=checkout.url or "")
    payments.settle(checkout, now)
    payment = payments.of(checkout)
    if payment and _seen(payment) != before:
        amount = format_amount(payment.amount_minor, payment.currency)
        yield Difference(f"{checkout.id}: {amount} for order {payment.order.number}: {_change(before, payment)}.", True)
    elif open_ and not MoneyDifference.objects.filter(session=checkout.id, resolved_at=None).exists():
        yield Difference(f"{checkout.id}: money without an order has gone back; closed.", True)
    if checkout.status is CheckoutStatus.OPEN and _needless(checkout, payment):
        payments.settle(payer().expire_checkout(checkout.id), now)
        yield Difference(f"{checkout.id}: a page on which nobody should pay; closed it.", True)


def _seen(payment: Payment | None) -> tuple[object, ...]:
    if payment is None:
        return ()
    return payment.state, payment.order.state, refunding.paid_back(payment), payment.disputed_at


def _change(before: tuple[object, ...], payment: Payment) -> str:
    after = _seen(payment)
    changes = [f"{old} → {new}" for old, new in zip(before[:2], after[:2], strict=True) if old != new]
    if before[2] != after[2]:
        changes.append(f"{format_amount(refunding.paid_back(payment), payment.currency)} paid back at the payer's")
    if before[3] != after[3]:
        changes.append("disputed")
    return "booked what nobody told, " + ", ".join(changes)


def _needless(checkout: Checkout, payment: Payment | None) -> bool:
    if payment is None:  # of an order that is lost: a backup was restored
        return (checkout.reference or "").startswith(KEYS)
    return payment.session != checkout.id or payment.state == Payment.State.EXPIRED


def _unfinished(listed: dict[str, Checkout], now: dt.datetime) -> Iterator[Difference]:
    """Our open attempts that the list did not speak of."""
    for payment in Payment.objects.filter(state__in=Payment.UNFINISHED).select_related("order").iterator(200):
        if payment.session in listed:
            continue
        if payment.session is None:
            over = payment.created_at < now - payments.PAGE_LIVES
            if over and lifecycle.move_payment(payment, Payment.State.EXPIRED):
                yield Difference(f"{payment.key}: no page was ever opened for it; given up.", True)
            continue
        yield from _ask(payment, now)


def _ask(payment: Payment, now: dt.datetime) -> Iterator[Difference]:
    before = _seen(payment)
    try:
        payments.settle(payer().checkout(payment.session or ""), now)
    except NoSuchPage:
        lifecycle.move_payment(payment, Payment.State.EXPIRED)
        yield Difference(f"{payment.key}: the payer knows no page {payment.session}; given up.", True)
        return
    payment = Payment.objects.select_related("order").get(pk=payment.pk)
    if _seen(payment) != before:
        yield Difference(f"{payment.key}: {_change(before, payment)}.", True)


def _paid(listed: dict[str, Checkout], since: dt.datetime, now: dt.datetime) -> Iterator[Difference]:
    """Orders that we call paid: the money must be there, and as much of it must have gone back as we say."""
    of_late = Q(paid_at__gte=since) | Q(pk__in=Refund.objects.filter(done_at__gte=since).values("payment"))
    rows = Payment.objects.filter(of_late, state=Payment.State.PAID).select_related("order")
    for payment in rows.iterator(200):
        number = payment.order.number
        try:
            checkout = listed.get(payment.session or "")
            if checkout is None or not checkout.paid:  # perhaps it was paid between the list and now
                checkout = payer().checkout(payment.session or "")
                yield from _page(checkout, now)
            refunding.look_for_failed(checkout, now)
            wrong = "" if _charged(payment, checkout) else f"order {number} is paid, and the payer has no such charge"
        except NoSuchPage:
            wrong = f"order {number} is paid, and the payer knows no such page"
        if wrong:
            columns = {"order": payment.order, "session": payment.session or "", "currency": payment.currency}
            differences.note(Kind.NO_CHARGE, payment.key, wrong, now, amount_minor=payment.amount_minor, **columns)
        elif differences.resolve(Kind.NO_CHARGE, payment.key, "the books agree again", now):
            yield Difference(f"{payment.key}: {Kind.NO_CHARGE.label}: the books agree again.", True)


def _charged(payment: Payment, checkout: Checkout) -> bool:
    return checkout.paid and (checkout.amount, checkout.currency) == (payment.amount_minor, payment.currency)


def _orders(since: dt.datetime, now: dt.datetime) -> Iterator[Difference]:
    """Orders that stand between two steps which are one transaction: only an old backup leaves them so."""
    for order in Order.objects.filter(state__in=stopping.STOPPABLE, shipment=None, paid_at__gte=since):
        if _given(order, now):
            yield Difference(f"order {order.number}: paid and not given to the plant; given now.", True)
    paid = Q(payments__state=Payment.State.PAID, payments__disputed_at=None)
    for order in Order.objects.filter(paid, state=Order.State.CANCELLATION_REQUESTED):
        payment = order.payments.get(state=Payment.State.PAID)
        if not payment.refunds.exists() and refunding.ask(payment, now):
            yield Difference(f"order {order.number}: cancelled and not paid back; paying back now.", True)


def _given(order: Order, now: dt.datetime) -> bool:
    promised = first_promise(order, now)
    with transaction.atomic():
        hold_row(order)  # its customer may be cancelling it at this moment
        if order.state not in stopping.STOPPABLE or order.shipment:
            return False
        payments.give_to_plant(order, promised, now)
    return True
