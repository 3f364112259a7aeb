"""Takes an order out of the plant, and ends it when its money is back. Knows no payer: all of it is one transaction."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import transaction

from fulfillment import intake
from fulfillment.lifecycle import hold_row
from storefront import lifecycle, outbox
from storefront.models import Order

STOPPABLE: Final = (Order.State.PAID, Order.State.IN_PRODUCTION, Order.State.READY)


def stop(order: Order, *, actor: str, now: dt.datetime, text: str, even_packed: bool = False) -> bool:
    """→ cancellation-requested, its shipment taken back. False: too late, or somebody has done it."""
    with transaction.atomic():
        hold_row(order)  # the tick may be moving it at this moment
        if order.state not in STOPPABLE:
            return False
        if order.shipment:
            by = f"order:{order.number}"
            if not intake.cancel(order.shipment, actor=by, now=now, text=text, even_packed=even_packed):
                return False
        return lifecycle.move_order(order, Order.State.CANCELLATION_REQUESTED, actor=actor, now=now, text=text)


def finish(order: Order, *, actor: str, now: dt.datetime, text: str, paid_back: int) -> bool:
    """→ cancelled, with the mail that says so; `paid_back` in minor units."""
    with transaction.atomic():
        hold_row(order)
        if order.state != Order.State.CANCELLATION_REQUESTED:
            return False
        if not lifecycle.move_order(order, Order.State.CANCELLED, actor=actor, now=now, text=text):
            return False
        outbox.post_cancelled(order, paid_back, now)
    return True
