"""Looks for a plan of a few discs that ends sooner: moves and swaps, taken back when they lead nowhere. Pure.

Two neighbourhoods. With all images there, each drive is a sum of seconds: the drive that ends last gives a disc away
or swaps one. Where images are fetched the order counts as well: plans are then orders of discs, some of them tied to
a writer, each disc put where it ends first. Repeatable: fixed seed, bounded in steps.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf
from typing import Final

SWAPS: Final = 400  # steps of the first kind: about 20 ms for 40 jobs on 6 writers
PLACINGS: Final = 56_000  # of the second kind: discs tried on writers, in plans of all discs; as long
WORSE: Final = 1.03  # so much worse than the best, and the search goes back to it
SEED: Final = 20_260_105


@dataclass(frozen=True, slots=True)
class Item:
    """One disc of a group. By station: seconds to write it, to fetch its image, when the image is there already."""

    group: int
    seconds: Mapping[int, float]
    fetch: Mapping[int, float]
    here: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Case:
    """`drives`: by station, when each of its drives is free. `links`: when each station's link is."""

    drives: tuple[tuple[float, ...], ...]
    links: tuple[float, ...]
    items: Sequence[Item]


Part = tuple[int, int, int]
"""A group's place, a station's, and how many discs."""


def improve(case: Case) -> list[Part]:
    """Who writes how many of what, in the order in which to give it out."""
    if not case.items:
        return []
    needs_fetch = any(at not in item.here for item in case.items for at in item.seconds)
    return _by_order(case) if needs_fetch else _by_drives(case)


# Images are there: what matters is which drive gets which discs


class _Drives:
    """Which discs are on which drive; discs of one group are alike."""

    def __init__(self, case: Case) -> None:
        self.station = [at for at, drives in enumerate(case.drives) for _ in drives]
        self.ends = [free for drives in case.drives for free in drives]
        self.loads: list[Counter[int]] = [Counter() for _ in self.ends]
        self.seconds = {item.group: item.seconds for item in case.items}
        for item in case.items:
            at = min(
                (drive for drive, station in enumerate(self.station) if station in item.seconds),
                key=lambda drive: (self.ends[drive] + item.seconds[self.station[drive]], drive),
            )
            self.put(item.group, at, 1)

    def put(self, group: int, drive: int, discs: int) -> None:
        self.ends[drive] += discs * self.seconds[group][self.station[drive]]
        self.loads[drive][group] += discs
        if not self.loads[drive][group]:
            del self.loads[drive][group]

    def copy(self) -> tuple[list[float], list[Counter[int]]]:
        return list(self.ends), [load.copy() for load in self.loads]


def _by_drives(case: Case) -> list[Part]:
    drives = _Drives(case)
    draw = random.Random(SEED)  # noqa: S311 - the search is to be repeatable, not secret
    best, kept = max(drives.ends, default=0.0), drives.copy()
    for _ in range(SWAPS):
        last = max(range(len(drives.ends)), key=drives.ends.__getitem__)
        change = _best_change(drives, last)
        if change is not None:
            _apply(drives, change)
        else:
            for _ in range(draw.randint(1, 4)):
                _shake(drives, draw)
        end = max(drives.ends)
        if end < best - 1e-9:
            best, kept = end, drives.copy()
        elif end > best * WORSE:
            drives.ends, drives.loads = list(kept[0]), [load.copy() for load in kept[1]]
    totals: dict[tuple[int, int], int] = defaultdict(int)
    for drive, load in enumerate(kept[1]):
        for group, discs in load.items():
            totals[group, drives.station[drive]] += discs
    return [(group, at, discs) for (group, at), discs in sorted(totals.items())]


_Change = tuple[int, int, int, int | None]
"""From a drive, to a drive, a disc of this group, and of that one back."""


def _best_change(drives: _Drives, last: int) -> _Change | None:
    """The move or swap that lowers the later of the two drives' ends most."""
    ends, station, seconds = drives.ends, drives.station, drives.seconds
    least = ends[last] - 1e-9
    chosen: _Change | None = None
    home = station[last]
    mine = [(group, seconds[group][home]) for group in drives.loads[last]]
    for other, end in enumerate(ends):
        if other == last or end >= least:
            continue
        there = station[other]
        theirs = [(group, seconds[group][there], seconds[group].get(home)) for group in drives.loads[other]]
        for group, here in mine:
            gain = seconds[group].get(there)
            if gain is None:
                continue
            later = max(ends[last] - here, end + gain)
            if later < least:
                least, chosen = later, (last, other, group, None)
            for back, their, ours in theirs:
                if ours is None or back == group:
                    continue
                later = max(ends[last] - here + ours, end + gain - their)
                if later < least:
                    least, chosen = later, (last, other, group, back)
    return chosen


