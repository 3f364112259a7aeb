"""What staff do by hand: hold and release jobs, pack and ship parcels. False: the state doesn't allow it."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from fulfillment import allocation, estimates, lifecycle
from fulfillment.models import Job, Shipment

HELD_BY_HAND = "Held by an operator."


def hold(job: Job, actor: str, now: dt.datetime) -> bool:
    """No new disc is begun for it; discs under way are finished and kept for it."""
    if job.state not in {Job.State.WAITING, Job.State.WRITING}:
        return False
    return lifecycle.move_job(job, Job.State.HELD, actor=actor, now=now, reason=HELD_BY_HAND)


def release(job: Job, actor: str, now: dt.datetime) -> bool:
    """Lets a held job go on; the bad discs that held it are forgiven."""
    if job.state != Job.State.HELD:
        return False
    lost = sum(allocation.spoilt([job.pk])[job.pk].values())
    with transaction.atomic():
        Job.objects.filter(pk=job.pk).update(forgiven=lost)
        return lifecycle.move_job(job, Job.State.WAITING, actor=actor, now=now, text="released")


def pack(shipment: Shipment, actor: str, now: dt.datetime) -> bool:
    if shipment.state != Shipment.State.READY:
        return False
    arrival = estimates.arrival_if_handed_over(shipment, now) or shipment.estimated_on
    return lifecycle.move_shipment(shipment, Shipment.State.PACKED, actor=actor, now=now, estimated_on=arrival)


def ship(shipment: Shipment, actor: str, now: dt.datetime) -> bool:
    """Handed to the carrier. What was not packed is not shipped."""
    if shipment.state != Shipment.State.PACKED:
        return False
    arrival = estimates.arrival_if_handed_over(shipment, now) or shipment.estimated_on
    return lifecycle.move_shipment(
        shipment, Shipment.State.SHIPPED, actor=actor, now=now, text=shipment.tracking, estimated_on=arrival
    )
