"""The only module that writes the state of an order, a payment or a refund.

Each change is a compare-and-set with its event in the same transaction; False means somebody was first: stop quietly.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from storefront.models import Order, OrderEvent, Payment, Refund

log = logging.getLogger(__name__)

S = Order.State
ORDER_TRANSITIONS: Final = {
    S.AWAITING_PAYMENT: {S.PAID, S.CANCELLED},
    S.PAID: {S.IN_PRODUCTION, S.READY, S.CANCELLATION_REQUESTED},
    S.IN_PRODUCTION: {S.READY, S.CANCELLATION_REQUESTED},
    S.READY: {S.SHIPPED, S.CANCELLATION_REQUESTED},
    S.SHIPPED: set[Order.State](),
    S.CANCELLATION_REQUESTED: {S.CANCELLED},  # its shipment was taken back in the same transaction: no way on
    S.CANCELLED: set[Order.State](),
}

P = Payment.State
PAYMENT_TRANSITIONS: Final = {
    P.OPENING: {P.OPEN, P.EXPIRED, P.PAID},  # paid: the payer's word came before our own note of its session
    P.OPEN: {P.PAID, P.EXPIRED},
    P.EXPIRED: {P.PAID},  # the customer was quicker than our wish to close the page: money wins
    P.PAID: set[Payment.State](),
}


R = Refund.State
REFUND_TRANSITIONS: Final = {
    R.ASKED: {R.DONE, R.REFUSED},
    R.REFUSED: set[Refund.State](),  # another try is another refund, with another key
    R.DONE: {R.REFUSED},  # days later the customer's bank sent it back
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
    about = order.about | {"old": old, "new": new}
    # Not before it is so. What somebody wrote beside it stays in the database.
    transaction.on_commit(lambda: log.info("order %s", new, extra=about), robust=True)


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


def refund_begun(refund: Refund, *, until: dt.datetime) -> bool:
    """Counts a try before it is made: one that dies without a word was a try too, and the next comes after `until`."""
    begun = Refund.objects.filter(pk=refund.pk, state=R.ASKED, attempts=refund.attempts).update(
        attempts=F("attempts") + 1, next_try_at=until
    )
    refund.attempts += begun
    return bool(begun)


def refund_postponed(refund: Refund, *, until: dt.datetime, reason: str) -> bool:
    rows = Refund.objects.filter(pk=refund.pk, state=R.ASKED, attempts=refund.attempts)
    return bool(rows.update(next_try_at=until, reason=reason[:300]))


def move_refund(refund: Refund, new: Refund.State, *, now: dt.datetime, reason: str = "") -> bool:
    old = Refund.State(refund.state)
    if new not in REFUND_TRANSITIONS[old]:
        raise ImpossibleMove(f"refund {refund.key}: {old} → {new}")
    also = {"done_at": now} if new == R.DONE else {}
    if not Refund.objects.filter(pk=refund.pk, state=old).update(state=new, reason=reason[:300], **also):
        return False
    refund.state = new
    return True
