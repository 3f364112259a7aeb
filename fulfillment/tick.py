"""One turn of the plant: read what the writers did, plan, make room, send, and roll the dates forward."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import F, QuerySet

from devices import trouble
from devices.models import Read, Write, Writer
from devices.states import WRITE_OPEN
from fulfillment import apply, caching, demand, estimates, learning, plan_runs, progress, ranking, snapshot
from fulfillment.console import progress as copies
from fulfillment.models import Job, PlanRun, Shipment
from fulfillment.planning.model import Plan
from fulfillment.planning.planner import plan

ROLL_EVERY: Final = dt.timedelta(seconds=15)
NOTHING: Final = Plan((), {})


def run(now: dt.datetime) -> int:
    """Returns how many writes were queued. Harmless when run twice, or twice at once."""
    progress.recall_writes(now)
    changed = progress.read_writes(now)
    copies.run(now)
    progress.use_stock(now)
    progress.finish_leftovers(now)
    trouble.sweep(_wanted())
    ranking.rerank(now)
    jobs, decided = snapshot.open_jobs(trouble.left_alone(apply.STEP, now)), NOTHING
    if jobs:
        jobs, decided = trouble.together("fulfillment.plan", jobs, lambda jobs: _decide(jobs, now), now)
    caching.keep(decided, jobs, now)
    queued = apply.apply(decided, jobs, now)
    learning.learn_from_log(now)
    demand.learn_from_writes()
    if changed or queued or _roll_due(now):
        roll(now)
    return queued


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


def roll(now: dt.datetime) -> None:
    """Stores a new roll-forward, from which every date is read, and moves the estimates with it."""
    jobs, policy = snapshot.open_jobs(), ranking.in_force(now)
    _, (run, projection) = trouble.together(
        "fulfillment.roll", jobs, lambda jobs: plan_runs.reckon(snapshot.take(jobs, now), policy, now), now
    )
    run.save()
    estimates.refresh(projection, now)
    plan_runs.sweep(now)


def _decide(jobs: Sequence[Job], now: dt.datetime) -> Plan:
    return plan(snapshot.take(jobs, now), ranking.in_force(now), now.timestamp())


def _roll_due(now: dt.datetime) -> bool:
    newest = PlanRun.objects.order_by("-id").values_list("at", flat=True).first()
    return newest is None or newest <= now - ROLL_EVERY
