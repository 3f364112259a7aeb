"""Reads what became of shipments and jobs, and moves their orders on; tells how copies by hand ended.

May run twice, or twice at once.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import transaction

from devices import trouble
from fulfillment import intake
from fulfillment.console import intake as console
from fulfillment.models import Copy, Job, Shipment
from storefront import lifecycle, outbox
from storefront.models import Order

ACTOR: Final = "tick"
COMING: Final = (Order.State.PAID, Order.State.IN_PRODUCTION, Order.State.READY)
BEGUN: Final = (Job.State.WRITING, Job.State.MADE)


def read(now: dt.datetime) -> int:
    """Returns how many changes were read."""
    step = "storefront.read-job"
    jobs = intake.changed_jobs(without=trouble.left_alone(step, now))
    read = trouble.each(step, jobs, lambda job: _read_job(job, now), now)
    step = "storefront.read-shipment"
    shipments = intake.changed_shipments(without=trouble.left_alone(step, now))
    read += trouble.each(step, shipments, lambda shipment: _read_shipment(shipment, now), now)
    step = "storefront.read-copy"
    copies = console.changed_copies(without=trouble.left_alone(step, now))
    return read + trouble.each(step, copies, lambda copy: _read_copy(copy, now), now)


def _read_job(job: Job, now: dt.datetime) -> None:
    order = Order.objects.filter(shipment=job.shipment_id).first()
    if order and order.state == Order.State.PAID and job.state in BEGUN:
        lifecycle.move_order(order, Order.State.IN_PRODUCTION, actor=ACTOR, now=now, text="first disc begun")
    intake.mark_read(job)


def _read_shipment(shipment: Shipment, now: dt.datetime) -> None:
    order = Order.objects.filter(shipment=shipment).first()
    if order is None or _follow(order, shipment, now):
        intake.mark_read(shipment)


@transaction.atomic
def _read_copy(copy: Copy, now: dt.datetime) -> None:
    """Whoever started it is told how it ended, unless he ended it himself."""
    by_himself = copy.state == Copy.State.CANCELLED and copy.cancelled_by == copy.asked_by
    if copy.ended_at and copy.email and not by_himself:
        outbox.post_copy_ended(copy, now)
    console.mark_read(copy)


@transaction.atomic
def _follow(order: Order, shipment: Shipment, now: dt.datetime) -> bool:
    """Moves the order to what its shipment says; False if another tick moved it meanwhile: then it is read again."""
    order.shipment = shipment
    made = shipment.state in {Shipment.State.READY, Shipment.State.PACKED, Shipment.State.SHIPPED}
    if made and order.state in {Order.State.PAID, Order.State.IN_PRODUCTION}:
        text = "all discs made and verified"
        if not lifecycle.move_order(order, Order.State.READY, actor=ACTOR, now=now, text=text):
            return False
    if shipment.state == Shipment.State.SHIPPED and order.state == Order.State.READY:
        if not lifecycle.move_order(order, Order.State.SHIPPED, actor=ACTOR, now=now, text=shipment.tracking):
            return False
        outbox.post_shipped(order, now)
    elif order.state in COMING and _later_than_promised(shipment):
        outbox.post_new_date(order, shipment, now)
    return True


def _later_than_promised(shipment: Shipment) -> bool:
    return bool(shipment.promised_on and shipment.estimated_on and shipment.estimated_on > shipment.promised_on)
