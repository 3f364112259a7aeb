"""The door from above: storefront asks for a shipment and its jobs, takes it back, and reads what became of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from archive.models import Image
from fulfillment import dates, foreseeing, learning, lifecycle, ranking
from fulfillment.foreseeing import Foreseen
from fulfillment.models import Allocation, Job, JobEvent, Paper, Service, Shipment, ShipmentEvent
from fulfillment.recalls import recall_cancelled


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
    foreseen: Foreseen | None = None


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
                "hand_over_by": _hand_over_by(wanted),
                "plan_run_id": wanted.plan_run,
                **wanted.address,
            },
        )
        if made:
            ShipmentEvent.objects.create(shipment=shipment, at=now, actor=actor, new=shipment.state, text="accepted")
            if wanted.foreseen:
                foreseeing.remember(shipment, wanted.foreseen)
            arrive_on = min(filter(None, (wanted.promised_on, wanted.wanted_on)), default=None)
            to = (str(shipment.country), shipment.region)
            due = dates.due(arrive_on, wanted.service, *to) if arrive_on else None
            policy, rates = ranking.in_force(now), learning.typical_rates()
            for line in wanted.lines:
                job = _job(shipment, line, due)
                ranking.place(job, policy, rates)
                job.save(force_insert=True)
                JobEvent.objects.create(job=job, at=now, actor=actor, new=job.state, text="accepted")
    return shipment


def _hand_over_by(wanted: WantedShipment) -> dt.date | None:
    if wanted.promised_on is None:
        return None
    to = wanted.address
    return dates.hand_over_by(wanted.promised_on, wanted.service, to["country"], to.get("region", ""))


def _job(shipment: Shipment, line: WantedLine, due: dt.datetime | None) -> Job:
    return Job(
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


def cancel(shipment: Shipment, *, actor: str, now: dt.datetime, text: str = "", even_packed: bool = False) -> bool:
    """Takes a shipment back whole: no new disc is begun for it, and its good discs become stock.

    A disc that is being written is finished and becomes stock too. Asking twice changes nothing. False: it has left,
    or it is packed and `even_packed` was not said.
    """
    with transaction.atomic():
        lifecycle.hold_row(shipment)
        if shipment.state == Shipment.State.CANCELLED:
            return True
        if shipment.state == Shipment.State.SHIPPED or (shipment.state == Shipment.State.PACKED and not even_packed):
            return False
        lifecycle.move_shipment(shipment, Shipment.State.CANCELLED, actor=actor, now=now, text=text)
        for job in shipment.jobs.order_by("pk"):
            lifecycle.hold_row(job)  # the tick may be giving it a disc or a write at this moment
            lifecycle.move_job(job, Job.State.CANCELLED, actor=actor, now=now, text=text)
        Allocation.objects.filter(job__shipment=shipment).update(job=None)
        recall_cancelled(shipment, actor=actor, now=now)
        for paper in shipment.papers.filter(state=Paper.State.WAITING):
            lifecycle.paper_failed(paper, reason="The shipment was cancelled.", now=now, retry_in=None)
    return True


def changed_shipments(limit: int = 200, without: Collection[str] = ()) -> list[Shipment]:
    """Shipments changed since the floor above last read them; without those (by key) that it leaves alone."""
    rows = Shipment.objects.filter(revision__gt=F("revision_read")).exclude(pk__in=without)
    return list(rows.order_by("received_at")[:limit])


def changed_jobs(limit: int = 200, without: Collection[str] = ()) -> list[Job]:
    """Jobs changed since the floor above last read them; without those (by key) that it leaves alone."""
    rows = Job.objects.filter(revision__gt=F("revision_read")).exclude(pk__in=without)
    return list(rows.order_by("rank")[:limit])


def mark_read(row: Job | Shipment) -> bool:
    """Notes that `row` was read at its revision; False if it has changed since, and comes again."""
    model = type(row)
    return bool(model._default_manager.filter(pk=row.pk, revision=row.revision).update(revision_read=row.revision))
