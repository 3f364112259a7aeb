"""Works off a deep backlog: a writer that runs dry takes what is written cheapest on it, by the fleet's prices. Pure.

Which job goes first matters little when hours of work wait; that no writer does what another does better matters much.
Among the images that a writer may take by the prices the policy's first wins, but for the one that it writes already.
Many discs of one image go out together: that saves fetches, and the planner's own time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final

from fulfillment.planning.prices import Prices, learn
from fulfillment.planning.queue import Bin, Entry, Group, Queue, Rank
from fulfillment.planning.stations import Fits, Laid, Station, give

DEEP: Final = 2.0  # so many times the longest disc
LOOK: Final = 150.0  # seconds before a drive is free that it gets its next discs: the fetch of a large image
ROUNDS: Final = 4  # of all the writer's drives are given out together
SHARE: Final = 0.25  # of what is left at least: near the end less is given out together
NEARLY: Final = 0.005  # a writer may take what costs so much more on it than where it costs least
LEARN_EVERY: Final = 1800.0
LEARN_CHANGE: Final = 0.3  # of the discs that wait


@dataclass(slots=True)
class _Shelf:
    """The groups of one bin, the policy's first on top. May hold groups that are gone or stand elsewhere by now."""

    heap: list[tuple[Rank, int, Group]] = field(default_factory=list)

    def top(self) -> Group | None:
        while self.heap:
            rank, _, group = self.heap[0]
            if group.entries and group.rank == rank:
                return group
            heappop(self.heap)
        return None


