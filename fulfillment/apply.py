"""Carries a plan out: compare-and-set to rows. What another tick did meanwhile wins, and is planned again."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.db import transaction

from devices import trouble
from devices.intake import ImageRef, NotAccepted, queue_write
from devices.models import Writer
from fulfillment import lifecycle
from fulfillment.models import Job, WriteShare
from fulfillment.planning.model import Assignment, Plan, Wait

log = logging.getLogger(__name__)

HOLDS: Final = {Wait.BLANKS, Wait.WRITER}  # somebody has to do something; the other waits end by themselves
ACTOR: Final = "tick"
MOST_NAMED: Final = 15
STEP: Final = "fulfillment.queue-write"


class _Overtaken(Exception):
    """Another tick changed one of the jobs: its assignment is dropped whole."""


def apply(plan: Plan, jobs: Sequence[Job], now: dt.datetime) -> int:
    """Queues the plan's writes and notes why the other jobs wait; returns how many writes were queued."""
    by_id = {str(job.pk): job for job in jobs}
    writers = Writer.objects.in_bulk({int(assignment.writer) for assignment in plan.assignments})
    # A fault is the first job's: should it be another's, that one comes first while this one rests.
    by_first: dict[Job, list[Assignment]] = defaultdict(list)
    for assignment in plan.assignments:
        by_first[by_id[assignment.shares[0].job]].append(assignment)
    queued: list[Assignment] = []

    def queue(first: Job) -> None:
        for assignment in by_first[first]:
            try:
                _queue(assignment, by_id, writers[int(assignment.writer)], now)
                queued.append(assignment)
            except _Overtaken:
                continue
            except NotAccepted as refused:  # the fleet changed since the snapshot; the next tick sees how
                log.warning("write not queued: %s", refused)

    trouble.each(STEP, by_first, queue, now)
    waiting = [by_id[job_id] for job_id in plan.waits]
    trouble.each("fulfillment.note-wait", waiting, lambda job: _note_wait(job, plan.waits[str(job.pk)], now), now)
    return len(queued)


def _queue(assignment: Assignment, jobs: Mapping[str, Job], writer: Writer, now: dt.datetime) -> None:
    shares = [(jobs[share.job], share.copies) for share in assignment.shares]
    image = shares[0][0].image
    text = f"{assignment.copies} on {writer.name}"
    # A dropped assignment must leave the rows in memory as they were read, too.
    revisions = [(job, job.state, job.reason, job.revision) for job, _ in shares]
    try:
        with transaction.atomic():
            # In one order everywhere: two ticks with the same jobs in two orders would be a deadlock.
            for job, _ in sorted(shares, key=lambda share: share[0].pk):
                if not lifecycle.move_job(job, Job.State.WRITING, actor=ACTOR, now=now, text=text):
                    raise _Overtaken
            write = queue_write(
                uuid=uuid.uuid4(),
                writer=writer,
                image=ImageRef(sha256=image.sha256 or "", size=image.size or 0, layout=image.layout),
                format=assignment.format,
                title=shares[0][0].title,
                copies=assignment.copies,
                reference=_orders(job for job, _ in shares),
                actor=ACTOR,
                now=now,
            )
            WriteShare.objects.bulk_create(WriteShare(write=write, job=job, copies=copies) for job, copies in shares)
    except Exception:
        for job, state, reason, revision in revisions:
            job.state, job.reason, job.revision = state, reason, revision
        raise
    log.info("write queued: %s of %s", text, shares[0][0].title, extra=write.about)


def _orders(jobs: Iterable[Job]) -> str:
    """The orders a write is for, as its log lines name them: as many as there is room for."""
    numbers = sorted({job.order for job in jobs})
    return ",".join(numbers[:MOST_NAMED]) + (",etc" if len(numbers) > MOST_NAMED else "")


def _note_wait(job: Job, wait: Wait, now: dt.datetime) -> None:
    """A job with discs under way stays «writing»; another waits, or is held until somebody helps."""
    if job.state == Job.State.WRITING:
        return
    state = Job.State.HELD if wait in HOLDS else Job.State.WAITING
    if (job.state, job.reason) != (state, wait):
        lifecycle.move_job(job, state, actor=ACTOR, now=now, reason=wait)
