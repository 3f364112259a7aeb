"""Reads what the writers did and moves jobs and shipments on. Every step may run twice, or twice at once."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.models import Count, F, QuerySet

from devices import trouble
from devices.compiled import Compiled, given
from devices.intake import changed_writes, mark_read
from devices.models import Disc, Write
from devices.states import WRITE_FINAL
from fulfillment import allocation, counting, lifecycle
from fulfillment.allocation import Written
from fulfillment.console import progress as copies
from fulfillment.lifecycle import JobMove
from fulfillment.models import Job, Paper, Shipment

log = logging.getLogger(__name__)

BATCH: Final = 200
SPOILT_BOUND: Final = 3  # discs a job may lose, on top of one in ten of its copies, before somebody has to look
TOO_MANY_SPOILT: Final = "too-many-bad-discs"
ACTOR: Final = "tick"
GIVE_STOCK: Final = "fulfillment.give-stock"


def read_writes(now: dt.datetime) -> int:
    """Takes up every write that changed: allocates its good discs, and moves the jobs or the copy it was for."""
    step = "fulfillment.read-write"
    writes = changed_writes(BATCH, trouble.left_alone(step, now))
    if not writes:
        return 0
    written, read = allocation.read_written(writes), list[Write]()
    if len(writes) > 1 and not trouble.has_any(step):
        written = _take_together(writes, written, now)

    def work(write: Write) -> None:
        _read_write(write, written, now)
        read.append(write)

    trouble.each(step, writes, work, now)
    mark_read(read)
    return len(read)


def _take_together(writes: Sequence[Write], written: Written, now: dt.datetime) -> Written:
    """Does in one go what each of these writes would do by itself, as far as nothing is amiss: that costs least.

    What is left is for each write to do; where it can't be done in one go, all of it.
    """
    try:
        allocation.allocate_together(writes, written, now)
    except (allocation.Overtaken, DatabaseError) as error:
        log.debug("writes are read one by one: %r", error)
        return allocation.read_written(writes)
    jobs = {share.job for write in writes for share in written.shares.get(write.pk, ())}
    full = [job for job in jobs if job.state in Job.OPEN and written.made[job.pk] >= job.copies]
    _make_together({job: written.made[job.pk] for job in full if job.pk not in written.counts}, now)
    return written


def _make_together(jobs: Mapping[Job, int], now: dt.datetime) -> None:
    """Moves jobs that have all their discs, and their shipments. What can't be moved in one go is settled by itself."""
    # In one order everywhere: two ticks with the same jobs in two orders would be a deadlock.
    ordered = sorted(jobs, key=lambda job: job.pk)
    moves = [JobMove(job, Job.State.MADE, text=f"{jobs[job]} good discs") for job in ordered]
    as_read = [(job, job.state, job.reason, job.revision) for job in jobs]
    if not jobs:
        return
    try:
        with transaction.atomic():
            if not lifecycle.move_jobs(moves, actor=ACTOR, now=now):
                raise allocation.Overtaken
    except (allocation.Overtaken, DatabaseError) as error:
        log.debug("jobs are settled one by one: %r", error)
        for job, state, reason, revision in as_read:
            job.state, job.reason, job.revision = state, reason, revision
        return
    try:
        finish_shipments([job.shipment for job in ordered], now)
    except DatabaseError as error:
        log.debug("shipments wait for the roll, which finishes leftovers: %r", error)


def _read_write(write: Write, written: Written, now: dt.datetime) -> None:
    shares = written.shares.get(write.pk, ())
    if not shares:
        copies.follow_write(write, now)
        return
    allocation.allocate_write(write, written, now)
    for job in (share.job for share in shares):
        made = written.made[job.pk]
        if job.pk in written.counts:
            allocation.recount(job, written.counts[job.pk])
        if write.state in WRITE_FINAL or made >= job.copies:  # else it is looked at when this write has ended
            settle(job, made, now)


def use_stock(now: dt.datetime) -> None:
    """Before anything is planned, what lies on the shelf goes to the jobs that want it, in policy order."""
    for sha256, format_, discs in _in_stock():
        jobs = Job.objects.filter(state__in=Job.OPEN, image__sha256=sha256, format=format_, covered__lt=F("copies"))
        jobs = jobs.exclude(pk__in=trouble.left_alone(GIVE_STOCK, now)).select_related("image").order_by("rank")
        trouble.each(GIVE_STOCK, _first_of(jobs[:discs], discs), lambda job: _give_stock(job, now), now)


@Compiled
def _in_stock() -> QuerySet[Disc, Any]:
    groups = allocation.stock().values_list("write__image_sha256", "write__format").order_by()
    return groups.annotate(discs=Count("pk", distinct=True))


