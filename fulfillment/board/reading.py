"""Reads what the board shows, in a number of queries that does not grow with the orders. Changes and plans nothing.

All dates come from the newest stored plan; without a fresh one no chance is said.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count

from devices import serials
from devices.states import WRITE_OPEN
from fulfillment import dates, estimates, obstacles, plan_runs
from fulfillment.board import orders, reason
from fulfillment.board.orders import Order, Outlook
from fulfillment.foreseeing import Foreseen
from fulfillment.models import Allocation, Job, PlanRun, Shipment, WriteShare
from fulfillment.planning.belief import Belief
from fulfillment.planning.model import Projection

NEARLY_ALL: Final = 0.9  # of all cases: slack is what is left from being made in so many
OPEN: Final = (Shipment.State.PREPARING, Shipment.State.READY, Shipment.State.PACKED)
OF_THE_SHIPMENT: Final = (
    "reference", "name", "city", "country", "state", "promised_on", "estimated_on", "hand_over_by", "received_at",
)  # fmt: skip
OF_THE_JOB: Final = (
    "shipment_id", "reference", "title", "format", "copies", "due", "state", "reason", "rank", "covered",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """The newest fresh plan, and what was believed of chance when it was made."""

    run: PlanRun
    projection: Projection
    belief: Belief


@dataclass(frozen=True, slots=True)
class Known:
    """What all rows of the board are made from."""

    planned: Planned | None
    queue: reason.Queue
    made: Mapping[UUID, int]
    writers: Mapping[UUID, tuple[str, ...]]
    now: dt.datetime
    today: dt.date


def planned(now: dt.datetime) -> Planned | None:
    run = plan_runs.newest(now)
    return Planned(run, plan_runs.read(run), plan_runs.belief(run)) if run else None


def jobs_by_shipment() -> dict[UUID, list[Job]]:
    """Of open orders, without what was cancelled; in the order of the queue."""
    rows = Job.objects.filter(shipment__state__in=OPEN).exclude(state=Job.State.CANCELLED)
    found: dict[UUID, list[Job]] = defaultdict(list)
    for job in rows.only(*OF_THE_JOB).order_by("rank", "pk"):
        found[job.shipment_id].append(job)
    return found


def open_orders(
    jobs: Mapping[UUID, Sequence[Job]], plan: Planned | None, writers: Mapping[str, str], now: dt.datetime
) -> list[Order]:
    """All of them, the most urgent first. writers: names by key."""
    every = [job for each in jobs.values() for job in each]
    known = Known(plan, _queue(every, plan, now), _made(), _writers(plan, writers), now, dates.local_date(now))
    rows = Shipment.objects.filter(state__in=OPEN).only(*OF_THE_SHIPMENT)
    return orders.in_order((_order(row, jobs.get(row.pk, ()), known) for row in rows.order_by()), now)


def with_disc(serial: str) -> set[UUID]:
    """Open orders that have this disc, or for which it is under way."""
    wanted = serials.normalise(serial)
    if len(wanted) < serials.LENGTH:
        return set()
    given = Allocation.objects.filter(disc__serial=wanted, job__shipment__state__in=OPEN)
    shares = WriteShare.objects.filter(write__discs__serial=wanted, job__shipment__state__in=OPEN)
    return set(given.values_list("job__shipment", flat=True)) or set(shares.values_list("job__shipment", flat=True))


def outlook(jobs: Sequence[Job], plan: Planned | None, now: dt.datetime) -> tuple[Outlook, Foreseen | None]:
    """Of an order whose discs are not all made."""
    due = estimates.due(jobs)
    seen = estimates.foreseen(jobs, plan.projection, plan.belief) if plan else None
    by_due = seen.made_by(due) if seen and due else 0.0 if seen else None
    nearly = seen.ready(NEARLY_ALL) if seen else None
    return orders.of_due(due, by_due, nearly, now, planned=plan is not None), seen


def _order(row: Shipment, jobs: Sequence[Job], known: Known) -> Order:
    state, due = row.state, estimates.due(jobs)
    seen: Foreseen | None = None
    if state == Shipment.State.PREPARING and any(job.state in Job.OPEN for job in jobs):
        outlook_, seen = outlook(jobs, known.planned, known.now)
    else:
        outlook_ = orders.of_made(row.hand_over_by, known.today)
    return Order(
        pk=row.pk,
        reference=row.reference,
        name=row.name,
        town=row.city,
        country=str(row.country.code or ""),
        titles=tuple(dict.fromkeys(job.title for job in jobs)),
        formats=tuple(dict.fromkeys(job.format for job in jobs)),
        made=sum(min(known.made.get(job.pk, 0), job.copies) for job in jobs),
        copies=sum(job.copies for job in jobs),
        promised_on=row.promised_on,
        estimated_on=row.estimated_on,
        hand_over_by=row.hand_over_by,
        due=due,
        outlook=outlook_,
        work=reason.work(state, jobs),
        reason=reason.reason(state, row.hand_over_by, jobs, known.queue, known.today),
        place=reason.place(jobs, known.queue) if state == Shipment.State.PREPARING else None,
        writers=_of_all(jobs, known.writers),
        foreseen=seen,
        now=known.now,
    )


def _queue(jobs: Sequence[Job], plan: Planned | None, now: dt.datetime) -> reason.Queue:
    waiting = sorted((job for job in jobs if job.state == Job.State.WAITING), key=lambda job: job.rank)
    going = [job.pk for job in jobs if job.state in Job.OPEN and job.covered]
    return reason.Queue(
        places={job.pk: number for number, job in enumerate(waiting, 1)},
        waits=plan.projection.waits if plan else {},
        obstacles=obstacles.of_jobs(going, now) if going else {},
    )


def _made() -> dict[UUID, int]:
    """Good discs that each job of an open order was given."""
    rows = Allocation.objects.filter(job__shipment__state__in=OPEN).values_list("job")
    return dict(rows.annotate(discs=Count("pk")).order_by())


def _writers(plan: Planned | None, names: Mapping[str, str]) -> dict[UUID, tuple[str, ...]]:
    """By job: those that make it now, then those that will."""
    found: dict[UUID, dict[str, None]] = defaultdict(dict)
    going = WriteShare.objects.filter(write__state__in=WRITE_OPEN, job__state__in=Job.OPEN)
    for job, writer in going.order_by("write").values_list("job", "write__writer__name"):
        found[job][writer] = None
    for bar in plan.projection.bars if plan else ():
        if bar.writer in names:
            found[UUID(bar.job)][names[bar.writer]] = None
    return {job: tuple(each) for job, each in found.items()}


def _of_all(jobs: Sequence[Job], writers: Mapping[UUID, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for job in jobs if job.state in Job.OPEN for name in writers.get(job.pk, ())))
