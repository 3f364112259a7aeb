"""Which disc is whose: good discs go to jobs in policy order, and every disc under way is counted for somebody."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, QuerySet

from devices.models import Disc, Write
from devices.states import DiscState
from devices.trouble import NotTried
from fulfillment.models import Allocation, Job, WriteShare
from fulfillment.open_jobs import OpenJob

UNDER_WAY = (DiscState.PLANNED, DiscState.STARTED)
UNDER_WAY_DISCS = Q(state__in=UNDER_WAY)
SPOILT = (DiscState.BAD, DiscState.UNKNOWN)


class Overtaken(NotTried):
    """Another tick was first with the job or with a disc: the next one looks again."""


@dataclass(frozen=True, slots=True)
class Written:
    """What some writes have made, and for whom: read for all of them at once, kept up to date by what is given."""

    spare: Mapping[int, list[Disc]]
    """By write, its good discs that are nobody's yet, first made first."""
    shares: Mapping[int, list[WriteShare]]
    """By write, in policy order. Shares of one job have it in common."""
    given: Counter[tuple[int, UUID]]
    """How many discs of a write a job has."""
    made: Counter[UUID]
    """How many discs a job has of all writes."""


def read_written(writes: Iterable[Write]) -> Written:
    """Jobs are read before what they were given: a disc given in between shows in their revision."""
    keys = [write.pk for write in writes]
    shares: dict[int, list[WriteShare]] = defaultdict(list)
    jobs: dict[UUID, Job] = {}
    for share in WriteShare.objects.filter(write__in=keys).select_related("job__shipment").order_by("job__rank", "pk"):
        share.job = jobs.setdefault(share.job_id, share.job)
        shares[share.write_id].append(share)
    spare: dict[int, list[Disc]] = defaultdict(list)
    good = Disc.objects.filter(write__in=keys, state=DiscState.GOOD, allocation=None)
    for disc in good.order_by("final_at", "id"):
        spare[disc.write_id].append(disc)
    return Written(spare, shares, _given_of(keys), _allocated(jobs))


def allocate_write(write: Write, written: Written, now: dt.datetime) -> None:
    """Gives the write's good discs to the jobs they were written for, and puts what is left over in stock.

    Raises Overtaken, with what was given before given.
    """
    spare = written.spare.get(write.pk, [])
    for share in written.shares.get(write.pk, ()) if spare else ():
        job, of_this = share.job, (write.pk, share.job_id)
        wanted = min(share.copies - written.given[of_this], job.copies - written.made[job.pk])
        given = _give(job, spare[: max(0, wanted)], now)
        written.given[of_this] += given
        written.made[job.pk] += given
        spare = spare[given:]
    left_over = (Allocation(disc=disc, job=None, at=now) for disc in spare)
    Allocation.objects.bulk_create(left_over, ignore_conflicts=True)


def stock() -> QuerySet[Disc]:
    """Good discs that were written for jobs and that none of them wanted."""
    return Disc.objects.filter(allocation__isnull=False, allocation__job=None)


def allocate_stock(job: Job, now: dt.datetime) -> int:
    """Gives discs in stock to a job that still needs some: nothing is written that lies on the shelf. How many it has.

    Raises Overtaken.
    """
    made = _allocated([job.pk])[job.pk]
    wanted = needs([job])[job.pk]
    if not wanted:
        return made
    fitting = stock().filter(write__image_sha256=job.image.sha256, write__format=job.format)
    return made + _give(job, list(fitting.order_by("final_at", "id")[:wanted]), now, in_stock=True)


def _give(job: Job, discs: Sequence[Disc], now: dt.datetime, *, in_stock: bool = False) -> int:
    """Allocates these discs. Raises Overtaken, also if the job has changed since it was read."""
    if not discs or job.state not in Job.OPEN:
        return 0
    try:
        _give_whole(job, discs, now, in_stock=in_stock)
    except IntegrityError as error:  # one of these discs has just been given to another job; the next tick sees which
        raise Overtaken from error
    return len(discs)


def _give_whole(job: Job, discs: Sequence[Disc], now: dt.datetime, *, in_stock: bool) -> None:
    with transaction.atomic():
        held = Job.objects.filter(pk=job.pk, revision=job.revision).update(revision=F("revision") + 1)
        if not held:
            raise Overtaken
        if not in_stock:
            Allocation.objects.bulk_create(Allocation(disc=disc, job=job, at=now) for disc in discs)
        elif Allocation.objects.filter(disc__in=discs, job=None).update(job=job, at=now) < len(discs):
            raise Overtaken
    job.revision += 1


def needs(jobs: Iterable[Job | OpenJob]) -> dict[UUID, int]:
    """How many discs of each job are neither made nor under way."""
    copies = {job.pk: job.copies for job in jobs}
    # A disc that has just become good and is given to nobody yet is not to be made a second time.
    made, going = _allocated(copies), _share_out(copies, UNDER_WAY_DISCS | Q(state=DiscState.GOOD, allocation=None))
    return {pk: max(0, wanted - made[pk] - going[pk]) for pk, wanted in copies.items()}


def spoilt(jobs: Iterable[UUID]) -> dict[UUID, Counter[str]]:
    """For each job, by writer: how many of its discs went bad or unknown, and of its writes were refused for good."""
    counts: dict[UUID, Counter[str]] = defaultdict(Counter)
    rows = (
        WriteShare.objects.filter(job__in=list(jobs))
        .values_list("job", "write__writer")
        .annotate(
            discs=Count("write__discs", filter=Q(write__discs__state__in=SPOILT), distinct=True),
            refused=Count("write", filter=~Q(write__problem=""), distinct=True),
        )
    )
    for job, writer, discs, refused in rows:
        if discs or refused:
            counts[job][str(writer)] += discs + refused
    return counts


def _allocated(jobs: Iterable[UUID]) -> Counter[UUID]:
    rows = Allocation.objects.filter(job__in=list(jobs)).values_list("job").annotate(discs=Count("pk"))
    return Counter(dict(rows))


def _given_of(writes: Iterable[int]) -> Counter[tuple[int, UUID]]:
    return Counter(Allocation.objects.filter(disc__write__in=list(writes)).values_list("disc__write", "job"))


def _share_out(jobs: Iterable[UUID], which: Q) -> Counter[UUID]:
    """How many of `which` discs are whose: each write's, to its shares in policy order."""
    wanted = set(jobs)
    going: Counter[UUID] = Counter()
    counts = Disc.objects.filter(which, write__shares__job__in=list(wanted)).values_list("write")
    by_write = dict(counts.annotate(discs=Count("pk", distinct=True)).order_by())
    had = _given_of(by_write)
    shares = WriteShare.objects.filter(write__in=by_write).order_by("write", "job__rank", "pk")
    for write, job, copies in shares.values_list("write", "job", "copies"):
        discs = min(by_write[write], max(0, copies - had[write, job]))
        by_write[write] -= discs
        if job in wanted:
            going[job] += discs
    return going
