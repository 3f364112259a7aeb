"""Pays money back, whole and once, and books what was paid back or disputed at the payer's.

A refund is a row with its key before the payer is called, and is tried again with that key until the payer has said
yes or no. No call is made inside a transaction.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Final

from django.db import transaction
from django.db.models import Sum

from fulfillment.lifecycle import hold_row
from storefront import differences, lifecycle, stopping
from storefront.models import MoneyDifference, Order, Payment, Refund
from storefront.payer import Checkout, PayerRefused, PayerUnreachable, payer
from storefront.pricing import format_amount

log = logging.getLogger(__name__)

LEASE: Final = dt.timedelta(minutes=2)  # longer than the calls of one try can take
LONGEST_PAUSE: Final = dt.timedelta(hours=1)
ACTOR: Final = "payer"


def paid_back(payment: Payment) -> int:
    """Minor units that have gone back of it, as far as we know."""
    done = payment.refunds.filter(state=Refund.State.DONE).aggregate(Sum("amount_minor"))
    return done["amount_minor__sum"] or 0


def ask(payment: Payment, now: dt.datetime) -> Refund | None:
    """The refund of all that is left of a payment, to be made by the next tick; None if nothing is left."""
    with transaction.atomic():
        hold_row(payment)
        if asked := payment.refunds.filter(state=Refund.State.ASKED).first():
            return asked
        left = payment.amount_minor - paid_back(payment)
        if left <= 0:
            return None
        return Refund.objects.create(
            payment=payment,
            key=f"refund-{payment.order.number}-{payment.refunds.count() + 1}",
            session=payment.session or "",
            amount_minor=left,
            currency=payment.currency,
            next_try_at=now,
            created_at=now,
        )


def ask_for_difference(row: MoneyDifference, now: dt.datetime) -> Refund | None:
    """The refund of money that no order can have; None if it has no page or amount, or is asked for already."""
    with transaction.atomic():
        MoneyDifference.objects.filter(pk=row.pk).update(found_at=row.found_at)  # two clicks: one after the other
        row.refresh_from_db()
        waiting = row.refunds.filter(state=Refund.State.ASKED).exists()
        if row.resolved_at or waiting or row.kind != MoneyDifference.Kind.UNMATCHED or not row.amount_minor:
            return None
        if not row.session or not row.intent:
            return None
        return Refund.objects.create(
            difference=row,
            key=f"refund-{row.session}-{row.refunds.count() + 1}",
            session=row.session,
            amount_minor=row.amount_minor,
            currency=row.currency,
            next_try_at=now,
            created_at=now,
        )


def send_due(now: dt.datetime, limit: int = 10) -> int:
    """One try for each refund that is due; returns how many were done. Two at once pay back once."""
    due = Refund.objects.filter(state=Refund.State.ASKED, next_try_at__lte=now)
    done = 0
    for refund in due.select_related("payment__order", "difference").order_by("next_try_at", "id")[:limit]:
        try:
            done += _try(refund, now)
        except PayerUnreachable as error:
            _postpone(refund, str(error), now)
            break  # the others would wait as long for as little
    return done


def _postpone(refund: Refund, reason: str, now: dt.datetime) -> None:
    pause = min(dt.timedelta(seconds=5 * 2 ** min(refund.attempts, 12)), LONGEST_PAUSE)
    lifecycle.refund_postponed(refund, until=now + pause, reason=reason)
    log.warning("refund %s postponed by %s: %s", refund.key, pause, reason)


def _try(refund: Refund, now: dt.datetime) -> bool:
    if not lifecycle.refund_begun(refund, until=now + LEASE):
        return False
    try:
        checkout = _made(refund, now)
    except PayerRefused as refused:
        lifecycle.move_refund(refund, Refund.State.REFUSED, now=now, reason=str(refused))
        log.error("refund %s refused: %s", refund.key, refused)
        return False
    if refund.payment:
        take_up(refund.payment, checkout, now)
    elif refund.difference:
        _book_for_difference(refund, refund.difference, checkout, now)
    refund.refresh_from_db()
    if refund.state == Refund.State.ASKED:
        _postpone(refund, f"The payer says that {checkout.refunded} of {checkout.amount} went back.", now)
    return refund.state == Refund.State.DONE


def _made(refund: Refund, now: dt.datetime) -> Checkout:
    """Asks for it, unless so much went back already: then an earlier answer was lost, or somebody did it by hand.

    The payer forgets a key after a day, so the key alone is no proof.
    """
    known = paid_back(refund.payment) if refund.payment else 0
    checkout = payer().checkout(refund.session)
    if refund.payment:
        due = checkout.refunded == known
        if checkout.refunded < known:
            _book_failed(refund.payment, known, checkout, now)
    else:
        due = checkout.amount - checkout.refunded == refund.amount_minor
    if due and not checkout.payment_intent:
        raise PayerRefused(f"The payer knows of no payment on {refund.session}.")
    if due and checkout.payment_intent:
        payer().refund(checkout.payment_intent, refund.amount_minor, refund.key)
        checkout = payer().checkout(refund.session)
    return checkout


def _book_for_difference(refund: Refund, row: MoneyDifference, checkout: Checkout, now: dt.datetime) -> None:
    """Money that no order can have is settled when all of it is back, and not before."""
    left = checkout.amount - checkout.refunded
    with transaction.atomic():
        if left <= 0:
            if lifecycle.move_refund(refund, Refund.State.DONE, now=now):
                differences.resolve(differences.Kind.UNMATCHED, row.source, "paid back", now)
        elif left != refund.amount_minor:  # another amount needs another key
            reason = "Another part of it was paid back meanwhile."
            lifecycle.move_refund(refund, Refund.State.REFUSED, now=now, reason=reason)
            MoneyDifference.objects.filter(pk=row.pk).update(amount_minor=left)
            ask_for_difference(row, now)


def look_for_failed(checkout: Checkout, now: dt.datetime) -> None:
    """Books refunds that failed after they were made, if that page now says less than we know. Asks it once more:

    what we came to know between its answer and this look is no failure. Never call it inside a transaction.
    """
    payment = Payment.objects.select_related("order").filter(state=Payment.State.PAID, session=checkout.id).first()
    if payment is None or checkout.refunded >= (known := paid_back(payment)):
        return
    fresh = payer().checkout(checkout.id)
    if fresh.refunded < known:
        _book_failed(payment, known, fresh, now)


def _book_failed(payment: Payment, known: int, checkout: Checkout, now: dt.datetime) -> None:
    """`known` was read before the payer was asked. The newest refunds that make up what is missing have failed."""
    with transaction.atomic():
        order = payment.order
        hold_row(order)
        hold_row(payment)
        payment.order = order
        if paid_back(payment) != known:
            return  # somebody books at this moment; it is looked at again
        missing = known - checkout.refunded
        gone, knew = format_amount(checkout.refunded, payment.currency), format_amount(known, payment.currency)
        why = f"{knew} of order {order.number} was paid back, the payer says {gone}: a refund failed"
        columns = {"order": order, "session": checkout.id, "currency": payment.currency, "amount_minor": missing}
        differences.note(differences.Kind.PAID_BACK, payment.key, why, now, **columns)
        for refund in payment.refunds.filter(state=Refund.State.DONE).order_by("-id"):
            if refund.amount_minor <= missing:
                missing -= refund.amount_minor
                lifecycle.move_refund(refund, Refund.State.REFUSED, now=now, reason="It failed after it was made.")
        asked = payment.refunds.filter(state=Refund.State.ASKED).first()
        if asked:
            _ask_anew(payment, asked, "An earlier refund failed meanwhile.", now)
    log.error("a refund of order %s failed: %s", order.number, why)


def _ask_anew(payment: Payment, asked: Refund, reason: str, now: dt.datetime) -> None:
    """What is left is another amount now: another refund, with another key, asks for it."""
    lifecycle.move_refund(asked, Refund.State.REFUSED, now=now, reason=reason)
    ask(payment, now)


def take_up(payment: Payment, checkout: Checkout, now: dt.datetime) -> None:
    """Books what the payer says went back of this payment, and stops the order of a payment that is no more.

    Level-triggered: however often it is told, and in whatever order. What is less than we know is an old answer, or
    a refund that failed: `look_for_failed` tells which.
    """
    if not (checkout.refunded or checkout.disputed):
        return
    with transaction.atomic():
        order = payment.order
        hold_row(order)  # the order before its payment, as everywhere: two ways round would be a deadlock
        hold_row(payment)
        payment.order = order
        elsewhere = _book(payment, checkout.refunded - paid_back(payment), checkout.refunded, now)
        back = paid_back(payment)
        if back >= payment.amount_minor:
            stopping.stop(order, actor=ACTOR, now=now, text="paid back at the payer's", even_packed=True)
            stopping.finish(order, actor=ACTOR, now=now, text="all is paid back", paid_back=back)
            differences.resolve_for(differences.Kind.PAID_BACK, order, "all is paid back", now)
        elif elsewhere:
            _tell_part(payment, back, now)
        if checkout.disputed and payment.disputed_at is None:
            Payment.objects.filter(pk=payment.pk).update(disputed_at=now)
            payment.disputed_at = now
            # Its money is not ours to pay back while the bank decides: a person does what comes next.
            stopping.stop(order, actor=ACTOR, now=now, text="the payment is disputed", even_packed=True)


def _book(payment: Payment, unexplained: int, total: int, now: dt.datetime) -> int:
    """Gives what went back to the refund we asked for, and the rest to one made elsewhere; returns the rest."""
    asked = payment.refunds.filter(state=Refund.State.ASKED).first()
    if asked and unexplained >= asked.amount_minor and lifecycle.move_refund(asked, Refund.State.DONE, now=now):
        unexplained -= asked.amount_minor
        asked = None
    if unexplained <= 0:
        return 0
    Refund.objects.create(
        payment=payment,
        key=f"elsewhere-{payment.key}-{total}",
        session=payment.session or "",
        amount_minor=unexplained,
        currency=payment.currency,
        elsewhere=True,
        state=Refund.State.DONE,
        next_try_at=now,
        created_at=now,
        done_at=now,
    )
    if asked:
        _ask_anew(payment, asked, "A part was paid back meanwhile.", now)
    return unexplained


def _tell_part(payment: Payment, back: int, now: dt.datetime) -> None:
    """A part was paid back by hand: the order goes on, and a person says whether it should."""
    if payment.order.state not in {Order.State.AWAITING_PAYMENT, *stopping.STOPPABLE}:
        return  # the rest is under way, or it has left already and this is a kindness
    amount = format_amount(back, payment.currency)
    why = f"{amount} of {payment.order.total} for order {payment.order.number} was paid back at the payer's."
    columns = {"order": payment.order, "session": payment.session or "", "amount_minor": back}
    source = f"{payment.key}:{back}"
    differences.note(differences.Kind.PAID_BACK, source, why, now, currency=payment.currency, **columns)


def close_without(order: Order, *, actor: str, now: dt.datetime) -> bool:
    """Ends a stopped order whose money went back by a dispute, or the matter of a shipped one. We pay nothing."""
    with transaction.atomic():
        payment = order.payments.filter(state=Payment.State.PAID, disputed_at__isnull=False).first()
        if order.state == Order.State.SHIPPED and payment:
            return bool(Payment.objects.filter(pk=payment.pk, dispute_over_at=None).update(dispute_over_at=now))
        if payment is None or payment.refunds.filter(state=Refund.State.ASKED).exists():
            return False
        Payment.objects.filter(pk=payment.pk, dispute_over_at=None).update(dispute_over_at=now)
        text = "the dispute took the money back"
        return stopping.finish(order, actor=actor, now=now, text=text, paid_back=payment.amount_minor)
