"""What a customer sees of an order: its steps, its discs and its date. Reads the floors below, changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from devices.models import Disc, Drive
from devices.states import DiscState
from fulfillment import reasons
from fulfillment.models import Job, Shipment
from storefront.models import Order, OrderLine, Payment

RINGS: Final = 24  # discs shown one by one; more are shown as one bar


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    at: dt.datetime | None
    state: str  # done, current or todo


@dataclass(frozen=True, slots=True)
class DiscRing:
    """One disc: `state` is waiting, writing, verifying or good; `percent` how far it got."""

    state: str
    percent: int
    serial: str = ""


@dataclass(frozen=True, slots=True)
class TrackedLine:
    line: OrderLine
    made: int
    rings: tuple[DiscRing, ...]
    reason: str

    @property
    def percent(self) -> int:
        return 100 * self.made // self.line.copies


@dataclass(frozen=True, slots=True)
class Track:
    steps: tuple[Step, ...]
    lines: tuple[TrackedLine, ...]
    arrives_on: dt.date | None
    promised_on: dt.date | None
    finished: bool
    pay_at: str = ""
    """Where to pay for it, while it is not paid."""

    @property
    def later(self) -> bool:
        return bool(self.arrives_on and self.promised_on and self.arrives_on > self.promised_on)


def of(order: Order) -> Track:
    shipment = order.shipment
    lines = tuple(_lines(order, shipment))
    return Track(
        steps=_steps(order, shipment, lines),
        lines=lines,
        arrives_on=(shipment.estimated_on or shipment.promised_on) if shipment else order.shown_on,
        promised_on=shipment.promised_on if shipment else None,
        finished=order.state in {Order.State.SHIPPED, Order.State.CANCELLED},
        pay_at=_pay_at(order),
    )


def _pay_at(order: Order) -> str:
    if order.state != Order.State.AWAITING_PAYMENT:
        return ""
    return order.payments.filter(state=Payment.State.OPEN).values_list("url", flat=True).first() or ""


def _lines(order: Order, shipment: Shipment | None) -> Iterable[TrackedLine]:
    jobs = {job.reference: job for job in shipment.jobs.all()} if shipment else {}
    for line in order.lines.select_related("version__title", "order"):
        job = jobs.get(line.reference)
        if job is None:
            yield TrackedLine(line, 0, (DiscRing("waiting", 0),) * min(line.copies, RINGS), "")
        else:
            yield _tracked(line, job)


def _tracked(line: OrderLine, job: Job) -> TrackedLine:
    good = list(Disc.objects.filter(allocation__job=job).order_by("final_at", "id"))
    waits = job.state in {Job.State.WAITING, Job.State.HELD} and bool(job.reason)
    reason = reasons.for_customer(job.reason) if waits else ""
    if job.copies > RINGS:
        return TrackedLine(line, len(good), (), reason)
    rings = [DiscRing("good", 100, disc.serial) for disc in good]
    under_way = Disc.objects.filter(write__shares__job=job, state=DiscState.STARTED).order_by("id")
    busy = Drive.objects.filter(~Q(serial=""), serial__in=under_way.values("serial"))
    drives = {drive.serial: drive for drive in busy}
    for disc in under_way[: job.copies - len(good)]:
        percent = int(100 * (drives[disc.serial].progress or 0)) if disc.serial in drives else 0
        rings.append(DiscRing("verifying" if percent >= 100 else "writing", percent, disc.serial))
    rings += [DiscRing("waiting", 0)] * (job.copies - len(rings))
    return TrackedLine(line, len(good), tuple(rings), reason)


def _steps(order: Order, shipment: Shipment | None, lines: tuple[TrackedLine, ...]) -> tuple[Step, ...]:
    made, copies = sum(line.made for line in lines), sum(line.line.copies for line in lines)
    ready_at = shipment.ready_at if shipment else None
    writing = "Written and checked" if ready_at else f"Writing {made} of {copies}"
    reached = [
        ("Received", order.received_at),
        ("Paid", order.paid_at),
        (writing, ready_at),
        ("Packed", shipment.packed_at if shipment else None),
        ("Shipped", shipment.shipped_at if shipment else None),
    ]
    current = next((number for number, (_, at) in enumerate(reached) if at is None), len(reached))
    return tuple(
        Step(name, at, "done" if at else "current" if number == current else "todo")
        for number, (name, at) in enumerate(reached)
    )
