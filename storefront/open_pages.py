"""Looks after hosted pages that are still open: asks about those nobody told of, closes those nobody should pay on.

Bounded, and found in the rows: may run twice at once. Stops at the first call that the payer does not answer.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Final

from django.db.models import Q

from storefront import lifecycle, payments
from storefront.models import Order, Payment
from storefront.payer import NoSuchPage, PayerRefused, PayerUnreachable, payer

log = logging.getLogger(__name__)

LOOK_LAST: Final = dt.timedelta(hours=6)
LEASE: Final = dt.timedelta(minutes=2)  # longer than the calls for one page can take


def close_needless(now: dt.datetime, limit: int = 10) -> int:
    """Closes pages on which nobody should pay any more: their order is paid by another one, or cancelled."""
    free = Q(closing_until=None) | Q(closing_until__lte=now)
    needless = Payment.objects.filter(free, state__in=Payment.UNFINISHED).exclude(
        order__state=Order.State.AWAITING_PAYMENT
    )
    done = 0
    for payment in needless.select_related("order").order_by("id")[:limit]:
        if not Payment.objects.filter(free, pk=payment.pk).update(closing_until=now + LEASE):
            continue
        try:
            payments.close_unfinished(payment.order, now)
            done += 1
        except PayerUnreachable as error:
            log.warning("the page of payment %s is still open: %s", payment.key, error)
            break
        except NoSuchPage as unknown:
            log.error("the page of payment %s is not the payer's: %s", payment.key, unknown)
            lifecycle.move_payment(payment, Payment.State.EXPIRED)
        except PayerRefused as refused:  # it may still be paid: tried again
            log.error("the page of payment %s can't be closed: %s", payment.key, refused)
    return done


def look_again(now: dt.datetime, limit: int = 10) -> int:
    """Asks the payer about open pages, seldom and more seldom: what a lost webhook would have told."""
    due = Payment.objects.filter(state__in=Payment.UNFINISHED, look_at__lte=now, session__isnull=False)
    looked = 0
    for payment in due.order_by("look_at")[:limit]:
        pause = min(max(now - payment.created_at, payments.LOOK_FIRST), LOOK_LAST)
        if not Payment.objects.filter(pk=payment.pk, look_at=payment.look_at).update(look_at=now + pause):
            continue
        try:
            payments.settle(payer().checkout(payment.session or ""), now)
            looked += 1
        except PayerUnreachable as error:
            log.warning("payment %s can't be looked at: %s", payment.key, error)
            break
        except PayerRefused as refused:
            log.warning("payment %s can't be looked at: %s", payment.key, refused)
    return looked
