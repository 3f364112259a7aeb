"""The rank of a job's row: given when it is accepted, and again, in chunks, when the policy changes.

A rank orders the queue and moves no state.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet, Value

from devices import trouble
from devices.compiled import Compiled, Given
from fulfillment import learning
from fulfillment.choosing import in_force
from fulfillment.guarded import Guarded
from fulfillment.models import Job
from fulfillment.open_jobs import OpenJob
from fulfillment.planning.cost import disc_seconds
from fulfillment.planning.model import JobView, Rates
from fulfillment.planning.ranks import encode_rank, full_rank

__all__ = ["PLACE", "STEP", "in_force", "place", "rerank", "view_of"]

STEP: Final = "fulfillment.rank"
PLACE: Final = ("rank", "ranked_by", "work_seconds")  # the columns that `place` sets


def place(job: Job, policy: Guarded, rates: Rates) -> None:
    """Sets the job's rank, whose it is, and its work at these rates of a typical drive; saves nothing."""
    job.work_seconds = _work_of(job, rates)
    job.rank = encode_rank(full_rank(policy, view_of(job)))
    job.ranked_by = policy.ranked_by  # read last: it is another one if the policy has just failed


def rerank(now: dt.datetime, most: int = 500) -> int:
    """Ranks up to so many open jobs anew: those of another policy, and those whose work has become known.

    Two ticks at once do no harm: a row that was changed since it was read is left to the next one.
    """
    policy = in_force(now)
    jobs = _to_rank(policy.ranked_by, most, now)
    if not jobs:
        return 0
    rates = learning.typical_rates()
    placed: list[tuple[Job, str]] = []

    def work(job: Job) -> None:
        before = job.ranked_by
        place(job, policy, rates)
        placed.append((job, before))

    trouble.each(STEP, jobs, work, now)
    with transaction.atomic():
        # In one order everywhere: two ticks with the same jobs in two orders would be a deadlock.
        return sum(_keep(job, before) for job, before in sorted(placed, key=lambda pair: pair[0].pk))


def _keep(job: Job, before: str) -> int:
    """The revision stays as it is: nobody above reads ranks, and a change that somebody else is about goes through."""
    rows = Job.objects.filter(pk=job.pk, revision=job.revision, ranked_by=before)
    return rows.update(**{column: getattr(job, column) for column in PLACE})


def _to_rank(ranked_by: str, most: int, now: dt.datetime) -> list[Job]:
    """Read by two ranges of an index: «not equal» would look at the whole queue in each tick."""
    if not _any_stale(ranked_by=ranked_by):
        return []
    alone = trouble.left_alone(STEP, now)
    jobs = Job.objects.filter(state__in=Job.OPEN).exclude(pk__in=alone).select_related("image")
    found: dict[object, Job] = {}
    for rows in _stale(jobs, ranked_by):
        found |= {job.pk: job for job in rows[: most - len(found)]}
    return list(found.values())


@Compiled
def _any_stale() -> QuerySet[Job, Any]:
    jobs = Job.objects.filter(state__in=Job.OPEN)
    stale = _stale(jobs, Given("ranked_by", Job._meta.get_field("ranked_by")))
    first, *others = (rows.order_by().values_list(Value(1)) for rows in stale)
    return first.union(*others, all=True)[:1]


def _stale(jobs: QuerySet[Job], ranked_by: str | Given) -> list[QuerySet[Job]]:
    return [
        jobs.filter(ranked_by__lt=ranked_by).order_by("ranked_by"),
        jobs.filter(ranked_by__gt=ranked_by).order_by("ranked_by"),
        jobs.filter(work_seconds=None, image__size__isnull=False).order_by("pk"),
    ]


def _work_of(job: Job, rates: Rates) -> float | None:
    """What all its discs take one drive of no writer in particular; None until its image is made."""
    size = job.image.size
    return None if size is None else job.copies * disc_seconds(rates, size, job.format)


def view_of(job: Job | OpenJob, *, copies: int | None = None, avoid: frozenset[str] = frozenset()) -> JobView:
    """A job as planning sees it. `copies` are those still to be given out (all of them, for its rank)."""
    image = job.image
    ready = bool(image.sha256)
    return JobView(
        id=str(job.pk),
        image=image.sha256 or f"recipe:{image.recipe}",
        bytes=image.size or 0,
        format=job.format,
        copies=job.copies if copies is None else copies,
        received_at=job.received_at.timestamp(),
        sequence=job.pk.int >> 75,  # 53 bits: exact as a float, and settles jobs of one instant for good
        priority=job.priority,
        due=job.due.timestamp() if job.due else None,
        image_ready_at=0.0 if ready else None,
        avoid=avoid,
        work=job.work_seconds or 0.0,
        put_first=job.put_first_at.timestamp() if job.put_first_at else 0.0,
    )
