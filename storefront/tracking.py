"""What a customer sees of an order: its steps, its discs and its date. Reads the floors below, changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import F

from devices.models import Disc, Drive
from devices.states import DiscState
from fulfillment import reasons
from fulfillment.models import Job, Shipment
from storefront import cancelling, payments
from storefront.models import Order, OrderLine, Payment, Refund

STOPPED: Final = (Order.State.CANCELLATION_REQUESTED, Order.State.CANCELLED)
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
    why_moved: str
    finished: bool
    pay_at: str = ""
    """Where to pay for it, while it is not paid."""
    cancellable: bool = False
    paid_back: str = ""
    """How much went, or goes, back; empty for what was never paid."""
    paying_back: bool = False
    """Whether we are at it; not while a bank decides, or after a refusal."""
    under_way: bool = False
    """Money for it was sent and is not booked: nothing to pay, nothing to cancel."""

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
        why_moved=shipment.estimate_reason if shipment else "",
        finished=order.state in {Order.State.SHIPPED, Order.State.CANCELLED},
        pay_at=_pay_at(order),
        cancellable=cancelling.possible(order),
        paid_back=order.total if order.paid_at and order.state in STOPPED else "",
        paying_back=Refund.objects.filter(payment__order=order, state=Refund.State.ASKED).exists(),
        under_way=payments.under_way(order),
    )


def _pay_at(order: Order) -> str:
    if order.state != Order.State.AWAITING_PAYMENT:
        return ""
    return order.payments.filter(state=Payment.State.OPEN).values_list("url", flat=True).first() or ""


@dataclass(frozen=True, slots=True)
class _Discs:
    """A shipment's discs by job, read at once: an order of fifty lines costs no more queries than one of one."""

    good: dict[UUID, list[Disc]]
    started: dict[UUID, list[Disc]]
    progress: dict[str, float]

    @classmethod
    def of(cls, shipment: Shipment) -> _Discs:
        good: dict[UUID, list[Disc]] = defaultdict(list)
        given = Disc.objects.filter(allocation__job__shipment=shipment).annotate(job=F("allocation__job"))
        for disc in given.order_by("id"):
            good[disc.job].append(disc)
        started: dict[UUID, list[Disc]] = defaultdict(list)
        under_way = Disc.objects.filter(state=DiscState.STARTED, write__shares__job__shipment=shipment)
        for disc in under_way.annotate(job=F("write__shares__job")).order_by("id"):
            started[disc.job].append(disc)
        serials = [disc.serial for discs in started.values() for disc in discs]
        drives = Drive.objects.filter(serial__in=serials).values_list("serial", "progress")
        return cls(good, started, {serial: progress or 0.0 for serial, progress in drives})


def _lines(order: Order, shipment: Shipment | None) -> Iterable[TrackedLine]:
    jobs = {job.reference: job for job in shipment.jobs.all()} if shipment else {}
    discs = _Discs.of(shipment) if shipment else None
    for line in order.lines.select_related("version__title", "order"):
        job = jobs.get(line.reference)
        if job is None or discs is None:
            yield TrackedLine(line, 0, (DiscRing("waiting", 0),) * min(line.copies, RINGS), "")
        else:
            yield _tracked(line, job, discs)


def _tracked(line: OrderLine, job: Job, discs: _Discs) -> TrackedLine:
    good = discs.good.get(job.pk, [])
    waits = job.state in {Job.State.WAITING, Job.State.HELD} and bool(job.reason)
    reason = reasons.for_customer(job.reason) if waits else ""
    if job.copies > RINGS:
        return TrackedLine(line, len(good), (), reason)
    rings = [DiscRing("good", 100, disc.serial) for disc in good]
    for disc in discs.started.get(job.pk, [])[: job.copies - len(good)]:
        percent = int(100 * discs.progress.get(disc.serial, 0.0))
        rings.append(DiscRing("verifying" if percent >= 100 else "writing", percent, disc.serial))
    rings += [DiscRing("waiting", 0)] * (job.copies - len(rings))
    return TrackedLine(line, len(good), tuple(rings), reason)


def _steps(order: Order, shipment: Shipment | None, lines: tuple[TrackedLine, ...]) -> tuple[Step, ...]:
    if order.state in STOPPED:
        return _steps_back(order)
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


def _steps_back(order: Order) -> tuple[Step, ...]:
    """Of an order that was cancelled: how far it came, and whether its money is back."""
    ends = {event.new: event.at for event in order.events.filter(new__in=STOPPED)}
    ended = ends.get(Order.State.CANCELLED)
    if order.paid_at is None:
        return Step("Received", order.received_at, "done"), Step("Cancelled", ended, "done")
    return (
        Step("Received", order.received_at, "done"),
        Step("Paid", order.paid_at, "done"),
        Step("Cancelled", ends.get(Order.State.CANCELLATION_REQUESTED), "done"),
        Step("Paid back", ended, "done" if ended else "current"),
    )
