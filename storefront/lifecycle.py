"""The only module that writes the state of an order or a payment.

Each change is a compare-and-set with its event in the same transaction; False means somebody was first: stop quietly.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from storefront.models import Order, OrderEvent, Payment

S = Order.State
ORDER_TRANSITIONS: Final = {
    S.AWAITING_PAYMENT: {S.PAID, S.CANCELLED},
    S.PAID: {S.IN_PRODUCTION, S.READY, S.CANCELLATION_REQUESTED},
    S.IN_PRODUCTION: {S.READY, S.CANCELLATION_REQUESTED},
    S.READY: {S.SHIPPED, S.CANCELLATION_REQUESTED},
    S.SHIPPED: set[Order.State](),
    S.CANCELLATION_REQUESTED: {S.CANCELLED, S.IN_PRODUCTION, S.READY, S.SHIPPED},
    S.CANCELLED: set[Order.State](),
}

P = Payment.State
PAYMENT_TRANSITIONS: Final = {
    P.OPENING: {P.OPEN, P.EXPIRED, P.PAID},  # paid: the payer's word came before our own note of its session
    P.OPEN: {P.PAID, P.EXPIRED},
    P.EXPIRED: {P.PAID},  # the customer was quicker than our wish to close the page: money wins
    P.PAID: set[Payment.State](),
}


class ImpossibleMove(Exception):
    """A change of state that the transition table does not know: a fault in the program, never in its input."""


def move_order(order: Order, new: Order.State, *, actor: str, now: dt.datetime, text: str = "", **also: Any) -> bool:
    """Moves an order on from the state it was read in; `also` are columns set in the same breath."""
    old = Order.State(order.state)
    if new not in ORDER_TRANSITIONS[old]:
        raise ImpossibleMove(f"order {order.number}: {old} → {new}")
    with transaction.atomic():
        moved = Order.objects.filter(pk=order.pk, state=old).update(state=new, revision=F("revision") + 1, **also)
        if not moved:
            return False
        log_order(order, actor=actor, now=now, old=old, new=new, text=text)
    order.state = new
    for name, value in also.items():
        setattr(order, name, value)
    return True


def log_order(order: Order, *, actor: str, now: dt.datetime, new: str, old: str = "", text: str = "") -> None:
    OrderEvent.objects.create(order=order, at=now, actor=actor, old=old, new=new, text=text[:300])


def move_payment(payment: Payment, new: Payment.State, **also: Any) -> bool:
    old = Payment.State(payment.state)
    if new not in PAYMENT_TRANSITIONS[old]:
        raise ImpossibleMove(f"payment {payment.key}: {old} → {new}")
    if not Payment.objects.filter(pk=payment.pk, state=old).update(state=new, **also):
        return False
    payment.state = new
    for name, value in also.items():
        setattr(payment, name, value)
    return True
