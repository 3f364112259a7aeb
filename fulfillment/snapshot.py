"""The only reader for planning: rows in, frozen values out. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.db.models import Q

from devices.models import Disc
from fulfillment import allocation, writer_views
from fulfillment.models import Job, WriteShare
from fulfillment.planning.model import JobView, Snapshot, Wait, WriterView
from fulfillment.ranking import view_of

HEAD: Final = 2000  # jobs looked at in one tick, in rank order
PLANNERS_HOLDS: Final = (Wait.BLANKS, Wait.WRITER, Wait.ROOM)  # holds that end by themselves when the plant can go on


def open_jobs(without: Collection[str] = ()) -> list[Job]:
    """The head of the queue, in rank order: what waits, what is being written, what the planner itself holds.

    without: keys of jobs to leave alone.
    """
    mine = Q(state__in=[Job.State.WAITING, Job.State.WRITING]) | Q(state=Job.State.HELD, reason__in=PLANNERS_HOLDS)
    return list(Job.objects.filter(mine).exclude(pk__in=without).select_related("image").order_by("rank")[:HEAD])


def take(jobs: Sequence[Job], now: dt.datetime) -> Snapshot:
    discs = _unfinished_discs()
    writers = writer_views.views(discs, now, {job.image.sha256 for job in jobs if job.image.sha256})
    return Snapshot(jobs=_job_views(jobs), writers=writers, under_way=_under_way(writers, discs))


def _job_views(jobs: Sequence[Job]) -> tuple[JobView, ...]:
    needs = allocation.needs(jobs)
    spoilt = allocation.spoilt(needs)
    return tuple(
        view_of(job, copies=needs[job.pk], avoid=frozenset(spoilt.get(job.pk, ()))) for job in jobs if needs[job.pk] > 0
    )


def _under_way(writers: Iterable[WriterView], discs: dict[int, list[Disc]]) -> dict[str, float]:
    """When each job's discs under way will be done: with the last of those their writer holds."""
    done_at = {int(writer.id): max(drive.free_at for drive in writer.drives) for writer in writers}
    writes = {disc.write_id: done_at[pk] for pk, held in discs.items() if pk in done_at for disc in held}
    finishes: dict[str, float] = {}
    for job_id, write_id in WriteShare.objects.filter(write__in=writes).values_list("job", "write"):
        finishes[str(job_id)] = max(finishes.get(str(job_id), 0.0), writes[write_id])
    return finishes


def _unfinished_discs() -> dict[int, list[Disc]]:
    """Discs sent or to be sent and not finished, by writer, in the order in which they will be made."""
    discs: dict[int, list[Disc]] = defaultdict(list)
    rows = Disc.objects.filter(state__in=allocation.UNDER_WAY).select_related("write")
    for disc in rows.order_by("write__queued_at", "id"):
        discs[disc.write.writer_id].append(disc)
    return discs
