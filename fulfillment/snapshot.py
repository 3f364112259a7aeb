"""The only reader for planning: rows in, frozen values out. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.db.models import Q

from devices.models import CachedImage, Disc, Writer
from devices.states import DiscState, WriterState
from fulfillment import allocation
from fulfillment.models import Job, WriteShare
from fulfillment.planning.cost import disc_seconds, fetch_seconds, prior_rates
from fulfillment.planning.model import DriveView, JobView, Rates, Snapshot, Wait, WriterView
from fulfillment.ranking import view_of

HEAD: Final = 2000  # jobs looked at in one tick, in rank order
PLANNERS_HOLDS: Final = (Wait.BLANKS, Wait.WRITER)  # holds that end by themselves when the plant can go on


def open_jobs(without: Collection[str] = ()) -> list[Job]:
    """The head of the queue, in rank order: what waits, what is being written, what the planner itself holds.

    without: keys of jobs to leave alone.
    """
    mine = Q(state__in=[Job.State.WAITING, Job.State.WRITING]) | Q(state=Job.State.HELD, reason__in=PLANNERS_HOLDS)
    return list(Job.objects.filter(mine).exclude(pk__in=without).select_related("image").order_by("rank")[:HEAD])


def take(jobs: Sequence[Job], now: dt.datetime) -> Snapshot:
    discs = _unfinished_discs()
    writers = _writer_views(discs, now)
    return Snapshot(jobs=_job_views(jobs), writers=writers, under_way=_under_way(writers, discs))


def _job_views(jobs: Sequence[Job]) -> tuple[JobView, ...]:
    needs = allocation.needs(jobs)
    spoilt = allocation.spoilt(needs)
    return tuple(
        view_of(job, copies=needs[job.pk], avoid=frozenset(spoilt.get(job.pk, ()))) for job in jobs if needs[job.pk] > 0
    )


def _writer_views(discs: dict[int, list[Disc]], now: dt.datetime) -> tuple[WriterView, ...]:
    at_work = Writer.objects.filter(
        state__in=[WriterState.IDLE, WriterState.BUSY], enabled=True, draining=False, maintenance=False
    ).prefetch_related("drives", "bins")
    cached: dict[int, set[str]] = defaultdict(set)
    for writer_id, sha256 in CachedImage.objects.filter(state="ready").values_list("writer", "sha256"):
        cached[writer_id].add(sha256)
    views = (
        _writer_view(writer, cached[writer.pk], discs.get(writer.pk, []), now.timestamp())
        for writer in at_work.order_by("name")
    )
    return tuple(view for view in views if view.drives)


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


def _writer_view(writer: Writer, cached: set[str], discs: list[Disc], now: float) -> WriterView:
    rates = prior_rates()
    drives = {
        drive.ident: frozenset(drive.formats)
        for drive in writer.drives.all()
        if drive.role == "copier" and drive.state in {"idle", "busy"}
    }
    link_free_at = now + sum(
        fetch_seconds(rates, size) for sha256, size in _images(discs).items() if sha256 not in cached
    )
    free_at = _free_at(drives, discs, rates, now, link_free_at, cached)
    return WriterView(
        id=str(writer.pk),
        drives=tuple(DriveView(ident, formats, free_at[ident]) for ident, formats in sorted(drives.items())),
        rates=rates,
        cached=frozenset(cached | set(_images(discs))),
        blanks=_blanks(writer, discs),
        link_free_at=link_free_at,
        outstanding=len(discs),
    )


def _images(discs: Iterable[Disc]) -> dict[str, int]:
    return {disc.write.image_sha256: disc.write.image_size for disc in discs}


def _free_at(
    drives: dict[str, frozenset[str]], discs: list[Disc], rates: Rates, now: float, fetched: float, cached: set[str]
) -> dict[str, float]:
    """When each drive has done what is already given to its writer."""
    free = dict.fromkeys(drives, now)
    for disc in discs:
        seconds = disc_seconds(rates, disc.write.image_size, disc.write.format)
        if disc.state == DiscState.STARTED and disc.drive in free and disc.started_at:
            # The time is the agent's: not in the future. A disc may take longer than reckoned: not done before now.
            free[disc.drive] = max(now, min(now, disc.started_at.timestamp()) + seconds)
    for disc in discs:
        if disc.state != DiscState.PLANNED:
            continue
        fitting = [ident for ident, formats in drives.items() if disc.write.format in formats]
        if fitting:
            drive = min(fitting, key=lambda ident: (free[ident], ident))
            here = now if disc.write.image_sha256 in cached else fetched
            seconds = disc_seconds(rates, disc.write.image_size, disc.write.format)
            free[drive] = max(free[drive], here) + seconds
    return free


def _blanks(writer: Writer, discs: list[Disc]) -> dict[str, int]:
    """Blanks left per format after those that are spoken for; a format with a bin that can't count has no entry."""
    left: dict[str, int] = defaultdict(int)
    uncounted: set[str] = set()
    for bin_ in writer.bins.all():
        left[bin_.format] += bin_.remaining
        if not bin_.counted:
            uncounted.add(bin_.format)
    for disc in discs:
        if disc.state == DiscState.PLANNED and disc.write.format in left:
            left[disc.write.format] -= 1
    return {format_: max(0, count) for format_, count in left.items() if format_ not in uncounted}
