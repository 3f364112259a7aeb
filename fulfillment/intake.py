"""The door from above: storefront asks for a shipment and its jobs, and reads what became of them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from archive.models import Image
from fulfillment import dates, ranking
from fulfillment.models import Job, JobEvent, Service, Shipment, ShipmentEvent


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One line: an image on a format, so many times. `reference` is unique for ever: asking twice makes one job."""

    reference: str
    image: Image
    title: str
    part_number: str
    format: str
    copies: int


@dataclass(frozen=True, slots=True)
class WantedShipment:
    """A parcel: to whom, how, what is in it, and the arrival promised (with the roll-forward that says so)."""

    reference: str
    address: dict[str, str]
    service: Service
    lines: Sequence[WantedLine]
    received_at: dt.datetime
    promised_on: dt.date | None
    plan_run: int | None
    wanted_on: dt.date | None


def accept(wanted: WantedShipment, *, actor: str, now: dt.datetime) -> Shipment:
    """Makes the shipment and its jobs, all or none, once per reference: asking twice changes nothing."""
    with transaction.atomic():
        shipment, made = Shipment.objects.get_or_create(
            reference=wanted.reference,
            defaults={
                "service": wanted.service,
                "received_at": wanted.received_at,
                "promised_on": wanted.promised_on,
                "estimated_on": wanted.promised_on,
                "plan_run_id": wanted.plan_run,
                **wanted.address,
            },
        )
        if made:
            ShipmentEvent.objects.create(shipment=shipment, at=now, actor=actor, new=shipment.state, text="accepted")
            arrive_on = min(filter(None, (wanted.promised_on, wanted.wanted_on)), default=None)
            due = dates.due(arrive_on, wanted.service, str(shipment.country)) if arrive_on else None
            for line in wanted.lines:
                _make_job(shipment, line, due=due, actor=actor, now=now)
    return shipment


def _make_job(shipment: Shipment, line: WantedLine, *, due: dt.datetime | None, actor: str, now: dt.datetime) -> None:
    job = Job(
        id=uuid.uuid4(),
        reference=line.reference,
        shipment=shipment,
        image=line.image,
        title=line.title,
        part_number=line.part_number,
        format=line.format,
        copies=line.copies,
        due=due,
        received_at=shipment.received_at,
    )
    job.rank = ranking.rank_of(job)
    job.save(force_insert=True)
    JobEvent.objects.create(job=job, at=now, actor=actor, new=job.state, text="accepted")


def changed_shipments(limit: int = 200) -> list[Shipment]:
    """Shipments changed since the floor above last read them."""
    return list(Shipment.objects.filter(revision__gt=F("revision_read")).order_by("received_at")[:limit])


def changed_jobs(limit: int = 200) -> list[Job]:
    """Jobs changed since the floor above last read them."""
    return list(Job.objects.filter(revision__gt=F("revision_read")).order_by("rank")[:limit])


def mark_read(row: Job | Shipment) -> bool:
    """Notes that `row` was read at its revision; False if it has changed since, and comes again."""
    model = type(row)
    return bool(model._default_manager.filter(pk=row.pk, revision=row.revision).update(revision_read=row.revision))
