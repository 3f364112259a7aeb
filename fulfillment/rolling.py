"""Rolls the plan forward to its end: stores the run from which every date is read, and moves the estimates with it.

Beside the turn, because it looks at far more than what begins now. Does as well what a turn has no time for: has the
images come that are needed next, finds what one left that died on the way, forgets troubles that are over, and learns.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Final

from django.db.models import F, QuerySet

from devices import fleet, trouble
from devices.models import Read, Write, Writer
from devices.states import WRITE_OPEN
from fulfillment import (
    arrivals,
    caching,
    demand,
    estimates,
    foreseeing,
    learning,
    open_jobs,
    plan_runs,
    progress,
    ranking,
    snapshot,
    tick,
)
from fulfillment.console import progress as copies
from fulfillment.models import Job, PlanRun, Shipment
from fulfillment.planning.overtaking import overtakes

SOONEST: Final = dt.timedelta(seconds=5)  # after the run before: what was given out since is in the next one
BACKWARDS: Final = dt.timedelta(seconds=1)  # a clock that was put back must not stop the dates


def run(now: dt.datetime) -> bool:
    """False: there is a run that is new enough. Harmless when run twice at once: both say the same."""
    newest = PlanRun.objects.order_by("-id").values_list("at", flat=True).first()
    if newest is not None and -BACKWARDS <= now - newest < SOONEST:
        return False
    progress.finish_leftovers(now)
    trouble.sweep(_wanted())
    learning.learn_from_log(now)
    foreseeing.score(now)
    demand.learn_from_writes()
    keep_disks(now)
    roll(now)
    return True


def keep_disks(now: dt.datetime) -> None:
    seen = tick.look(fleet.read(), now)
    caching.keep(seen.plan, seen.jobs, seen.there, now)


def roll(now: dt.datetime) -> None:
    jobs, policy, belief = open_jobs.head(open_jobs.FAR), ranking.in_force(now), foreseeing.belief(now)
    expected = arrivals.expected(now) if overtakes(policy) else None
    _, (made, projection) = trouble.together(
        "fulfillment.roll",
        jobs,
        lambda jobs: plan_runs.reckon(
            replace(snapshot.take(jobs, now, to_the_end=True), coming=expected), policy, now, belief
        ),
        now,
    )
    made.save()
    estimates.refresh(projection, belief, now)
    plan_runs.sweep(now)


def _wanted() -> dict[str, QuerySet[Any]]:
    """What each step has to do with; the trouble of anything else is over."""
    jobs, shipments = Job.objects.filter(state__in=Job.OPEN), Shipment.objects
    job_steps = ("plan", "rank", "roll", "queue-write", "note-wait", "give-stock", "settle-job", "count-job")
    return {f"fulfillment.{step}": jobs for step in job_steps} | {
        caching.STEP: Writer.objects.filter(enabled=True),
        copies.STEP: copies.waiting(),
        copies.READ_STEP: Read.objects.filter(revision__gt=F("revision_read")),
        "fulfillment.recall-write": Write.objects.filter(state__in=WRITE_OPEN, cancel_requested=False),
        "fulfillment.finish-shipment": shipments.filter(state=Shipment.State.PREPARING),
        "fulfillment.estimate": shipments.filter(state__in=[Shipment.State.PREPARING, Shipment.State.READY]),
    }
