"""The only reader for planning: rows in, frozen values out. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from devices import fleet
from devices.compiled import Compiled
from devices.copiers import Copier
from devices.fleet import Fleet
from devices.models import Disc
from fulfillment import counting, writer_views
from fulfillment.drive_times import DiscUnderWay
from fulfillment.models import WriteShare
from fulfillment.open_jobs import OpenJob
from fulfillment.planning.model import JobView, Snapshot, WriterView
from fulfillment.ranking import view_of


def take(
    jobs: Sequence[OpenJob],
    now: dt.datetime,
    there: Fleet | None = None,
    *,
    drives: Mapping[int, Sequence[Copier]] | None = None,
    to_the_end: bool = False,
) -> Snapshot:
    """there, drives: if they were read already. to_the_end: who asks when jobs will be made minds what is under way."""
    discs = _unfinished_discs()
    images = {job.image.sha256 for job in jobs if job.image.sha256}
    writers = writer_views.views(there or fleet.read(), discs, now, images, drives)
    return Snapshot(_job_views(jobs), writers, _under_way(writers, discs) if to_the_end else {})


def _job_views(jobs: Sequence[OpenJob]) -> tuple[JobView, ...]:
    spoilt = counting.spoilt(losers) if (losers := [job.pk for job in jobs if job.lost]) else {}
    return tuple(view_of(job, copies=job.wanting, avoid=frozenset(spoilt.get(job.pk, ()))) for job in jobs)


def _under_way(writers: Iterable[WriterView], discs: Mapping[int, Sequence[DiscUnderWay]]) -> dict[str, float]:
    """When each job's discs under way will be done: with the last of those their writer holds."""
    done_at = {int(writer.id): max(drive.free_at for drive in writer.drives) for writer in writers}
    writes = {disc.write: done_at[pk] for pk, held in discs.items() if pk in done_at for disc in held}
    finishes: dict[str, float] = {}
    for job_id, write_id in WriteShare.objects.filter(write__in=writes).values_list("job", "write"):
        finishes[str(job_id)] = max(finishes.get(str(job_id), 0.0), writes[write_id])
    return finishes


def _unfinished_discs() -> dict[int, list[DiscUnderWay]]:
    """By writer, in the order in which they will be made."""
    discs: dict[int, list[DiscUnderWay]] = defaultdict(list)
    for row in _under_way_now():
        disc = DiscUnderWay(*row)
        discs[disc.writer].append(disc)
    return discs


@Compiled
def _under_way_now() -> QuerySet[Disc, Any]:
    rows = Disc.objects.filter(state__in=counting.UNDER_WAY).order_by("write__queued_at", "id")
    return rows.values_list(
        "state", "drive", "started_at", "write", "write__writer", "write__image_sha256", "write__image_size",
        "write__format", "write__drive",
    )  # fmt: skip
