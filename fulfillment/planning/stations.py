"""A writer while work is laid on it: when each drive is free, when its link is, what lies there and what is coming.

The only mutable state of planning. A pass lays work on stations to see how it would come out and takes it back;
what is really given out stays (`lay` after `reset`). Pure otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace
from math import inf
from typing import Final, NamedTuple

from fulfillment.planning.cost import disc_seconds, fetch_seconds
from fulfillment.planning.model import WriterView
from fulfillment.planning.queue import Entry, Group, Queue

LARGE: Final = 1_000_000_000  # bytes, by which a rate is read off


class Slot(NamedTuple):
    """One disc's time on a drive. `drive` is its place among the writer's drives."""

    drive: int
    start: float
    finish: float


class _Before(NamedTuple):
    """A station as it was before a pass."""

    free: list[float]
    link_free: float
    coming: dict[str, float]
    blanks: dict[str, int]


class Station:
    __slots__ = (
        "_before", "_busy", "_by_hand", "_frees", "_seconds", "blanks", "cached", "coming", "free", "id", "link_free",
        "outstanding", "places", "reach", "soonest", "view",
    )  # fmt: skip

    def __init__(self, view: WriterView, now: float) -> None:
        self.view = view
        self.id = view.id
        self.free = [max(now, drive.free_at) for drive in view.drives]
        self.link_free = max(now, view.link_free_at)
        self.cached = set(view.cached)
        self.coming: dict[str, float] = {}
        self.blanks = dict(view.blanks)
        self.places = {
            format_: tuple(place for place, drive in enumerate(view.drives) if format_ in drive.formats)
            for format_ in view.formats
        }
        self._by_hand = sum(drive.by_hand for drive in view.drives) / len(view.drives) if view.drives else 0.0
        self.outstanding = view.outstanding
        self.reach = inf
        """Until when work is given out: a drive that is free before this instant makes the station open."""
        self._seconds: dict[tuple[str, int], float] = {}
        self._busy: dict[tuple[str, int], list[float]] = {}
        self._frees: dict[str, list[float]] = {}
        self._before: _Before | None = None
        self.soonest = min(self.free, default=inf)
        """When its first drive is free."""

    def seconds(self, format_: str, size: int) -> float:
        """How long one disc occupies a drive here, the person's part included."""
        return self._of_drive(format_, size) + self._by_hand

    def _of_drive(self, format_: str, size: int) -> float:
        """The same without the person, on a drive that is as its writer."""
        known = self._seconds.get((format_, size))
        if known is None:
            known = self._seconds[format_, size] = disc_seconds(self.view.rates, size, format_)
        return known

    def fetch(self, size: int) -> float:
        return fetch_seconds(self.view.rates, size)

    def frees(self, format_: str) -> list[float]:
        """When the drives that take the format are free, soonest first."""
        frees = self._frees.get(format_)
        if frees is None:
            free = self.free
            frees = self._frees[format_] = sorted([free[place] for place in self.places[format_]])
        return frees

    def image_at(self, image: str, size: int, made_at: float) -> float:
        """When the image could be here: from the cache, as it is coming, or over the link."""
        if image in self.cached:
            return made_at
        coming = self.coming.get(image)
        if coming is not None:
            return coming
        return max(made_at, self.link_free) + self.fetch(size)

    def is_here(self, image: str) -> bool:
        return image in self.cached or image in self.coming

    @property
    def is_idle(self) -> bool:
        """Whether a drive has nothing to do, or soon has."""
        return self.soonest < self.reach

    @property
    def is_open(self) -> bool:
        return self.is_idle and not self.view.silent

    def blanks_left(self, format_: str) -> float:
        return self.blanks.get(format_, inf)

    def lay(self, image: str, size: int, format_: str, copies: int, made_at: float) -> list[Slot]:
        """Lays discs on the drives, each where it is done first."""
        free, busy = self.free, self._busy_by_drive(format_, size)
        image_at = self.image_at(image, size, made_at)
        if not self.is_here(image):
            self.coming[image] = self.link_free = image_at
        if format_ in self.blanks:
            self.blanks[format_] -= copies
        turns = [
            ((free[at] if free[at] > image_at else image_at) + busy[at], free[at], at) for at in self.places[format_]
        ]
        heapify(turns)
        slots = []
        for _ in range(copies):
            finish, was_free, place = turns[0]
            slots.append(Slot(place, was_free if was_free > image_at else image_at, finish))
            free[place] = finish
            heapreplace(turns, (finish + busy[place], finish, place))
        self.refresh()
        return slots

    def _busy_by_drive(self, format_: str, size: int) -> list[float]:
        """How long one disc occupies each of the drives, the person's part included."""
        known = self._busy.get((format_, size))
        if known is None:
            usual = self._of_drive(format_, size)
            known = self._busy[format_, size] = [
                drive.by_hand
                + (disc_seconds(drive.rates, size, format_) if drive.rates and format_ in drive.formats else usual)
                for drive in self.view.drives
            ]
        return known

    def advance(self, now: float) -> None:
        """Time goes on: what was free before is free now. Between passes only."""
        if self.soonest < now:
            self.free = [free if free > now else now for free in self.free]
            self.refresh()
        if self.link_free < now:
            self.link_free = now

    def mark(self) -> None:
        """Remembers this state for `reset`, if a pass has not done so yet."""
        if self._before is None:
            self._before = _Before(list(self.free), self.link_free, dict(self.coming), dict(self.blanks))

    def reset(self) -> None:
        """Takes back all that was laid since `mark`."""
        if self._before is not None:
            self.free, self.link_free, self.coming, self.blanks = self._before
            self._before = None
            self.refresh()

    def refresh(self) -> None:
        """Call it after `free` was set."""
        self._frees.clear()
        self.soonest = min(self.free, default=inf)

    def left(self) -> WriterView:
        return replace(
            self.view,
            drives=tuple(replace(drive, free_at=free) for drive, free in zip(self.view.drives, self.free, strict=True)),
            cached=frozenset(self.cached | self.coming.keys()),
            blanks=dict(self.blanks),
            link_free_at=self.link_free,
            outstanding=self.outstanding,
        )


