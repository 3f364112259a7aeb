"""Cancelling an order: by its customer until it is packed, by staff until it is shipped. It costs nothing.

Paid orders are stopped first and paid back by the next tick; unpaid ones have their page closed.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import Final

from django.db import transaction

from fulfillment.lifecycle import hold_row
from fulfillment.models import Shipment
from storefront import differences, lifecycle, payments, refunding, stopping
from storefront.models import Order, Payment

UNPACKED: Final = (Shipment.State.PREPARING, Shipment.State.READY)


class Outcome(Enum):
    CANCELLED = "cancelled"  # nothing was paid
    REQUESTED = "requested"  # its money goes back
    ALREADY = "already"
    UNDER_WAY = "under-way"  # a payment that nobody can stop has begun, or came and waits for a person
    TOO_LATE = "too-late"


def possible(order: Order) -> bool:
    """Whether its customer may cancel it now."""
    if order.state == Order.State.AWAITING_PAYMENT:
        return not payments.under_way(order)
    shipment = order.shipment
    return order.state in stopping.STOPPABLE and (shipment is None or shipment.state in UNPACKED)


def cancel(order: Order, *, actor: str, now: dt.datetime, text: str = "", even_packed: bool = False) -> Outcome:
    """Cancels whatever stands; clicked twice, it is done once. Raises PayerUnreachable while a page is open."""
    order.refresh_from_db()
    if order.state == Order.State.AWAITING_PAYMENT:
        if payments.close_unfinished(order, now) and _end_unpaid(order, actor=actor, now=now, text=text):
            return Outcome.CANCELLED
        order.refresh_from_db()  # paid at this moment: then it is cancelled as a paid one
        if order.state == Order.State.AWAITING_PAYMENT:
            return Outcome.UNDER_WAY
    with transaction.atomic():
        if stopping.stop(order, actor=actor, now=now, text=text, even_packed=even_packed):
            payment = order.payments.filter(state=Payment.State.PAID).first()
            if payment:
                refunding.ask(payment, now)
            return Outcome.REQUESTED
    over = order.state in {Order.State.CANCELLATION_REQUESTED, Order.State.CANCELLED}
    return Outcome.ALREADY if over else Outcome.TOO_LATE


def pay_back(order: Order, now: dt.datetime) -> bool:
    """Tries once more to pay back a stopped order, with a new key. False: there is nothing to try."""
    payment = order.payments.filter(state=Payment.State.PAID).first()
    failed = differences.of(order, differences.Kind.PAID_BACK).exists()
    over = order.state == Order.State.CANCELLED and not failed
    if payment is None or over or order.state not in {Order.State.CANCELLATION_REQUESTED, Order.State.CANCELLED}:
        return False
    return refunding.ask(payment, now) is not None


@transaction.atomic
def _end_unpaid(order: Order, *, actor: str, now: dt.datetime, text: str) -> bool:
    """False: it was paid, its money is in sight, or another tab opens a page for it just now."""
    hold_row(order)
    if order.state != Order.State.AWAITING_PAYMENT or payments.unfinished(order) or payments.under_way(order):
        return False
    return lifecycle.move_order(order, Order.State.CANCELLED, actor=actor, now=now, text=text)
