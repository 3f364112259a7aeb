"""Carries a plan out: compare-and-set to rows. What another tick did meanwhile wins, and is planned again."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import QuerySet
from structlog.contextvars import bound_contextvars

from devices import lifecycle as at_devices
from devices import trouble
from devices.agent import wire
from devices.compiled import Compiled, given
from devices.intake import ImageRef, NewWrite, NotAccepted, queue_writes
from devices.models import Drive, Writer
from devices.wording import drive_name
from fulfillment import lifecycle
from fulfillment.lifecycle import JobMove
from fulfillment.models import Job, WriteShare
from fulfillment.open_jobs import PLANNERS_HOLDS, OpenJob
from fulfillment.planning.model import Assignment, Plan, Wait

log = logging.getLogger(__name__)

HOLDS: Final = frozenset(PLANNERS_HOLDS)  # somebody has to do something; the other waits end by themselves
ACTOR: Final = "tick"
MOST_NAMED: Final = 15
STEP: Final = "fulfillment.queue-write"


class _Overtaken(Exception):
    """Another tick changed one of the jobs: its assignment is dropped whole."""


@dataclass(frozen=True, slots=True)
class _Order:
    """An assignment, and the rows that it is about."""

    given: Assignment
    writer: Writer
    shares: Sequence[tuple[Job, int]]

    @property
    def text(self) -> str:
        drive = f", {drive_name(self.given.drive)}" if self.given.drive else ""
        return f"{self.given.copies} on {self.writer.name}{drive}"

    @property
    def write(self) -> NewWrite:
        first = self.shares[0][0]
        return NewWrite(
            uuid=uuid.uuid4(),
            writer=self.writer,
            image=ImageRef(first.image.sha256 or "", first.image.size or 0, first.image.layout),
            format=self.given.format,
            title=first.title,
            copies=self.given.copies,
            drive=self.given.drive,
            reference=_orders(job for job, _ in self.shares),
        )


def apply(plan: Plan, jobs: Sequence[OpenJob], now: dt.datetime) -> int:
    """Queues the plan's writes and notes why the other jobs wait; returns how many writes were queued."""
    as_read = {str(job.pk): job for job in jobs}
    noted = [job_id for job_id, wait in plan.waits.items() if _is_news(as_read[job_id], wait)]
    by_id = _rows(as_read, {*noted, *(share.job for each in plan.assignments for share in each.shares)})
    orders = _orders_of(plan, by_id)
    queued = _queue_together(orders, plan.waits, now) or _queue_each(orders, plan.waits, now)
    waiting = [by_id[job_id] for job_id in noted if job_id in by_id]
    trouble.each("fulfillment.note-wait", waiting, lambda job: _note_wait(job, plan.waits[str(job.pk)], now), now)
    return queued


def _rows(as_read: Mapping[str, OpenJob], wanted: Collection[str]) -> dict[str, Job]:
    """The rows of the jobs that change. One that has moved since it was read is left out, and planned again."""
    found = {str(row.pk): row for row in _jobs.of([as_read[job_id].pk for job_id in wanted])}
    return {job_id: row for job_id, row in found.items() if row.revision == as_read[job_id].revision}


@Compiled
def _jobs(jobs: int) -> QuerySet[Job]:
    return Job.objects.select_related("image").filter(pk__in=given(jobs, Job._meta.pk)).order_by()


@Compiled
def _writers(writers: int) -> QuerySet[Writer]:
    return Writer.objects.filter(pk__in=given(writers, Writer._meta.pk)).order_by()


def _orders_of(plan: Plan, by_id: Mapping[str, Job]) -> list[_Order]:
    writers = {writer.pk: writer for writer in _writers.of({int(each.writer) for each in plan.assignments})}
    return [
        _Order(each, writers[int(each.writer)], [(by_id[share.job], share.copies) for share in each.shares])
        for each in plan.assignments
        if all(share.job in by_id for share in each.shares)
    ]


def _queue_together(orders: Sequence[_Order], waits: Mapping[str, Wait], now: dt.datetime) -> int:
    """In one go, which is the usual case and costs least. None of them where any one can't be queued."""
    if len(orders) < 2 or trouble.has_any(STEP):
        return 0
    try:
        _queue(orders, waits, now)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # whose fault it is, and whether it is one, shows when each is tried by itself
        log.debug("writes are queued one by one: %r", error)
        return 0
    return len(orders)


