"""Whether a run's RESULT says what its events showed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fulfillment.simulation.workload import Order, Workload

QUANTILES: Final = {"p50": 0.5, "p95": 0.95}


@dataclass
class Facts:
    """What the events showed; `done` has the orders that got all they asked for."""

    done: dict[str, float] = field(default_factory=dict)
    good: int = 0
    bad: int = 0
    fetches_begun: list[str] = field(default_factory=list)
    fetches_ended: list[str] = field(default_factory=list)
    last_disc_end: float = 0.0


def check_result(workload: Workload, facts: Facts, result: Mapping[str, Any]) -> list[str]:
    try:
        return [f"result: {text}" for text in _told(workload, facts, result)]
    except (KeyError, TypeError) as error:  # the rest cannot be compared without what is missing
        return [f"result: a key is missing or of another type: {type(error).__name__} {error}"]


def _told(workload: Workload, facts: Facts, result: Mapping[str, Any]) -> Iterator[str]:
    for key in ("policy", "seed", "ticks", "tick_seconds", "projection_seconds"):
        if key not in result:
            yield f"{key} is missing"
    yield from _counts(workload, facts, result)
    yield from _orders(workload, facts, result["orders"])
    yield from _flow(workload, facts, result)


def _counts(workload: Workload, facts: Facts, result: Mapping[str, Any]) -> Iterator[str]:
    sizes = {image.id: image.bytes for image in workload.images}
    # A fetch that is under way when the last disc is done may be counted or not.
    counted = {
        (len(fetches), sum(sizes[image] for image in fetches)) for fetches in (facts.fetches_begun, facts.fetches_ended)
    }
    said = (result["downloads"], result["downloaded_bytes"])
    if said not in counted:
        yield f"downloads and downloaded_bytes are {sorted(counted)}, not {said}"
    for key in ("good", "bad"):
        if result["discs"][key] != getattr(facts, key):
            yield f"discs.{key} is {getattr(facts, key)}, not {result['discs'][key]}"
    if not _close(result["makespan"], facts.last_disc_end):
        yield f"makespan is {facts.last_disc_end}, not {result['makespan']}"


def _orders(workload: Workload, facts: Facts, entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if sorted(entry["id"] for entry in entries) != sorted(order.id for order in workload.orders):
        yield "orders are not the workload's, each once"
        return
    orders = {order.id: order for order in workload.orders}
    for entry in entries:
        for text in _order(orders[entry["id"]], facts, entry):
            yield f"order {entry['id']}: {text}"


def _order(order: Order, facts: Facts, entry: Mapping[str, Any]) -> Iterator[str]:
    if not _close(entry["at"], order.at):
        yield f"at is {order.at}, not {entry['at']}"
    done = facts.done.get(order.id)
    if done is None:
        if entry["done"] is not None:
            yield f"done is {entry['done']}, but it did not get all it asked for"
        return
    if not _close(entry["done"], done):
        yield f"done is {done}, not {entry['done']}"
    if bool(entry["late"]) != _is_late(order, done):
        yield f"late is {_is_late(order, done)}, not {entry['late']}"
    promise = entry["promise"] or {}
    dates = [promise[key] for key in ("p50", "p90", "p97") if promise and promise[key] is not None]
    if dates != sorted(dates) or any(date < order.at for date in dates):
        yield f"its promise {dict(promise)} is not in order, or before it came"


def _flow(workload: Workload, facts: Facts, result: Mapping[str, Any]) -> Iterator[str]:
    flows = sorted(facts.done[order.id] - order.at for order in workload.orders if order.id in facts.done)
    if flows:
        mean = math.fsum(flows) / len(flows)
        if not _close(result["flow"]["mean"], mean):
            yield f"flow.mean is {mean}, not {result['flow']['mean']}"
        for key, part in QUANTILES.items():
            place = part * (len(flows) - 1)
            # Between neighbours: the usual definitions of a quantile differ no more than that.
            low, high = flows[math.floor(place)], flows[math.ceil(place)]
            said = result["flow"][key]
            if not (low < said < high or _close(said, low) or _close(said, high)):
                yield f"flow.{key} is between {low} and {high}, not {said}"
    with_due = [order for order in workload.orders if order.due is not None and order.id in facts.done]
    if with_due:
        late = sum(_is_late(order, facts.done[order.id]) for order in with_due) / len(with_due)
        if not _close(result["late_fraction"], late):
            yield f"late_fraction is {late}, not {result['late_fraction']}"


def _is_late(order: Order, done: float) -> bool:
    return order.due is not None and done > order.due


def _close(said: object, found: float) -> bool:
    """Equal but for rounding; what is no number equals none."""
    number = isinstance(said, int | float) and not isinstance(said, bool)
    return number and math.isclose(said, found, rel_tol=1e-9, abs_tol=1e-6)  # type: ignore[arg-type]
