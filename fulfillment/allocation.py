"""Which disc is whose: good discs go to the jobs they were written for, and what none of them wants lies in stock.

Of one write, in the order in which it was planned: were it the order of ranks, a job's sums would be wrong as soon as
ranks change.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from devices.compiled import Compiled, CompiledUpdate, Given, given
from devices.models import Disc, Write
from devices.states import DiscState
from devices.trouble import NotTried
from fulfillment import counting
from fulfillment.counting import Counts
from fulfillment.models import Allocation, Job, WriteShare

LOST = (DiscState.BAD, DiscState.UNKNOWN, DiscState.CANCELLED)


class Overtaken(NotTried):
    """Another tick was first with the job or with a disc: the next one looks again."""


@dataclass(frozen=True, slots=True)
class Written:
    """What some writes have made, and for whom: read for all of them at once, kept up to date by what is given."""

    spare: dict[int, list[Disc]]
    """By write, its good discs that are nobody's yet, first made first."""
    shares: Mapping[int, list[WriteShare]]
    """By write, in the order of the plan. Shares of one job have it in common."""
    given: Counter[tuple[int, UUID]]
    """How many discs a job has of each write."""
    made: Counter[UUID]
    """How many discs a job has of all writes."""
    counts: Mapping[UUID, Counts]
    """Of the open jobs of which a write has lost a disc: their sums stand anew."""

    def note(self, write: Write, job: Job, discs: Sequence[Disc]) -> None:
        """These discs of the write are the job's now."""
        self.given[write.pk, job.pk] += len(discs)
        self.made[job.pk] += len(discs)


def read_written(writes: Iterable[Write]) -> Written:
    """Jobs are read before what they were given: a disc given in between shows in their revision."""
    keys = [write.pk for write in writes]
    shares: dict[int, list[WriteShare]] = defaultdict(list)
    jobs: dict[UUID, Job] = {}
    for share in _shares.of(keys):
        share.job = jobs.setdefault(share.job_id, share.job)
        shares[share.write_id].append(share)
    spare: dict[int, list[Disc]] = defaultdict(list)
    lossy: set[int] = set()
    for disc in _spare_or_lost.of(keys):
        if disc.state == DiscState.GOOD:
            spare[disc.write_id].append(disc)
        else:
            lossy.add(disc.write_id)
    losers = {share.job_id: share.job for write in lossy for share in shares[write] if share.job.state in Job.OPEN}
    given_, made = counting.given_to(jobs), Counter[UUID]()
    for (_, job), discs in given_.items():
        made[job] += discs
    return Written(spare, shares, given_, made, counting.count(losers.values()))


@Compiled
def _shares(writes: int) -> QuerySet[WriteShare]:
    rows = WriteShare.objects.filter(write__pk__in=given(writes, WriteShare.write.field))
    return rows.select_related("job__shipment").order_by("pk")


@Compiled
def _spare_or_lost(writes: int) -> QuerySet[Disc]:
    spare = Q(state=DiscState.GOOD, allocation=None)
    rows = Disc.objects.filter(spare | Q(state__in=LOST), write__pk__in=given(writes, Disc.write.field))
    return rows.order_by("final_at", "id")


def allocate_write(write: Write, written: Written, now: dt.datetime) -> None:
    """Gives the write's good discs to the jobs they were written for, and puts what is left over in stock.

    Raises Overtaken, with what was given before given.
    """
    gifts, left_over = _shared_out(write, written)
    for job, discs in gifts:
        _give(job, discs, now)
        written.note(write, job, discs)
    in_stock = [Allocation(disc=disc, job=None, at=now) for disc in left_over]
    Allocation.objects.bulk_create(in_stock, ignore_conflicts=True)


