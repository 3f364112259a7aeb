"""What staff do by hand: put jobs first, hold and release them, pack and ship parcels. False: its state forbids it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from devices.text import clean
from fulfillment import estimates, learning, lifecycle, ranking
from fulfillment.models import Job, Shipment
from fulfillment.reasons import HELD_BY_HAND

PUT_FIRST: Final = "put first"
PUT_BACK: Final = "no longer put first"


def with_their_orders(jobs: Iterable[Job]) -> list[Job]:
    """These jobs and all others of their parcels: a parcel leaves whole, so its jobs come first together."""
    shipments = {job.shipment_id for job in jobs}
    return list(Job.objects.filter(shipment__in=shipments).select_related("image").order_by("pk"))


def put_first(job: Job, actor: str, now: dt.datetime) -> bool:
    """Before all others; of several that were put first, the last one foremost."""
    return _put(job, now, PUT_FIRST, actor, now)


def put_back(job: Job, actor: str, now: dt.datetime) -> bool:
    """To where the policy puts it."""
    return _put(job, None, PUT_BACK, actor, now)


def _put(job: Job, at: dt.datetime | None, text: str, actor: str, now: dt.datetime) -> bool:
    policy, rates = ranking.in_force(now), learning.typical_rates()
    with transaction.atomic():
        lifecycle.hold_row(job)  # a tick that moves it at this moment is no reason to refuse
        if job.state not in Job.OPEN or (at is None and job.put_first_at is None):
            return False
        job.put_first_at = at
        ranking.place(job, policy, rates)
        place = {column: getattr(job, column) for column in ranking.PLACE}
        Job.objects.filter(pk=job.pk).update(put_first_at=at, **place)
        return lifecycle.move_job(job, Job.State(job.state), actor=actor, now=now, reason=job.reason, text=text)


def hold(job: Job, actor: str, now: dt.datetime, why: str = "") -> bool:
    """No new disc is begun for it; discs under way are finished and kept for it."""
    if job.state not in {Job.State.WAITING, Job.State.WRITING}:
        return False
    reason = clean(f"{HELD_BY_HAND}: {why}" if why else f"{HELD_BY_HAND}.", 200)
    return lifecycle.move_job(job, Job.State.HELD, actor=actor, now=now, reason=reason)


def release(job: Job, actor: str, now: dt.datetime) -> bool:
    """Lets a held job go on; the bad discs that held it are forgiven."""
    if job.state != Job.State.HELD:
        return False
    return lifecycle.move_job(job, Job.State.WAITING, actor=actor, now=now, text="released", forgiven=job.lost)


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
