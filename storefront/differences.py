"""Notes where the payer's books and ours do not agree, one row for each matter, until it is mended or looked at.

Never moves money or an order.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Final

from django.db.models import QuerySet

from storefront.models import MoneyDifference, Order
from storefront.payer import Checkout, PayerEvent

log = logging.getLogger(__name__)

Kind: Final = MoneyDifference.Kind


def unmatched(checkout: Checkout, order: Order | None, why: str, now: dt.datetime) -> None:
    """Money was taken on that page, and no order can have it."""
    note(
        Kind.UNMATCHED,
        checkout.id,
        why,
        now,
        order=order,
        session=checkout.id,
        intent=checkout.payment_intent or "",
        amount_minor=checkout.amount - checkout.refunded,
        currency=checkout.currency,
    )


def foreign(event: PayerEvent, why: str, now: dt.datetime) -> None:
    """An event that is not for this shop, though it was signed for it: the payer is not asked about it."""
    amount = event.amount if event.amount and event.amount > 0 else None
    session = event.checkout_id or ""
    source = event.payment_intent or session or event.id  # one matter, however many events tell of it
    note(Kind.UNMATCHED, source, why, now, session=session, amount_minor=amount, currency=event.currency)


def note(kind: MoneyDifference.Kind, source: str, why: str, now: dt.datetime, **columns: Any) -> None:
    """Opens the matter, or opens it again if it came back; one that a person has closed stays closed."""
    said = {"why": why[:300], **columns}
    row, made = MoneyDifference.objects.get_or_create(kind=kind, source=source, defaults={"found_at": now, **said})
    same = MoneyDifference.objects.filter(pk=row.pk, by_person=False)
    again = 0 if made else same.exclude(resolved_at=None).update(resolved_at=None, resolution="", found_at=now, **said)
    if made or again:
        log.error("money difference %s (%s): %s", row.kind, source, why)
    else:
        same.filter(resolved_at=None).update(**said)  # a part of it may have gone back meanwhile


def resolve(kind: MoneyDifference.Kind, source: str, how: str, now: dt.datetime, *, by_person: bool = False) -> bool:
    """Closes the matter; False if there is none that is open."""
    rows = MoneyDifference.objects.filter(kind=kind, source=source, resolved_at=None)
    return bool(rows.update(resolved_at=now, resolution=how[:200], by_person=by_person))


def resolve_for(kind: MoneyDifference.Kind, order: Order, how: str, now: dt.datetime) -> int:
    """Closes all matters of that kind with the order."""
    return of(order, kind).update(resolved_at=now, resolution=how[:200])


def of(order: Order, kind: MoneyDifference.Kind) -> QuerySet[MoneyDifference]:
    """What is open of that kind with the order."""
    return MoneyDifference.objects.filter(kind=kind, order=order, resolved_at=None)


def unresolved() -> QuerySet[MoneyDifference]:
    return MoneyDifference.objects.filter(resolved_at=None).select_related("order").order_by("id")