class Pull:
    def __init__(self, fits: Fits, queue: Queue) -> None:
        self._fits = fits
        self._queue = queue
        self._prices: Prices | None = None
        self._learned_at = 0.0
        self._shelves: dict[Bin, _Shelf] = {}
        self._turn: dict[str, tuple[list[Bin], list[Bin]]] = {}
        self._looks = [LOOK] * len(fits.stations)
        self._numbers = count()
        self._writes: dict[str, Group] = {}

    @property
    def bound(self) -> float:
        """Seconds that all that waits takes at least."""
        if self._prices is None or not self._prices.discs:
            return 0.0
        return self._prices.bound * self._queue.discs / self._prices.discs

    @property
    def rough(self) -> float:
        """The same as if each format had the fleet's mean drive, and all of those able to write it: never far below."""
        seconds = 0.0
        for (format_, _), each in self._queue.waiting.items():
            if each.discs > 0 and (pace := self._fits.pace(format_)):
                fixed, by_byte, drives = pace
                seconds += (each.discs * fixed + each.bytes * by_byte) / drives
        return seconds

    def is_deep(self, now: float) -> bool:
        prices = self._prices
        if prices is None or now - self._learned_at > LEARN_EVERY or self._has_changed(prices):
            # A queue that is short by any measure need not be learned from.
            if self._queue.discs <= DEEP * sum(len(station.free) for station in self._fits.stations):
                return False
            prices = self._prices = learn(self._queue.waiting, self._fits.stations, prices)
            self._learned_at = now
            self._turn = {station.id: _turn_of(prices, station) for station in self._fits.stations}
            self._looks = [max(LOOK, self._fetch_of(station)) for station in self._fits.stations]
        return self.bound > DEEP * prices.longest

    def _has_changed(self, prices: Prices) -> bool:
        return abs(self._queue.discs - prices.discs) > LEARN_CHANGE * prices.discs

    def give_out(self, now: float) -> list[Laid]:
        self._shelve(now)
        given: list[Laid] = []
        thirsty: list[tuple[float, int]] = []
        for number, (station, look) in enumerate(zip(self._fits.stations, self._looks, strict=True)):
            station.reach = now + look
            if station.is_open:
                thirsty.append((station.soonest, number))
        for _, number in sorted(thirsty):
            station = self._fits.stations[number]
            while station.is_open:
                room = len(station.free) * ROUNDS * 2 - station.outstanding
                taken = self._take(station, room, now) if room > 0 else []
                if not taken:
                    break
                given += taken
        return given

    def _fetch_of(self, station: Station) -> float:
        """Seconds of fetching the largest of what it is to take."""
        near, _ = self._turn[station.id]
        waiting = self._queue.waiting
        return station.fetch(max((waiting[bin_].bytes // max(1, waiting[bin_].discs) for bin_ in near), default=0))

    def _shelve(self, now: float) -> None:
        """Puts the groups that have a new first job where they stand now."""
        changed = self._queue.changed
        for group in list(changed):
            if group.entries[0].is_made(now):
                shelf = self._shelves.setdefault(group.bin, _Shelf())
                heappush(shelf.heap, (group.rank, next(self._numbers), group))
                del changed[group]

    def _take(self, station: Station, room: int, now: float) -> list[Laid]:
        for group in self._choices(station, now):
            format_ = group.format
            rounds = int(self.bound * SHARE / station.seconds(format_, group.bytes))
            wanted = len(station.places[format_]) * max(1, min(ROUNDS, rounds))
            if group.left <= wanted + len(station.places[format_]):
                wanted = group.left  # a remainder of less than a round would cost another fetch
            copies = int(min(wanted, room, station.blanks_left(format_)))
            if copies > 0 and (taken := self._give(group, station, copies, now)):
                self._writes[station.id] = group
                return taken
        return []

    def _choices(self, station: Station, now: float) -> list[Group]:
        near, far = self._turn.get(station.id, ([], []))
        writes = self._writes.get(station.id)
        if writes is not None and writes.entries and writes.bin in near:
            return [writes]
        tops = [top for bin_ in near if (top := self._top(bin_, station)) is not None]
        tops.sort(key=lambda group: group.rank)
        late = bool(tops) and station.image_at(tops[0].image, tops[0].bytes, 0.0) > station.soonest
        if late and (here := self._here(station, near, now)) is not None:
            return [here]
        if tops:
            return tops
        return [top for bin_ in far if (top := self._top(bin_, station)) is not None]

    def _here(self, station: Station, near: list[Bin], now: float) -> Group | None:
        """What lies here and may be taken, the most discs first: its link is behind its drives.

        A set has no order of its own: of as many discs the image's name decides.
        """
        groups = self._queue.groups
        best: Group | None = None
        for image in station.cached:
            for bin_ in near:
                group = groups.get((image, bin_[0]))
                if group is None or group.bin != bin_ or not group.entries[0].is_made(now):
                    continue
                if best is None or (group.left, group.image) > (best.left, best.image):
                    best = group
        return best

    def _top(self, bin_: Bin, station: Station) -> Group | None:
        shelf = self._shelves.get(bin_)
        group = shelf.top() if shelf else None
        if group is None or (station.view.disk is not None and station.view.disk < group.bytes):
            return None
        return group

    def _give(self, group: Group, station: Station, copies: int, now: float) -> list[Laid]:
        """Discs for the group's first jobs; those that went wrong here before are made elsewhere."""
        chosen: list[tuple[Entry, int]] = []
        for entry in group.entries:
            if not entry.is_made(now) or (station.id in entry.job.avoid and self._is_made_elsewhere(entry, group)):
                continue
            part = min(entry.left, copies)
            chosen.append((entry, part))
            copies -= part
            if copies <= 0:
                break
        given = [give(self._queue, entry, station, part, now) for entry, part in chosen]
        if group.entries and group in self._queue.changed:
            self._shelve(now)
        return given

    def _is_made_elsewhere(self, entry: Entry, group: Group) -> bool:
        return any(fit[0].id not in entry.job.avoid for fit in self._fits.of(group))


def _turn_of(prices: Prices, station: Station) -> tuple[list[Bin], list[Bin]]:
    """The bins that the station may take from, and the others that it can write, the least bad first."""
    ratios = sorted((ratio, bin_) for bin_, ratio in prices.ratios[station.id].items())
    near = [bin_ for ratio, bin_ in ratios if ratio <= 1.0 + NEARLY]
    return near, [bin_ for ratio, bin_ in ratios if ratio > 1.0 + NEARLY]
