"""What a run came to, as the contract of workload files has it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from statistics import fmean
from typing import Any, Final

from fulfillment.planning.belief import LEVELS
from fulfillment.simulation.engine import Tally
from fulfillment.simulation.workload import Order, Workload

PROMISED: Final = tuple(f"p{100 * level:.0f}" for level in LEVELS)


def result(workload: Workload, policy: str, seed: int, tally: Tally) -> dict[str, Any]:
    flows = sorted(tally.done[order.id] - order.at for order in workload.orders if order.id in tally.done)
    with_due = [order for order in workload.orders if order.due is not None]
    return {
        "policy": policy,
        "seed": seed,
        "makespan": tally.makespan,
        "discs": {"good": tally.good, "bad": tally.bad},
        "downloads": tally.downloads,
        "downloaded_bytes": tally.downloaded_bytes,
        "orders": [_order(order, tally) for order in workload.orders],
        "flow": {
            "mean": fmean(flows) if flows else None,
            "p50": quantile(flows, 0.5),
            "p95": quantile(flows, 0.95),
        },
        "late_fraction": sum(_is_late(order, tally) for order in with_due) / len(with_due) if with_due else 0.0,
        "ticks": tally.ticks,
        "tick_seconds": tally.tick_seconds,
        "projection_seconds": tally.projection_seconds,
    }


def _order(order: Order, tally: Tally) -> dict[str, Any]:
    """`promise`: none where nobody could say, or nobody was asked."""
    done, promised = tally.done.get(order.id), tally.promised.get(order.id)
    promise = dict(zip(PROMISED, promised, strict=True)) if promised else None
    return {"id": order.id, "at": order.at, "done": done, "late": _is_late(order, tally), "promise": promise}


def _is_late(order: Order, tally: Tally) -> bool:
    """What is never made is late as well."""
    return order.due is not None and tally.done.get(order.id, float("inf")) > order.due


def quantile(ascending: Sequence[float], part: float) -> float | None:
    """Linear between neighbours; None of nothing."""
    if not ascending:
        return None
    place = part * (len(ascending) - 1)
    low = floor(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)
