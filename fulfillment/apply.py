"""Carries a plan out: compare-and-set to rows. What another tick did meanwhile wins, and is planned again."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from django.db import transaction

from devices import lifecycle as at_devices
from devices import trouble
from devices.agent import wire
from devices.intake import ImageRef, NotAccepted, queue_write
from devices.models import Drive, Writer
from devices.wording import drive_name
from fulfillment import lifecycle
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


def apply(plan: Plan, jobs: Sequence[OpenJob], now: dt.datetime) -> int:
    """Queues the plan's writes and notes why the other jobs wait; returns how many writes were queued."""
    as_read = {str(job.pk): job for job in jobs}
    noted = [job_id for job_id, wait in plan.waits.items() if _is_news(as_read[job_id], wait)]
    by_id = _rows(as_read, {*noted, *(share.job for each in plan.assignments for share in each.shares)})
    writers = Writer.objects.in_bulk({int(assignment.writer) for assignment in plan.assignments})
    # A fault is the first job's: should it be another's, that one comes first while this one rests.
    by_first: dict[Job, list[Assignment]] = defaultdict(list)
    for assignment in plan.assignments:
        if all(share.job in by_id for share in assignment.shares):
            by_first[by_id[assignment.shares[0].job]].append(assignment)
    queued: list[Assignment] = []

    def queue(first: Job) -> None:
        for assignment in by_first[first]:
            try:
                _queue(assignment, by_id, writers[int(assignment.writer)], plan.waits, now)
                queued.append(assignment)
            except _Overtaken:
                continue
            except NotAccepted as refused:  # the fleet changed since the snapshot; the next tick sees how
                log.warning("write not queued: %s", refused)

    trouble.each(STEP, by_first, queue, now)
    waiting = [by_id[job_id] for job_id in noted if job_id in by_id]
    trouble.each("fulfillment.note-wait", waiting, lambda job: _note_wait(job, plan.waits[str(job.pk)], now), now)
    return len(queued)


def _rows(as_read: Mapping[str, OpenJob], wanted: Collection[str]) -> dict[str, Job]:
    """The rows of the jobs that change. One that has moved since it was read is left out, and planned again."""
    rows = Job.objects.select_related("image").in_bulk([as_read[job_id].pk for job_id in wanted])
    found = {str(pk): row for pk, row in rows.items()}
    return {job_id: row for job_id, row in found.items() if row.revision == as_read[job_id].revision}


def _queue(
    assignment: Assignment, jobs: Mapping[str, Job], writer: Writer, waits: Mapping[str, Wait], now: dt.datetime
) -> None:
    shares = [(jobs[share.job], share.copies) for share in assignment.shares]
    image = shares[0][0].image
    text = f"{assignment.copies} on {writer.name}" + (f", {drive_name(assignment.drive)}" if assignment.drive else "")
    # A dropped assignment must leave the rows in memory as they were read, too.
    as_read = [(job, job.state, job.reason, job.revision, job.covered) for job, _ in shares]
    try:
        with transaction.atomic():
            # In one order everywhere: two ticks with the same jobs in two orders would be a deadlock.
            for job, copies in sorted(shares, key=lambda share: share[0].pk):
                reason, covered = _rest_of(waits.get(str(job.pk))), job.covered + copies
                if not lifecycle.move_job(
                    job, Job.State.WRITING, actor=ACTOR, now=now, reason=reason, text=text, covered=covered
                ):
                    raise _Overtaken
            if _is_taken(assignment, writer):
                raise _Overtaken
            write = queue_write(
                uuid=uuid.uuid4(),
                writer=writer,
                image=ImageRef(sha256=image.sha256 or "", size=image.size or 0, layout=image.layout),
                format=assignment.format,
                title=shares[0][0].title,
                copies=assignment.copies,
                drive=assignment.drive,
                reference=_orders(job for job, _ in shares),
                actor=ACTOR,
                now=now,
            )
            WriteShare.objects.bulk_create(WriteShare(write=write, job=job, copies=copies) for job, copies in shares)
    except Exception:
        for job, state, reason, revision, covered in as_read:
            job.state, job.reason, job.revision, job.covered = state, reason, revision, covered
        raise
    log.info("write queued: %s of %s", text, shares[0][0].title, extra=write.about)


def _rest_of(wait: Wait | None) -> str:
    """Why the discs of a job that are not under way are not, where somebody has to do something about it."""
    return wait if wait is not None and wait in HOLDS else ""


def _is_taken(assignment: Assignment, writer: Writer) -> bool:
    """Whether somebody at the console took a drive since the snapshot, into which these discs might go."""
    at_devices.hold_writer(writer.pk)  # the console does so as well before it takes a drive
    held = Drive.objects.filter(writer=writer, gone=False).exclude(held_for="")
    if assignment.drive:
        return held.filter(ident=assignment.drive).exists()
    return any(drive.role == wire.Role.COPIER and assignment.format in drive.formats for drive in held)


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