def stations_of(views: Sequence[WriterView], now: float) -> tuple[Station, ...]:
    return tuple(Station(view, now) for view in views)


Fit = tuple[Station, float, float]
"""A station that can write a group's discs, seconds of one disc there, and of fetching the image. A plain tuple: a
plan makes a hundred of them for every image."""


@dataclass(frozen=True, slots=True)
class Laid:
    """Discs of one job on one station. `fetch`: seconds, if the image must be fetched for them."""

    entry: Entry
    station: Station
    slots: list[Slot]
    fetch: float


class Fits:
    """Who can write what, reckoned once for each image."""

    def __init__(self, stations: Sequence[Station]) -> None:
        self.stations = stations
        self._by_format: dict[str, list[tuple[Station, float, float, float, float]]] = {}
        self._known: dict[Group, list[Fit]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._paces: dict[str, tuple[float, float, int] | None] = {}

    def of(self, group: Group) -> list[Fit]:
        fits = self._known.get(group)
        if fits is None:
            size = group.bytes
            fits = self._known[group] = [
                (station, fixed + size * by_byte, size * by_link)
                for station, fixed, by_byte, by_link, disk in self._able(group.format)
                if size <= disk
            ]
        return fits

    def names(self, format_: str) -> frozenset[str]:
        """The stations that can write the format, whatever their disks can hold."""
        names = self._names.get(format_)
        if names is None:
            names = self._names[format_] = frozenset(able[0].id for able in self._able(format_))
        return names

    def pace(self, format_: str) -> tuple[float, float, int] | None:
        """Mean seconds of a disc beside its bytes, and of a byte, over the drives that take the format; how many."""
        if format_ not in self._paces:
            self._paces[format_] = self._pace(format_)
        return self._paces[format_]

    def _pace(self, format_: str) -> tuple[float, float, int] | None:
        able = [(fixed, by_byte, len(at.places[format_])) for at, fixed, by_byte, _, _ in self._able(format_)]
        drives = sum(count for _, _, count in able)
        if not drives:
            return None
        fixed = sum(fixed * count for fixed, _, count in able) / drives
        return fixed, sum(by_byte * count for _, by_byte, count in able) / drives, drives

    def can_write(self, format_: str) -> bool:
        return bool(self._able(format_))

    def _able(self, format_: str) -> list[tuple[Station, float, float, float, float]]:
        """With seconds of a disc beside its bytes, of a byte, of fetching a byte, and the bytes that fit at most."""
        able = self._by_format.get(format_)
        if able is None:
            able = self._by_format[format_] = []
            for station in self.stations:
                if format_ in station.places:
                    fixed = station.seconds(format_, 0)
                    by_byte = (station.seconds(format_, LARGE) - fixed) / LARGE
                    disk = inf if station.view.disk is None else station.view.disk
                    able.append((station, fixed, by_byte, station.fetch(LARGE) / LARGE, disk))
        return able


def give(queue: Queue, entry: Entry, station: Station, copies: int, now: float) -> Laid:
    """Gives discs of a job to a station for good."""
    group = entry.group
    fetch = 0.0 if station.is_here(group.image) else station.fetch(group.bytes)
    slots = station.lay(group.image, group.bytes, group.format, copies, now)
    station.outstanding += copies
    queue.take(entry, copies)
    return Laid(entry, station, slots, fetch)
