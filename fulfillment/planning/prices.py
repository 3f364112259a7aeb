"""What a second of each writer's drives is worth, learned from all that waits. Pure.

The linear program that spreads every image's discs over the writers able to write it has one dual price for each
writer. They say, without planning a single job, which writer should write which discs: those whose time is dear must
not write what others write as well. Found by raising the price of writers that get too much and lowering it of those
that get too little, over bins of like discs; each set of prices gives a bound that no plan can beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

from fulfillment.planning.queue import Bin, Waiting
from fulfillment.planning.stations import Station

PASSES: Final = 30
PASSES_AGAIN: Final = 20
PATIENCE: Final = 5  # passes without a better bound, and the prices are as good as they get
STEP_AT_FIRST: Final = 0.15
STEP_AGAIN: Final = 0.02  # a larger one would lead away from prices that are nearly right
STEP_AT_LAST: Final = 0.01
COOLING: Final = 0.9
MOST_COPIES: Final = 32.0  # discs of an image that come of one fetch, at most


@dataclass(frozen=True, slots=True)
class Prices:
    """`ratios`: by station and bin, what its discs cost there over what they cost where they are cheapest (1 there).

    `bound`: seconds that the whole demand takes at least, however it is planned. `discs`: how many that was.
    `longest`: seconds of the longest disc where it is written quickest. `by_station`: the prices themselves.
    """

    ratios: Mapping[str, Mapping[Bin, float]]
    bound: float
    discs: int
    longest: float
    by_station: Mapping[str, float]


def learn(waiting: Mapping[Bin, Waiting], stations: Sequence[Station], before: Prices | None = None) -> Prices:
    """Prices for this demand. Bins that no station can write are left out; nothing waiting gives a bound of 0.

    before: those of an earlier demand, to begin with: fewer passes and smaller steps lead from there.
    """
    bins, rows = _seconds(waiting, stations)
    demand = [waiting[bin_].discs for bin_ in bins]
    drives = [len(station.free) for station in stations]
    known = before.by_station if before else {}
    price = [known.get(station.id, 1.0) for station in stations]
    passes, step = (PASSES_AGAIN, STEP_AGAIN) if known else (PASSES, STEP_AT_FIRST)
    best, bound, vain = list(price), 0.0, 0
    for _ in range(passes if bins else 0):
        load = [0.0] * len(stations)
        lower = 0.0
        for discs, row in zip(demand, rows, strict=True):
            costs = [price[at] * seconds for at, seconds in row]
            least = min(costs)
            lower += discs * least
            limit, scale = least * (1.0 + 6.0 * step), least * step or 1.0  # a disc may take no time at all
            shares = [
                (at, seconds, drives[at] / seconds * exp((least - cost) / scale))
                for (at, seconds), cost in zip(row, costs, strict=True)
                if cost <= limit
            ]
            each = discs / sum([share for _, _, share in shares])
            for at, seconds, share in shares:
                load[at] += each * share * seconds / drives[at]
        worth = sum([value * count for value, count in zip(price, drives, strict=True)])
        if lower / worth > bound:
            bound, best, vain = lower / worth, list(price), 0
        elif (vain := vain + 1) >= PATIENCE:
            break
        mean = sum([value * count * busy for value, count, busy in zip(price, drives, load, strict=True)]) / worth
        price = [
            value * exp(step * max(-2.0, min(2.0, busy / mean - 1.0))) for value, busy in zip(price, load, strict=True)
        ]
        step = max(STEP_AT_LAST, step * COOLING)
    return Prices(
        ratios=_ratios(bins, rows, best, stations),
        bound=bound,
        discs=sum(demand),
        longest=max((min(seconds for _, seconds in row) for row in rows), default=0.0),
        by_station={station.id: value for station, value in zip(stations, best, strict=True)},
    )


def _seconds(
    waiting: Mapping[Bin, Waiting], stations: Sequence[Station]
) -> tuple[list[Bin], list[list[tuple[int, float]]]]:
    """The bins that can be written, and for each the stations that can with the seconds of its mean disc."""
    bins, rows = [], []
    for bin_, each in sorted(waiting.items()):
        if each.discs <= 0:
            continue
        size = each.bytes // each.discs
        copies = min(MOST_COPIES, each.discs / max(1, each.images))
        row = [
            (number, max(station.seconds(bin_[0], size), station.fetch(size) * len(station.free) / copies))
            for number, station in enumerate(stations)
            if bin_[0] in station.places and station.blanks_left(bin_[0]) > 0 and not station.view.silent
        ]
        if row:
            bins.append(bin_)
            rows.append(row)
    return bins, rows


def _ratios(
    bins: Sequence[Bin],
    rows: Sequence[Sequence[tuple[int, float]]],
    price: Sequence[float],
    stations: Sequence[Station],
) -> dict[str, dict[Bin, float]]:
    ratios: dict[str, dict[Bin, float]] = {station.id: {} for station in stations}
    for bin_, row in zip(bins, rows, strict=True):
        least = min(price[at] * seconds for at, seconds in row)
        for at, seconds in row:
            ratios[stations[at].id][bin_] = price[at] * seconds / least
    return ratios