def _apply(drives: _Drives, change: _Change) -> None:
    last, other, group, back = change
    drives.put(group, last, -1)
    drives.put(group, other, 1)
    if back is not None:
        drives.put(back, other, -1)
        drives.put(back, last, 1)


def _shake(drives: _Drives, draw: random.Random) -> None:
    full = [drive for drive, load in enumerate(drives.loads) if load]
    if not full:
        return
    drive = draw.choice(full)
    group = draw.choice(sorted(drives.loads[drive]))
    able = [other for other, at in enumerate(drives.station) if at in drives.seconds[group] and other != drive]
    if able:
        drives.put(group, drive, -1)
        drives.put(group, draw.choice(able), 1)


# Images are fetched: the order matters too


def _by_order(case: Case) -> list[Part]:
    draw = random.Random(SEED)  # noqa: S311 - the search is to be repeatable, not secret
    items = case.items
    starts = sorted(_first_orders(case), key=lambda order: _decode(case, order, {})[0])
    order, tied = list(starts[0]), dict[int, int]()
    end, parts = _decode(case, order, tied)
    best = (end, parts, list(order), dict(tied))
    heat = 0.01 * end
    plans = PLACINGS // max(1, sum(len(item.seconds) for item in items))
    for step in range(plans):
        new_order, new_tied = list(order), dict(tied)
        _change_order(new_order, new_tied, items, draw)
        new_end, new_parts = _decode(case, new_order, new_tied)
        warmth = heat * (1.0 - step / plans) + 1e-9
        if new_end <= end or draw.random() < exp((end - new_end) / warmth):
            order, tied, end = new_order, new_tied, new_end
            if end < best[0] - 1e-9:
                best = (end, new_parts, list(order), dict(tied))
        elif end > best[0] * WORSE:
            end, _, order, tied = best[0], best[1], list(best[2]), dict(best[3])
    return list(best[1])


def _first_orders(case: Case) -> Iterator[list[int]]:
    items = case.items
    places = range(len(items))

    def quickest(place: int) -> float:
        return min(items[place].seconds.values())

    def fetched(place: int) -> float:
        return min((0.0 if at in items[place].here else fetch) for at, fetch in items[place].fetch.items())

    yield sorted(places, key=lambda place: -quickest(place))
    yield sorted(places, key=lambda place: (fetched(place), -quickest(place)))
    # Johnson's rule: what is fetched quickly and written slowly first, the reverse last.
    yield sorted(places, key=lambda place: (fetched(place) > quickest(place), fetched(place) - quickest(place)))


def _change_order(order: list[int], tied: dict[int, int], items: Sequence[Item], draw: random.Random) -> None:
    what = draw.random()
    if what < 0.35:
        one, other = draw.randrange(len(order)), draw.randrange(len(order))
        order[one], order[other] = order[other], order[one]
    elif what < 0.65:
        order.insert(draw.randrange(len(order)), order.pop(draw.randrange(len(order))))
    else:
        place = draw.randrange(len(order))
        if place in tied and draw.random() < 0.5:
            del tied[place]
        else:
            tied[place] = draw.choice(sorted(items[place].seconds))


def _decode(case: Case, order: Sequence[int], tied: Mapping[int, int]) -> tuple[float, list[Part]]:
    """Puts disc after disc where it ends first. Returns when the last one ends, and what went where in which order."""
    links = list(case.links)
    frees = [list(drives) for drives in case.drives]
    coming: dict[tuple[int, int], float] = {}
    parts: list[Part] = []
    latest = 0.0
    for place in order:
        item = case.items[place]
        group, at = item.group, tied.get(place)
        least, chosen, ready_there, drive_there = inf, 0, 0.0, 0
        for station in (at,) if at is not None else item.seconds:
            ready = item.here.get(station)
            if ready is None:
                ready = coming.get((group, station))
                if ready is None:
                    ready = links[station] + item.fetch[station]
            free = frees[station]
            drive = free.index(min(free))
            start = free[drive] if free[drive] > ready else ready
            end = start + item.seconds[station]
            if end < least:
                least, chosen, ready_there, drive_there = end, station, ready, drive
        if chosen not in item.here and (group, chosen) not in coming:
            coming[group, chosen] = links[chosen] = ready_there
        frees[chosen][drive_there] = least
        latest = max(latest, least)
        parts.append((group, chosen, 1))
    return latest, parts
