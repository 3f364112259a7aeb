"""When work will be ready, from a stored roll-forward. Pure; the only source of any date shown."""

from __future__ import annotations

from collections.abc import Sequence

from fulfillment.planning.model import JobView, Projection, Snapshot
from fulfillment.planning.planner import project
from fulfillment.planning.policies import FirstCome


def quote(standing: Projection, wanted: Sequence[JobView], now: float) -> float | None:
    """When `wanted` would be made if it queued behind everything projected; None if some of it can't be.

    Costs its own discs only: the queue's work already stands in the drives' `free_at`.
    """
    finishes = project(Snapshot(tuple(wanted), standing.writers), FirstCome(), now, split=True).finishes
    if len(finishes) < len(wanted):
        return None
    return max(finishes.values(), default=now)
