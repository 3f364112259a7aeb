"""From cart to order row. The row, with its number, exists before anybody is asked for money."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from structlog.contextvars import bind_contextvars

from fulfillment.models import ADDRESS_FIELDS
from fulfillment.quotes import Option
from storefront import lifecycle
from storefront.cart import CartLine, goods_total
from storefront.models import Order, OrderLine, Payment
from storefront.models.orders import new_number, new_token
from storefront.pricing import included_tax

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a customer says at the checkout, checked by `CheckoutForm`. `key` names the checkout itself."""

    key: UUID
    email: str
    phone: str
    address: dict[str, str]
    service: str
    wanted_on: dt.date | None

    @classmethod
    def of(cls, key: UUID, cleaned: dict[str, Any]) -> Draft:
        return cls(
            key=key,
            email=cleaned["email"],
            phone=cleaned["phone"],
            address={name: cleaned[name] for name in ADDRESS_FIELDS},
            service=cleaned["service"].key,
            wanted_on=cleaned["wanted_on"],
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """What an order comes to, as the customer sees it before paying; minor units."""

    lines: Sequence[CartLine]
    option: Option

    @property
    def goods_minor(self) -> int:
        return goods_total(list(self.lines))

    @property
    def total_minor(self) -> int:
        return self.goods_minor + self.option.price_minor

    @property
    def tax_minor(self) -> int:
        shipping_tax = included_tax(self.option.price_minor, settings.SPINDLE_TAX_PERMILLE)
        return sum(line.price.tax for line in self.lines) + shipping_tax


class AlreadyPlaced(Exception):
    """This checkout became an order that is paid for, or changed under the customer's hands: look at that order."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"{self.__doc__} ({order.number})")
        self.order = order


def content_digest(draft: Draft, summary: Summary) -> str:
    """Names what is paid for: the same content may be paid for with a session that is open already."""
    content = {
        "email": draft.email,
        "phone": draft.phone,
        "address": draft.address,
        "wanted_on": draft.wanted_on,
        "service": draft.service,
        "lines": [(line.version.pk, line.product.format, line.copies, line.price.total) for line in summary.lines],
        "total": summary.total_minor,
        "currency": settings.SPINDLE_CURRENCY,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def find(key: UUID) -> Order | None:
    return Order.objects.filter(checkout=key).first()


def place(draft: Draft, summary: Summary, *, actor: str, now: dt.datetime) -> Order:
    """The order of this checkout: made at the first call, brought up to date at later ones until it is paid for.

    The caller has closed any payment of other content first. Raises AlreadyPlaced.
    """
    try:
        return _make(draft, summary, actor=actor, now=now)
    except IntegrityError:  # this checkout has its row, perhaps by the other half of a double click
        order = find(draft.key)
        if order is None:  # then it was the number: one in 10¹² is taken
            return _make(draft, summary, actor=actor, now=now)
    _rewrite(order, draft, summary, actor=actor, now=now)
    return order


def _make(draft: Draft, summary: Summary, *, actor: str, now: dt.datetime) -> Order:
    with transaction.atomic():
        order = Order(
            checkout=draft.key, number=new_number(), token=new_token(), received_at=now, **_columns(draft, summary)
        )
        order.save(force_insert=True)
        _write_lines(order, summary)
        lifecycle.log_order(order, actor=actor, now=now, new=order.state, text=f"received: {order.total}")
    bind_contextvars(**order.about)
    log.info("order %s received: %s lines, %s", order.number, len(summary.lines), order.total)
    return order


def _rewrite(order: Order, draft: Draft, summary: Summary, *, actor: str, now: dt.datetime) -> None:
    columns = _columns(draft, summary)
    if _unchanged(order, columns, summary):
        return  # clicked twice: nothing to write, and nothing for the other click to lose its page by
    with transaction.atomic():
        if order.payments.filter(state__in=Payment.UNFINISHED).exists():
            raise AlreadyPlaced(order)  # another tab has a page open for it
        changed = Order.objects.filter(pk=order.pk, state=Order.State.AWAITING_PAYMENT, revision=order.revision).update(
            revision=F("revision") + 1, **columns
        )
        if not changed:
            raise AlreadyPlaced(order)
        order.refresh_from_db()
        order.lines.all().delete()
        _write_lines(order, summary)
        text = f"changed before payment: {order.total}"
        lifecycle.log_order(order, actor=actor, now=now, old=order.state, new=order.state, text=text)


def _unchanged(order: Order, columns: dict[str, Any], summary: Summary) -> bool:
    if order.state != Order.State.AWAITING_PAYMENT or any(getattr(order, name) != columns[name] for name in columns):
        return False
    lines = {(line.version_id, line.format, line.copies, line.unit_minor) for line in order.lines.all()}
    return lines == {
        (line.version.pk, line.product.format, line.copies, line.product.price_minor) for line in summary.lines
    }


def _columns(draft: Draft, summary: Summary) -> dict[str, Any]:
    option = summary.option
    return {
        **draft.address,
        "email": draft.email,
        "phone": draft.phone,
        "service": option.service,
        "wanted_on": draft.wanted_on,
        "shown_on": option.arrives_on,
        "plan_run_id": option.plan_run,
        "currency": settings.SPINDLE_CURRENCY,
        "goods_minor": summary.goods_minor,
        "shipping_minor": option.price_minor,
        "tax_minor": summary.tax_minor,
        "total_minor": summary.total_minor,
    }


def _write_lines(order: Order, summary: Summary) -> None:
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            version=line.version,
            format=line.product.format,
            copies=line.copies,
            unit_minor=line.product.price_minor,
            total_minor=line.price.total,
            tax_minor=line.price.tax,
        )
        for line in summary.lines
    )
