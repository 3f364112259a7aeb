"""Works off the last of a backlog so that all drives end together: longest disc first, then a search. Pure.

For policies to which only the end of all work counts. Repeatable: the search draws from a stream of its own, and is
bounded in steps, not in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fulfillment.planning.queue import Group, Queue
from fulfillment.planning.roll import deal
from fulfillment.planning.search import Case, Item, improve
from fulfillment.planning.stations import Fit, Fits, Laid, Station, give

MOST_JOBS: Final = 40
"""A search is worth its time for so many; beyond, the longest-first order leaves next to nothing to gain."""


class _Part:
    """Discs of a group for one station."""

    __slots__ = ("copies", "group", "station")

    def __init__(self, group: Group, station: Station, copies: int) -> None:
        self.group, self.station, self.copies = group, station, copies


def give_out(queue: Queue, fits: Fits, now: float) -> list[Laid]:
    """Gives everything out that can be made: it is little, and a better plan would have to know better."""
    groups = [group for group in queue.groups.values() if group.entries[0].is_made(now)]
    groups.sort(key=lambda group: (-min((fit[1] for fit in fits.of(group)), default=0.0), group.rank))
    parts = _searched(groups, fits, now) if len(queue) <= MOST_JOBS else None
    given: list[Laid] = []
    for part in parts if parts is not None else _dealt(groups, fits, now):
        given += _give(queue, part, now)
    return given


def _usable(group: Group, fits: Fits) -> list[Fit]:
    able = [fit for fit in fits.of(group) if not fit[0].view.silent]
    avoided = frozenset[str]().union(*(entry.job.avoid for entry in group.entries))
    return [fit for fit in able if fit[0].id not in avoided] or able


def _dealt(groups: Sequence[Group], fits: Fits, now: float) -> list[_Part]:
    """Each disc where it is done first, on stations that are put back as they were."""
    parts: list[_Part] = []
    touched: list[Station] = []
    for group in groups:
        for (station, _, _), copies in deal(
            group, group.left, _usable(group, fits), now, counted=True, fetch_weight=1.0
        ):
            station.mark()
            touched.append(station)
            station.lay(group.image, group.bytes, group.format, copies, now)
            parts.append(_Part(group, station, copies))
    for station in touched:
        station.reset()
    return parts


def _searched(groups: Sequence[Group], fits: Fits, now: float) -> list[_Part] | None:
    """The same by search; None where blanks or drives of several kinds would have to be minded."""
    stations = [station for station in fits.stations if not station.view.silent and station.free]
    formats = {group.format for group in groups}
    if any(_is_special(station, formats) for station in stations):
        return None
    numbers = {station.id: number for number, station in enumerate(stations)}
    items: list[Item] = []
    for place, group in enumerate(groups):
        usable = _usable(group, fits)
        if not usable:
            continue
        item = Item(
            group=place,
            seconds={numbers[station.id]: seconds for station, seconds, _ in usable},
            fetch={numbers[station.id]: fetch for station, _, fetch in usable},
            here={
                numbers[station.id]: station.image_at(group.image, group.bytes, now)
                for station, _, _ in usable
                if station.is_here(group.image)
            },
        )
        items += [item] * group.left
    case = Case(tuple(tuple(sorted(station.free)) for station in stations), tuple(s.link_free for s in stations), items)
    return [_Part(groups[group], stations[at], copies) for group, at, copies in improve(case)]


def _is_special(station: Station, formats: set[str]) -> bool:
    all_drives = len(station.free)
    return any(
        format_ in station.places and (format_ in station.blanks or len(station.places[format_]) != all_drives)
        for format_ in formats
    )


def _give(queue: Queue, part: _Part, now: float) -> list[Laid]:
    given: list[Laid] = []
    copies = part.copies
    for entry in list(part.group.entries):
        if copies <= 0:
            break
        if not entry.is_made(now):
            continue
        mine = min(copies, entry.left)
        given.append(give(queue, entry, part.station, mine, now))
        copies -= mine
    return given
