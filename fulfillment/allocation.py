"""Which disc is whose: good discs go to jobs in policy order, and every disc under way is counted for somebody."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

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


def allocate_write(write: Write, now: dt.datetime) -> int:
    """Gives the write's good discs to the jobs they were written for; what is left over is stock. How many it gave.

    Raises Overtaken, with what was given before given.
    """
    spare = list(write.discs.filter(state=DiscState.GOOD, allocation=None).order_by("final_at", "id"))
    if not spare:
        return 0
    had = Counter(Allocation.objects.filter(disc__write=write).values_list("job", flat=True))
    good = len(spare)
    for share in write.shares.select_related("job").order_by("job__rank", "pk"):
        given = _give(share.job, spare[: max(0, share.copies - had[share.job_id])], now)
        spare = spare[given:]
    return good - len(spare)


def stock() -> QuerySet[Disc]:
    """Good discs that were written for jobs and belong to none. A console copy has no share, and is nobody's stock."""
    shared = WriteShare.objects.filter(write=OuterRef("write"))
    return Disc.objects.filter(Exists(shared), state=DiscState.GOOD, allocation=None)


def allocate_stock(job: Job, now: dt.datetime) -> None:
    """Gives discs in stock to a job that still needs some: nothing is written that lies on the shelf.

    Raises Overtaken.
    """
    wanted = needs([job])[job.pk]
    if wanted:
        fitting = stock().filter(write__image_sha256=job.image.sha256, write__format=job.format)
        _give(job, list(fitting.order_by("final_at", "id")[:wanted]), now)


def _give(job: Job, discs: list[Disc], now: dt.datetime) -> int:
    """Allocates up to as many discs as the job lacks. Raises Overtaken."""
    try:
        return _give_whole(job, discs, now)
    except IntegrityError as error:  # one of these discs has just been given to another job; the next tick sees which
        raise Overtaken from error


def _give_whole(job: Job, discs: list[Disc], now: dt.datetime) -> int:
    with transaction.atomic():
        job = Job.objects.get(pk=job.pk)
        if job.state not in Job.OPEN:
            return 0
        given = discs[: job.copies - _allocated([job.pk])[job.pk]]
        if not given:
            return 0
        held = Job.objects.filter(pk=job.pk, revision=job.revision).update(revision=F("revision") + 1)
        if not held:
            raise Overtaken
        Allocation.objects.bulk_create(Allocation(disc=disc, job=job, at=now) for disc in given)
    return len(given)


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


def _share_out(jobs: Iterable[UUID], which: Q) -> Counter[UUID]:
    """How many of `which` discs are whose: each write's, to its shares in policy order."""
    wanted = set(jobs)
    going: Counter[UUID] = Counter()
    counts = Disc.objects.filter(which, write__shares__job__in=list(wanted)).values_list("write")
    by_write = dict(counts.annotate(discs=Count("pk", distinct=True)).order_by())
    had = Counter(Allocation.objects.filter(disc__write__in=by_write).values_list("disc__write", "job"))
    shares = WriteShare.objects.filter(write__in=by_write).order_by("write", "job__rank", "pk")
    for write, job, copies in shares.values_list("write", "job", "copies"):
        discs = min(by_write[write], max(0, copies - had[write, job]))
        by_write[write] -= discs
        if job in wanted:
            going[job] += discs
    return going
