"""One turn of the plant: read what the writers did, plan, make room where it is needed now, and send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devices import copiers, fleet, trouble
from devices.fleet import Fleet
from fulfillment import apply, caching, open_jobs, progress, ranking, recalls, snapshot
from fulfillment.console import progress as copies
from fulfillment.open_jobs import OpenJob
from fulfillment.planning.model import Plan
from fulfillment.planning.planner import plan
from fulfillment.planning.policies import Policy

NOTHING: Final = Plan((), {})


@dataclass(frozen=True, slots=True)
class Look:
    """What there was to plan, and what was decided. Nothing of it has been carried out."""

    jobs: Sequence[OpenJob]
    there: Fleet
    plan: Plan


@dataclass(frozen=True, slots=True)
class Turn:
    """How many writes were read, and how many were queued."""

    read: int
    queued: int


def run(now: dt.datetime) -> Turn:
    """Harmless when run twice, or twice at once."""
    with trouble.looked_up_once():
        there = fleet.read()
        recalls.recall_writes(there, now)
        read = progress.read_writes(now)
        copies.run(now)
        progress.use_stock(now)
        ranking.rerank(now)
        seen = look(there, now)
        caching.make_ready(seen.plan, seen.jobs, there, now)
        queued = apply.apply(seen.plan, seen.jobs, now)
        return Turn(read, queued)


def look(there: Fleet, now: dt.datetime) -> Look:
    """Plans, and changes nothing but the troubles of jobs that can't be planned."""
    policy, drives = ranking.in_force(now), copiers.read()
    jobs = open_jobs.head(_most(policy, there), trouble.left_alone(apply.STEP, now), drives)
    if not jobs:
        return Look((), there, NOTHING)

    def decide(jobs: Sequence[OpenJob]) -> Plan:
        return plan(snapshot.take(jobs, now, there, drives=drives), policy, now.timestamp())

    planned, plan_ = trouble.together("fulfillment.plan", jobs, decide, now)
    return Look(planned, there, plan_)


def _most(policy: Policy, there: Fleet) -> int:
    """Where any order will do, the best is found among many; else the planner looks at as many as it has writers."""
    if policy.any_order:
        return open_jobs.FAR
    return max(open_jobs.HEAD, len(there.working) + len(there.suspects))
