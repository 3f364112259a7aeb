"""How many discs each job has, has under way and lost, counted from the discs themselves. Reads only.

A job's row keeps the sums (`covered`, `lost`): they are counted anew when a write of it has lost a disc.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from devices.compiled import Compiled, given
from devices.models import Disc
from devices.states import DiscState
from fulfillment.models import Allocation, Job, WriteShare

UNDER_WAY = (DiscState.PLANNED, DiscState.STARTED)
UNDER_WAY_DISCS = Q(state__in=UNDER_WAY)
SPOILT = (DiscState.BAD, DiscState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one job: good discs that it was given, these and what is under way for it, and what was lost."""

    made: int
    covered: int
    lost: int


def count(jobs: Iterable[Job]) -> dict[UUID, Counts]:
    copies = {job.pk: job.copies for job in jobs}
    if not copies:
        return {}
    # A disc that has just become good and is given to nobody yet is not to be made a second time.
    had, going = made(copies), _share_out(copies, UNDER_WAY_DISCS | Q(state=DiscState.GOOD, allocation=None))
    lost = spoilt(copies)
    return {
        pk: Counts(had[pk], min(wanted, had[pk] + going[pk]), sum(lost[pk].values())) for pk, wanted in copies.items()
    }


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


def given_to(jobs: Iterable[UUID]) -> Counter[tuple[int, UUID]]:
    """How many discs each of these jobs has of each write."""
    return Counter({(write, job): discs for job, write, discs in _given_to.of(list(jobs))})


@Compiled
def _given_to(jobs: int) -> QuerySet[Allocation, Any]:
    rows = Allocation.objects.filter(job__pk__in=given(jobs, Allocation.job.field))
    return rows.values_list("job", "disc__write").annotate(discs=Count("pk"))


def made(jobs: Iterable[UUID]) -> Counter[UUID]:
    """How many good discs each job was given."""
    return Counter(dict(_made.of(list(jobs))))


@Compiled
def _made(jobs: int) -> QuerySet[Allocation, Any]:
    rows = Allocation.objects.filter(job__pk__in=given(jobs, Allocation.job.field))
    return rows.values_list("job").annotate(discs=Count("pk"))


def given_of(writes: Iterable[int]) -> Counter[tuple[int, UUID]]:
    """How many discs of each write each job has."""
    return Counter((write, job) for write, job in _given_of.of(list(writes)))


@Compiled
def _given_of(writes: int) -> QuerySet[Allocation, Any]:
    rows = Allocation.objects.filter(disc__write__pk__in=given(writes, Disc.write.field))
    return rows.values_list("disc__write", "job")


def _share_out(jobs: Iterable[UUID], which: Q) -> Counter[UUID]:
    """How many of `which` discs are whose: each write's, to its shares in the order of the plan."""
    wanted = set(jobs)
    going: Counter[UUID] = Counter()
    counts = Disc.objects.filter(which, write__shares__job__in=list(wanted)).values_list("write")
    by_write = dict(counts.annotate(discs=Count("pk", distinct=True)).order_by())
    had = given_of(by_write)
    shares = WriteShare.objects.filter(write__in=by_write).order_by("write", "pk")
    for write, job, copies in shares.values_list("write", "job", "copies"):
        discs = min(by_write[write], max(0, copies - had[write, job]))
        by_write[write] -= discs
        if job in wanted:
            going[job] += discs
    return going
