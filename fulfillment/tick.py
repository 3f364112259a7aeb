"""One turn of the plant: read what the writers did, plan, make room, and send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import F, QuerySet

from devices import trouble
from devices.models import Read, Write, Writer
from devices.states import WRITE_OPEN
from fulfillment import apply, caching, demand, learning, open_jobs, progress, ranking, snapshot
from fulfillment.console import progress as copies
from fulfillment.models import Job, Shipment
from fulfillment.open_jobs import OpenJob
from fulfillment.planning.model import Plan
from fulfillment.planning.planner import plan
from fulfillment.planning.policies import Policy

NOTHING: Final = Plan((), {})


@dataclass(frozen=True, slots=True)
class Turn:
    """How many writes were read, and how many were queued."""

    read: int
    queued: int


def run(now: dt.datetime) -> Turn:
    """Harmless when run twice, or twice at once."""
    progress.recall_writes(now)
    read = progress.read_writes(now)
    copies.run(now)
    progress.use_stock(now)
    trouble.sweep(_wanted())
    ranking.rerank(now)
    policy, decided = ranking.in_force(now), NOTHING
    jobs = open_jobs.head(_most(policy), without=trouble.left_alone(apply.STEP, now))
    if jobs:
        jobs, decided = trouble.together("fulfillment.plan", jobs, lambda jobs: _decide(jobs, policy, now), now)
    caching.keep(decided, jobs, now)
    queued = apply.apply(decided, jobs, now)
    learning.learn_from_log(now)
    demand.learn_from_writes()
    return Turn(read, queued)


def _wanted() -> dict[str, QuerySet[Any]]:
    """What each step has to do with; the trouble of anything else is over."""
    jobs, shipments = Job.objects.filter(state__in=Job.OPEN), Shipment.objects
    job_steps = ("plan", "rank", "roll", "queue-write", "note-wait", "give-stock", "settle-job")
    return {f"fulfillment.{step}": jobs for step in job_steps} | {
        caching.STEP: Writer.objects.filter(enabled=True),
        copies.STEP: copies.waiting(),
        copies.READ_STEP: Read.objects.filter(revision__gt=F("revision_read")),
        "fulfillment.recall-write": Write.objects.filter(state__in=WRITE_OPEN, cancel_requested=False),
        "fulfillment.finish-shipment": shipments.filter(state=Shipment.State.PREPARING),
        "fulfillment.estimate": shipments.filter(state__in=[Shipment.State.PREPARING, Shipment.State.READY]),
    }


def _most(policy: Policy) -> int:
    """Where any order will do, the best is found among many; else the planner looks at as many as it has writers."""
    if policy.any_order:
        return open_jobs.FAR
    return max(open_jobs.HEAD, Writer.objects.filter(enabled=True).count())


def _decide(jobs: Sequence[OpenJob], policy: Policy, now: dt.datetime) -> Plan:
    return plan(snapshot.take(jobs, now), policy, now.timestamp())
