"""Workloads by name, made from a seed: what benchmarks and examples run.

The load is the mean work that arrives in a second over the most that the fleet could make of such orders in a second,
if discs could be spread fractionally over the writers and fetches took no time (`capacity.orders_per_second`): at 1.0
a perfect planner just keeps up. Responsible for choosing parts and numbers only; the parts are `builders`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from fulfillment.simulation import builders
from fulfillment.simulation.builders import DAY, EVEN_MODELS, GIGA, HOUR, MEGA
from fulfillment.simulation.workload import Image, Outage, Refill, Workload, Writer

ROUNDS: Final = (6, 10, 14, 18)  # o'clock: when somebody goes round with blanks, the last to carry over the night
OPENS: Final = 8  # o'clock, at second 0


def reference(seed: int, *, load: float = 1.0, orders: int = 10_000, writers: int = 100) -> Workload:
    """Six models of writers, 1,000 titles on CD, DVD and BD, caches 28 % warm, orders as they come."""
    images, plant = _plant(seed, writers)
    lines = builders.demand(seed, images, orders)
    return Workload(images, plant, builders.arrivals(seed, lines, images=images, writers=plant, load=load))


def small(seed: int, *, load: float = 0.7, orders: int = 60) -> Workload:
    """Three writers, one of them a single slow drive fed by hand, and twenty titles."""
    images = builders.titles(seed, 20, mix={"cd": 50, "dvd": 50})
    by_hand = {"cd": 5.0 * MEGA, "dvd": 10.0 * MEGA}
    fast = builders.fleet(seed, 2, models=EVEN_MODELS[1:3], single_every=0)
    slow = Writer("by-hand", 1, ("cd", "dvd"), by_hand, dict(by_hand), load_s=90.0, cache_bytes=20 * GIGA)
    plant = (*fast, slow)
    lines = builders.demand(seed, images, orders)
    return Workload(images, plant, builders.arrivals(seed, lines, images=images, writers=plant, load=load))


def peak(seed: int, *, load: float = 1.2, orders: int = 10_000, writers: int = 12) -> Workload:
    """More than the fleet can make, in waves of a day; few writers, so that the orders last for more than a day."""
    images, plant = _plant(seed, writers)
    lines = builders.demand(seed, images, orders)
    return Workload(images, plant, builders.arrivals(seed, lines, images=images, writers=plant, load=load, wave=0.8))


def night(seed: int, *, load: float = 0.8, orders: int = 6_000, writers: int = 12) -> Workload:
    """No operator from 22:00 to 06:00: blanks are counted, and loaded by day only."""
    images, plant = _plant(seed, writers)
    lines = builders.demand(seed, images, orders)
    taken = builders.arrivals(seed, lines, images=images, writers=plant, load=load)
    counted = tuple(replace(writer, blanks=dict.fromkeys(writer.formats, _batch(writer))) for writer in plant)
    until = taken[-1].at + 7 * DAY  # enough for the last order, however the blanks were divided
    return Workload(images, counted, taken, refills=_rounds(counted, until))


def half_down(seed: int, *, load: float = 1.0, orders: int = 10_000, writers: int = 100) -> Workload:
    """The reference, with every other writer of each model out from hour 2 to hour 6."""
    whole = reference(seed, load=load, orders=orders, writers=writers)
    models = len(builders.MODELS)
    struck = (writer for number, writer in enumerate(whole.writers) if (number + number // models) % 2)
    return replace(whole, outages=tuple(Outage(writer.id, 2 * HOUR, 6 * HOUR) for writer in struck))


def backlog(seed: int, *, orders: int = 10_000, writers: int = 100) -> Workload:
    """Everything there at 0, on CD and DVD, for writers that differ by ±20 % and in their 1 to 8 drives."""
    images = builders.titles(seed, mix={"cd": 45, "dvd": 55})
    plant = _warm(seed, builders.fleet(seed, writers, models=EVEN_MODELS, single_every=0), images)
    return Workload(images, plant, builders.at_once(seed, builders.demand(seed, images, orders)))


def backlog_reference(seed: int, *, orders: int = 10_000, writers: int = 100) -> Workload:
    """The reference's fleet and titles, with everything there at 0."""
    images, plant = _plant(seed, writers)
    return Workload(images, plant, builders.at_once(seed, builders.demand(seed, images, orders)))


PRESETS: Final[Mapping[str, Callable[[int], Workload]]] = {
    "reference": reference,
    "small": small,
    "peak": peak,
    "night": night,
    "half-down": half_down,
    "backlog": backlog,
    "backlog-reference": backlog_reference,
}


def _plant(seed: int, writers: int) -> tuple[tuple[Image, ...], tuple[Writer, ...]]:
    images = builders.titles(seed)
    return images, _warm(seed, builders.fleet(seed, writers), images)


def _warm(seed: int, writers: Sequence[Writer], images: Sequence[Image]) -> tuple[Writer, ...]:
    return tuple(replace(writer, cached=builders.warmed(seed, writer, images)) for writer in writers)


def _batch(writer: Writer) -> int:
    return 40 * writer.drives


def _rounds(writers: Sequence[Writer], until: float) -> tuple[Refill, ...]:
    """Each round tops every format of every writer up by a batch, between 06:00 and 22:00 only."""
    days = range(int(until // DAY) + 1)
    times = sorted(day * DAY + (hour - OPENS) * HOUR for day in days for hour in ROUNDS)
    return tuple(
        Refill(writer.id, format_, at, _batch(writer))
        for at in times
        if 0 < at <= until
        for writer in writers
        for format_ in writer.formats
    )