def _queue_each(orders: Sequence[_Order], waits: Mapping[str, Wait], now: dt.datetime) -> int:
    # A fault is the first job's: should it be another's, that one comes first while this one rests.
    by_first: dict[Job, list[_Order]] = defaultdict(list)
    for order in orders:
        by_first[order.shares[0][0]].append(order)
    queued: list[_Order] = []

    def queue(first: Job) -> None:
        for order in by_first[first]:
            try:
                _queue([order], waits, now)
                queued.append(order)
            except _Overtaken:
                continue
            except NotAccepted as refused:  # the fleet changed since the snapshot; the next tick sees how
                log.warning("write not queued: %s", refused)

    trouble.each(STEP, by_first, queue, now)
    return len(queued)


def _queue(orders: Sequence[_Order], waits: Mapping[str, Wait], now: dt.datetime) -> None:
    """All of them, or none."""
    shares = [(job, copies, order) for order in orders for job, copies in order.shares]
    moves: list[JobMove] = []
    sums = {job.pk: job.covered for job, *_ in shares}
    # In one order everywhere: two ticks with the same jobs in two orders would be a deadlock.
    for job, copies, order in sorted(shares, key=lambda share: share[0].pk):
        sums[job.pk] += copies
        reason = _rest_of(waits.get(str(job.pk)))
        moves.append(JobMove(job, Job.State.WRITING, reason, order.text, {"covered": sums[job.pk]}))
    # What is dropped must leave the rows in memory as they were read, too.
    as_read = [(job, job.state, job.reason, job.revision, job.covered) for job, *_ in shares]
    try:
        with transaction.atomic():
            if not lifecycle.move_jobs(moves, actor=ACTOR, now=now) or _is_any_taken([order.given for order in orders]):
                raise _Overtaken
            writes = queue_writes([order.write for order in orders], actor=ACTOR, now=now)
            WriteShare.objects.bulk_create(
                WriteShare(write=write, job=job, copies=copies)
                for write, order in zip(writes, orders, strict=True)
                for job, copies in order.shares
            )
    except Exception:
        for job, state, reason, revision, covered in as_read:
            job.state, job.reason, job.revision, job.covered = state, reason, revision, covered
        raise
    for order, write in zip(orders, writes, strict=True):
        first = order.shares[0][0]
        with bound_contextvars(**first.about):
            log.info("write queued: %s of %s", order.text, first.title, extra=write.about)


def _rest_of(wait: Wait | None) -> str:
    """Why the discs of a job that are not under way are not, where somebody has to do something about it."""
    return wait if wait is not None and wait in HOLDS else ""


def _is_any_taken(assignments: Sequence[Assignment]) -> bool:
    """Whether somebody at the console took a drive since the snapshot, into which some of these discs might go."""
    writers = sorted({int(assignment.writer) for assignment in assignments})
    for pk in writers:
        at_devices.hold_writer(pk)  # the console does so as well before it takes a drive
    held = _held.of(writers)
    return any(_is_taken(assignment, held) for assignment in assignments)


@Compiled
def _held(writers: int) -> QuerySet[Drive, Any]:
    rows = Drive.objects.filter(writer__pk__in=given(writers, Drive.writer.field), gone=False).exclude(held_for="")
    return rows.order_by().values_list("writer", "ident", "role", "formats")


def _is_taken(assignment: Assignment, held: Iterable[Sequence[Any]]) -> bool:
    there = [drive for writer, *drive in held if writer == int(assignment.writer)]
    if assignment.drive:
        return any(ident == assignment.drive for ident, *_ in there)
    return any(role == wire.Role.COPIER and assignment.format in formats for _, role, formats in there)


def _orders(jobs: Iterable[Job]) -> str:
    """The orders a write is for, as its log lines name them: as many as there is room for."""
    numbers = sorted({job.order for job in jobs})
    return ",".join(numbers[:MOST_NAMED]) + (",etc" if len(numbers) > MOST_NAMED else "")


def _is_news(job: OpenJob, wait: Wait) -> bool:
    return (job.state, job.reason) != _noted(job, wait)


def _note_wait(job: Job, wait: Wait, now: dt.datetime) -> None:
    state, reason = _noted(job, wait)
    if (job.state, job.reason) != (state, reason):
        lifecycle.move_job(job, state, actor=ACTOR, now=now, reason=reason)


def _noted(job: Job | OpenJob, wait: Wait) -> tuple[Job.State, str]:
    """A job with discs under way stays «writing» and says what its rest waits for; another waits or is held."""
    if job.state == Job.State.WRITING:
        return Job.State.WRITING, _rest_of(wait)
    return (Job.State.HELD if wait in HOLDS else Job.State.WAITING), wait
