"""Rolls the plan forward to its end: stores the run from which every date is read, and moves the estimates with it.

Beside the turn, because it looks at far more than what begins now; also finds what a turn left that died on the way.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from devices import trouble
from fulfillment import estimates, open_jobs, plan_runs, progress, ranking, snapshot
from fulfillment.models import PlanRun

SOONEST: Final = dt.timedelta(seconds=5)  # after the run before: what was given out since is in the next one
BACKWARDS: Final = dt.timedelta(seconds=1)  # a clock that was put back must not stop the dates


def run(now: dt.datetime) -> bool:
    """False: there is a run that is new enough. Harmless when run twice at once: both say the same."""
    newest = PlanRun.objects.order_by("-id").values_list("at", flat=True).first()
    if newest is not None and -BACKWARDS <= now - newest < SOONEST:
        return False
    progress.finish_leftovers(now)
    roll(now)
    return True


def roll(now: dt.datetime) -> None:
    jobs, policy = open_jobs.head(open_jobs.FAR), ranking.in_force(now)
    _, (made, projection) = trouble.together(
        "fulfillment.roll", jobs, lambda jobs: plan_runs.reckon(snapshot.take(jobs, now), policy, now), now
    )
    made.save()
    estimates.refresh(projection, now)
    plan_runs.sweep(now)