def allocate_together(writes: Iterable[Write], written: Written, now: dt.datetime) -> None:
    """Gives what `allocate_write` gives to jobs, of all these writes in one transaction.

    Raises Overtaken or what the database says, with nothing given; then `written` is worth nothing any more.
    """
    by_job: dict[Job, list[Disc]] = defaultdict(list)
    for write in writes:
        gifts, left_over = _shared_out(write, written)
        for job, discs in gifts:
            by_job[job] += discs
            written.note(write, job, discs)
        written.spare[write.pk] = left_over
    if by_job:
        _give_whole(by_job, now)


def _shared_out(write: Write, written: Written) -> tuple[list[tuple[Job, list[Disc]]], list[Disc]]:
    """Which job gets which of the write's spare discs, and what is left over."""
    spare, gifts = written.spare.get(write.pk, []), []
    for share in written.shares.get(write.pk, ()) if spare else ():
        job = share.job
        wanted = min(share.copies - written.given[write.pk, job.pk], job.copies - written.made[job.pk])
        if spare and wanted > 0 and job.state in Job.OPEN:
            gifts.append((job, spare[:wanted]))
            spare = spare[wanted:]
    return gifts, spare


def stock() -> QuerySet[Disc]:
    """Good discs that were written for jobs and that none of them wanted."""
    return Disc.objects.filter(allocation__isnull=False, allocation__job=None)


def allocate_stock(job: Job, now: dt.datetime) -> int:
    """Gives discs in stock to a job that still wants some: nothing is written that lies on the shelf. How many it gave.

    Raises Overtaken.
    """
    fitting = stock().filter(write__image_sha256=job.image.sha256, write__format=job.format)
    return _give(job, list(fitting.order_by("final_at", "id")[: job.wanting]), now, in_stock=True)


def recount(job: Job, counts: Counts) -> None:
    """Keeps a job's sums where they have changed. Raises Overtaken."""
    if not is_counted(job, counts):
        _keep(job, covered=counts.covered, lost=counts.lost)


def is_counted(job: Job, counts: Counts) -> bool:
    return (job.covered, job.lost) == (counts.covered, counts.lost)


def _give(job: Job, discs: Sequence[Disc], now: dt.datetime, *, in_stock: bool = False) -> int:
    """Allocates these discs. Raises Overtaken, also if the job has changed since it was read."""
    if not discs or job.state not in Job.OPEN:
        return 0
    try:
        if in_stock:
            _take_from_stock(job, discs, now)
        else:
            _give_whole({job: discs}, now)
    except IntegrityError as error:  # one of these discs has just been given to another job; the next tick sees which
        raise Overtaken from error
    return len(discs)


def _give_whole(gifts: Mapping[Job, Sequence[Disc]], now: dt.datetime) -> None:
    with transaction.atomic():
        # In one order everywhere: two ticks with the same jobs in two orders would be a deadlock.
        for job in sorted(gifts, key=lambda job: job.pk):
            _keep(job, covered=job.covered)
        Allocation.objects.bulk_create(
            Allocation(disc=disc, job=job, at=now) for job, discs in gifts.items() for disc in discs
        )


def _take_from_stock(job: Job, discs: Sequence[Disc], now: dt.datetime) -> None:
    with transaction.atomic():
        _keep(job, covered=job.covered + len(discs))
        if Allocation.objects.filter(disc__in=discs, job=None).update(job=job, at=now) < len(discs):
            raise Overtaken


def _keep(job: Job, **sums: int) -> None:
    """Compare-and-set: sums of a job that somebody changed since it was read are not known."""
    if not _as_read(*sums, pk=job.pk, seen=job.revision, **sums):
        raise Overtaken
    job.revision += 1
    for column, value in sums.items():
        setattr(job, column, value)


@CompiledUpdate
def _as_read(*sums: str) -> tuple[QuerySet[Job], dict[str, Any]]:
    """The job's row, if it is as it was read, and what it becomes."""
    column: Any = Job._meta.get_field
    rows = Job.objects.filter(pk=Given("pk", column("id")), revision=Given("seen", column("revision")))
    return rows, {name: Given(name, column(name)) for name in sums} | {"revision": F("revision") + 1}
