"""Reads what the writers did and moves jobs and shipments on. Every step may run twice, or twice at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from devices import trouble
from devices.agent import wire
from devices.compiled import Compiled
from devices.fleet import Fleet
from devices.intake import cancel_write, changed_writes, mark_read
from devices.models import Disc, Drive, Write
from devices.states import WRITE_FINAL, WRITE_OPEN, DiscState, WriteState
from fulfillment import allocation, counting, lifecycle
from fulfillment.allocation import Written
from fulfillment.console import progress as copies
from fulfillment.models import Job, Paper, Shipment, WriteShare

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

    def work(write: Write) -> None:
        _read_write(write, written, now)
        read.append(write)

    trouble.each(step, writes, work, now)
    mark_read(read)
    return len(read)


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


def recall_writes(there: Fleet, now: dt.datetime) -> None:
    """Takes back what a writer that fell out was never sent: its jobs go to another one."""
    willing = {writer.pk for writer in (*there.working, *there.suspects)}
    movable = _not_sent_or_named()
    stranded = [pk for pk, state, writer, *_ in movable if state == WriteState.QUEUED and writer not in willing]
    astray = _astray([(pk, writer, drive) for pk, _, writer, drive, waits in movable if drive and waits])
    if not stranded and not astray:
        return
    step = "fulfillment.recall-write"
    writes = _shared().filter(Q(pk__in=stranded, state=WriteState.QUEUED) | Q(pk__in=astray))
    writes = writes.exclude(pk__in=trouble.left_alone(step, now))
    trouble.each(step, writes[:BATCH], lambda write: cancel_write(write, ACTOR, now), now)


def _shared() -> QuerySet[Write]:
    """Writes for jobs that may be taken back."""
    ours = Exists(WriteShare.objects.filter(write=OuterRef("pk")))
    return Write.objects.filter(ours, state__in=WRITE_OPEN, cancel_requested=False)


def _has_planned() -> Exists:
    return Exists(Disc.objects.filter(write=OuterRef("pk"), state=DiscState.PLANNED))


@Compiled
def _not_sent_or_named() -> QuerySet[Write, Any]:
    rows = _shared().filter(Q(state=WriteState.QUEUED) | ~Q(drive="")).order_by()
    return rows.values_list("pk", "state", "writer", "drive", _has_planned())


@Compiled
def _held() -> QuerySet[Drive, Any]:
    copiers = Drive.objects.filter(role=wire.Role.COPIER, gone=False).order_by()
    return copiers.exclude(held_for="").values_list("writer", "formats")


def _astray(named: Sequence[tuple[int, int, str]]) -> list[int]:
    """Writes with discs to begin that might go into a drive that somebody holds, or must go into one that is not ours
    any more: planned anew, they go elsewhere. named: those that must go into one drive, with their writer and it."""
    usable: set[tuple[int, str]] = set()
    if named:
        drives = Drive.objects.filter(role=wire.Role.COPIER, gone=False, writer__in={writer for _, writer, _ in named})
        usable = {(drive.writer_id, drive.ident) for drive in drives if drive.takes_work}
    astray = [pk for pk, writer, drive in named if (writer, drive) not in usable]
    if not (held := _held()):
        return astray
    free = _shared().filter(_has_planned(), drive="", writer__in={writer for writer, _ in held})
    return astray + [
        pk
        for pk, writer, format_ in free.values_list("pk", "writer", "format")
        if any(writer == holder and format_ in formats for holder, formats in held)
    ]


def recall_cancelled(shipment: Shipment, *, actor: str, now: dt.datetime) -> None:
    """Takes back the writes that were for this shipment alone; one shared with open jobs is finished for them."""
    writes = Write.objects.filter(state__in=WRITE_OPEN, cancel_requested=False, shares__job__shipment=shipment)
    # In the order in which reports are booked: two transactions in two orders would be a deadlock.
    for write in writes.exclude(shares__job__state__in=Job.OPEN).order_by("pk").distinct():
        cancel_write(write, actor, now)


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
    jobs = shipment.jobs.exclude(state=Job.State.CANCELLED)
    if shipment.state != Shipment.State.PREPARING or jobs.exclude(state=Job.State.MADE).exists():
        return
    with transaction.atomic():  # both or none, and only if nobody cancelled it at this moment
        if lifecycle.move_shipment(shipment, Shipment.State.READY, actor=ACTOR, now=now, text="all discs made"):
            papers = [Paper(shipment=shipment, kind=kind, next_try_at=now) for kind in Paper.Kind]
            Paper.objects.bulk_create(papers, ignore_conflicts=True)


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
