"""RESULT.json of a run that only its events tell of; it makes no promises and no plans."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fulfillment.simulation.workload import Order, Workload


def result_of(workload: Workload, events: Sequence[Mapping[str, Any]], *, seed: int, policy: str) -> dict[str, Any]:
    sizes = {image.id: image.bytes for image in workload.images}
    ends = [event for event in events if event["kind"] == "disc_end"]
    fetched = [sizes[event["image"]] for event in events if event["kind"] == "fetch_end"]
    good = [end for end in ends if end["ok"]]
    done = _done(workload.orders, good)
    flows = sorted(end - order.at for order in workload.orders if (end := done[order.id]) is not None)
    return {
        "policy": policy,
        "seed": seed,
        "makespan": ends[-1]["t"] if ends else 0.0,
        "discs": {"good": len(good), "bad": len(ends) - len(good)},
        "downloads": len(fetched),
        "downloaded_bytes": sum(fetched),
        "orders": [_entry(order, done[order.id]) for order in workload.orders],
        "flow": {
            "mean": math.fsum(flows) / len(flows) if flows else None,
            "p50": _quantile(flows, 0.5),
            "p95": _quantile(flows, 0.95),
        },
        "late_fraction": _late_fraction(workload.orders, done),
        "ticks": 0,
        "tick_seconds": 0.0,
        "projection_seconds": 0.0,
    }


def _done(orders: Sequence[Order], good: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """When each order had all of its copies; None where it never had."""
    missing = {order.id: sum(line.copies for line in order.lines) for order in orders}
    done: dict[str, float | None] = dict.fromkeys(missing)
    for end in good:
        missing[end["order"]] -= 1
        if not missing[end["order"]]:
            done[end["order"]] = end["t"]
    return done


def _entry(order: Order, done: float | None) -> dict[str, Any]:
    return {"id": order.id, "at": order.at, "done": done, "late": _is_late(order, done), "promise": None}


def _is_late(order: Order, done: float | None) -> bool:
    return order.due is not None and (done is None or done > order.due)


def _late_fraction(orders: Sequence[Order], done: Mapping[str, float | None]) -> float | None:
    with_due = [order for order in orders if order.due is not None]
    return sum(_is_late(order, done[order.id]) for order in with_due) / len(with_due) if with_due else None


def _quantile(values: Sequence[float], part: float) -> float | None:
    return values[max(0, math.ceil(part * len(values)) - 1)] if values else None
