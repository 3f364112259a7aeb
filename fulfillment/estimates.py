"""Keeps each open shipment's estimated arrival in step with the newest projection. The promise itself never moves."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import F, Prefetch

from devices import trouble
from fulfillment import dates
from fulfillment.models import Job, Shipment, ShipmentEvent
from fulfillment.planning.model import Projection
from fulfillment.promise import arrives_on, handed_over_on, promise

ACTOR = "tick"


def refresh(projection: Projection, now: dt.datetime) -> None:
    today = dates.local_date(now)
    calendar = dates.shop_calendar(today)
    ready = {shipment: at for shipment, at in _ready_times(projection, now)}

    def follow(shipment: Shipment) -> None:
        transit = dates.transit(shipment.service, str(shipment.country), today, shipment.region)
        arrival = promise(ready[shipment], calendar, transit, dates.wanted_share()) if transit else None
        if arrival and arrival.arrives_on != shipment.estimated_on:
            _move(shipment, arrival.arrives_on, now)

    trouble.each("fulfillment.estimate", ready, follow, now)


def _ready_times(projection: Projection, now: dt.datetime) -> list[tuple[Shipment, dt.datetime]]:
    """Open shipments with the time their last job is, or will be, made; one with an unprojected job is left out."""
    shipments = Shipment.objects.prefetch_related(Prefetch("service", dates.services()))
    # What is made but not packed can't have left yet, however long ago it was made.
    made = [(shipment, now) for shipment in shipments.filter(state=Shipment.State.READY)]
    projected = []
    for shipment in shipments.filter(state=Shipment.State.PREPARING).prefetch_related("jobs"):
        finishes = [_finish(job, projection, now) for job in shipment.jobs.all() if job.state != Job.State.CANCELLED]
        known = [finish for finish in finishes if finish is not None]
        if known and len(known) == len(finishes):
            projected.append((shipment, dt.datetime.fromtimestamp(max(known), dt.UTC)))
    return made + projected


def arrival_if_handed_over(shipment: Shipment, now: dt.datetime) -> dt.date | None:
    """When a packed parcel arrives: it only waits for the carrier."""
    today = dates.local_date(now)
    way = dates.transit(shipment.service, str(shipment.country), today, shipment.region)
    day = handed_over_on(now, dates.shop_calendar(today), way) if way else None
    return arrives_on(day, way, dates.wanted_share()) if way and day else None


def _finish(job: Job, projection: Projection, now: dt.datetime) -> float | None:
    if job.state == Job.State.MADE:
        return (job.made_at or now).timestamp()
    return projection.finishes.get(str(job.pk))


def _move(shipment: Shipment, arrives_on: dt.date, now: dt.datetime) -> None:
    old = shipment.estimated_on
    with transaction.atomic():
        moved = Shipment.objects.filter(pk=shipment.pk, state=shipment.state, estimated_on=old).update(
            estimated_on=arrives_on, revision=F("revision") + 1
        )
        if moved:
            text = f"estimated arrival {arrives_on:%Y-%m-%d}" + (f", was {old:%Y-%m-%d}" if old else "")
            ShipmentEvent.objects.create(
                shipment=shipment, at=now, actor=ACTOR, old=shipment.state, new=shipment.state, text=text
            )