def _first_of(jobs: Iterable[Job], discs: int) -> Iterator[Job]:
    """The first ones, until that many discs are used up."""
    for job in jobs:
        if discs <= 0:
            return
        discs -= job.wanting
        yield job


def _give_stock(job: Job, now: dt.datetime) -> None:
    if allocation.allocate_stock(job, now):
        settle(job, counting.made([job.pk])[job.pk], now)


def settle(job: Job, made: int, now: dt.datetime) -> None:
    """Moves a job to what its discs say. made: good discs that it was given. Raises Overtaken."""
    if job.state not in Job.OPEN:
        return
    if made >= job.copies:
        _move(job, Job.State.MADE, now, f"{made} good discs")
        finish_shipment(job.shipment, now)
        return
    if job.covered > made:
        return  # it is looked at again when what is under way has ended
    if job.lost - job.forgiven >= SPOILT_BOUND + job.copies // 10:
        if job.state != Job.State.HELD:
            reason = _refusal(job) or TOO_MANY_SPOILT
            _move(job, Job.State.HELD, now, f"{job.lost} discs or writes lost; {reason}"[:300], reason)
    elif job.state == Job.State.WRITING:
        _move(job, Job.State.WAITING, now, f"{made} of {job.copies} made")


def _move(job: Job, new: Job.State, now: dt.datetime, text: str, reason: str = "") -> None:
    if not lifecycle.move_job(job, new, actor=ACTOR, now=now, reason=reason, text=text):
        raise allocation.Overtaken


def _refusal(job: Job) -> str:
    """What the agent said that refused the newest of the job's writes, if that is why there is no disc."""
    newest = job.shares.select_related("write").order_by("-write").first()
    return newest.write.reason[:200] if newest and newest.write.problem else ""


def finish_shipment(shipment: Shipment, now: dt.datetime) -> None:
    """A shipment is ready when every job of it is made; its papers are asked for in the same breath."""
    finish_shipments([shipment], now)


def finish_shipments(shipments: Iterable[Shipment], now: dt.datetime) -> None:
    preparing = {shipment.pk: shipment for shipment in shipments if shipment.state == Shipment.State.PREPARING}
    unfinished = {pk for (pk,) in _unfinished.of(preparing)}
    # In one order everywhere: two ticks with the same shipments in two orders would be a deadlock.
    ready = [preparing[pk] for pk in sorted(preparing.keys() - unfinished)]
    if not ready:
        return
    with transaction.atomic():  # both or none, and only if nobody cancelled it at this moment
        papers = [
            Paper(shipment=shipment, kind=kind, next_try_at=now)
            for shipment in ready
            if lifecycle.move_shipment(shipment, Shipment.State.READY, actor=ACTOR, now=now, text="all discs made")
            for kind in Paper.Kind
        ]
        Paper.objects.bulk_create(papers, ignore_conflicts=True)


@Compiled
def _unfinished(shipments: int) -> QuerySet[Job, Any]:
    jobs = Job.objects.filter(shipment__pk__in=given(shipments, Job.shipment.field))
    return jobs.exclude(state__in=[Job.State.CANCELLED, Job.State.MADE]).order_by().values_list("shipment").distinct()


def finish_leftovers(now: dt.datetime) -> None:
    """What a tick left that died between two steps: jobs with all their discs, shipments with all their jobs."""
    step = "fulfillment.settle-job"
    alone = trouble.left_alone(step, now)
    covered = Job.objects.filter(state__in=Job.OPEN, covered__gte=F("copies")).exclude(pk__in=alone)
    full = covered.annotate(given=Count("allocations")).filter(given__gte=F("copies"))
    trouble.each(step, full[:BATCH], lambda job: settle(job, job.given, now), now)
    _count_again(now)
    waiting = Shipment.objects.filter(state=Shipment.State.PREPARING, jobs__state=Job.State.MADE)
    step = "fulfillment.finish-shipment"
    waiting = waiting.exclude(jobs__state__in=Job.OPEN).exclude(pk__in=trouble.left_alone(step, now)).distinct()
    trouble.each(step, waiting[:BATCH], lambda shipment: finish_shipment(shipment, now), now)


def _count_again(now: dt.datetime) -> None:
    """What a fault kept from being counted would be made once too often, or never."""
    step = "fulfillment.count-job"
    writing = list(Job.objects.filter(state=Job.State.WRITING).exclude(pk__in=trouble.left_alone(step, now)))
    counts = counting.count(writing)

    def keep(job: Job) -> None:
        allocation.recount(job, counts[job.pk])
        settle(job, counts[job.pk].made, now)

    astray = [job for job in writing if not allocation.is_counted(job, counts[job.pk])]
    trouble.each(step, astray, keep, now)
