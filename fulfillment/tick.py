"""One turn of the plant: read what the writers did, plan, send, and roll the dates forward."""

from __future__ import annotations

import datetime as dt
from typing import Final

from fulfillment import apply, estimates, plan_runs, progress, ranking, snapshot
from fulfillment.models import PlanRun
from fulfillment.planning.planner import plan

ROLL_EVERY: Final = dt.timedelta(seconds=15)


def run(now: dt.datetime) -> int:
    """Returns how many writes were queued. Harmless when run twice, or twice at once."""
    progress.recall_writes(now)
    changed = progress.read_writes(now)
    progress.use_stock(now)
    progress.finish_leftovers(now)
    jobs = snapshot.open_jobs()
    queued = 0
    if jobs:
        decided = plan(snapshot.take(jobs, now), ranking.policy(), now.timestamp())
        queued = apply.apply(decided, jobs, now)
    if changed or queued or _roll_due(now):
        roll(now)
    return queued


def roll(now: dt.datetime) -> None:
    """Stores a new roll-forward, from which every date is read, and moves the estimates with it."""
    _, projection = plan_runs.store(snapshot.take(snapshot.open_jobs(), now), ranking.policy(), now)
    estimates.refresh(projection, now)
    plan_runs.sweep(now)


def _roll_due(now: dt.datetime) -> bool:
    newest = PlanRun.objects.order_by("-id").values_list("at", flat=True).first()
    return newest is None or newest <= now - ROLL_EVERY
