"""One pass over the queue's head in rank order: each job where it is done first, the busy writers counted too. Pure.

Nothing is given out here: jobs are laid on the stations to see how it comes out. A slow writer that stands idle gets a
job only if no better one, behind all that is ahead of the job, finishes it sooner.

A job goes whole to one writer, unless that brings it too late or there are more open writers than jobs: then disc by
disc to whichever finishes the disc first. Before that the blanks are counted, in this order:

1. As above, if each writer it takes has blanks for its part.
2. If one of them has too few, to writers that have enough for all that it still needs.
3. If there is none, disc by disc over the writers that have a blank left.
4. What is left over waits for blanks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from heapq import heapify, heappop, heapreplace
from math import inf
from typing import Final

from fulfillment.planning.model import JobView, Wait
from fulfillment.planning.queue import Entry, Group, Queue
from fulfillment.planning.stations import Fit, Fits, Laid, Station

PATIENCE: Final = 5.0  # disc times that a job waits for a writer that has spoilt none of its discs
FETCH_WEIGHT: Final = 6.0
"""A fetch counts so often its time: it costs the other writers' links and somebody's place in a cache as well."""


class Roll:
    """`open_only`: jobs that no open station can write are not laid, since nothing could come of it now."""

    def __init__(self, fits: Fits, now: float, *, open_only: bool) -> None:
        self.laid: list[Laid] = []
        self._fits = fits
        self._now = now
        self._open_only = open_only
        self._open = {station.id for station in fits.stations if station.is_open}
        self._touched: list[Station] = []

    def lay_all(self, queue: Queue, head: Iterable[Entry]) -> dict[str, Wait]:
        """Lays what has a place; returns why each job that it came to has discs left, or waits for its turn.

        `open_only`: it ends where no station is open any more.
        """
        few = len(queue) < sum(1 for station in self._fits.stations if station.is_idle)
        waits: dict[str, Wait] = {}
        for entry in head:
            if self._open_only and not self._open:
                break
            waits[entry.job.id] = self._lay_job(entry, few)
        return waits

    def reset(self) -> None:
        for station in self._touched:
            station.reset()

    def _lay_job(self, entry: Entry, few: bool) -> Wait:
        job, group = entry.job, entry.group
        fits = self._fits.of(group)
        if not fits:
            return Wait.ROOM if self._fits.can_write(group.format) else Wait.WRITER
        if job.image_ready_at is None:
            return Wait.IMAGE
        made_at = max(self._now, job.image_ready_at)
        trusted = self._trusted(entry, fits, made_at) if job.avoid else fits
        if self._open_only and self._open.isdisjoint(self._fits.names(group.format)):
            short = not _has_blanks(fits, group.format, entry.left)
            wait = Wait.BLANKS if short else Wait.DRIVE
            return wait if made_at <= self._now or short else Wait.IMAGE
        left = self._lay_discs(entry, trusted, fits, made_at, few)
        if left:
            return Wait.BLANKS
        return Wait.DRIVE if made_at <= self._now else Wait.IMAGE

    def _trusted(self, entry: Entry, fits: list[Fit], made_at: float) -> list[Fit]:
        """Where none of its discs went wrong, unless that is far later: one bad disc says little of a writer."""
        group, avoid = entry.group, entry.job.avoid
        others = [fit for fit in fits if fit[0].id not in avoid]
        if not others:
            return fits
        sooner, at_once = soonest(group, entry.left, fits, made_at)
        _, later = soonest(group, entry.left, others, made_at)
        return fits if sooner and later > at_once + PATIENCE * sooner[1] else others

    def _lay_discs(self, entry: Entry, trusted: list[Fit], fits: list[Fit], made_at: float, few: bool) -> int:
        """Returns how many have no place."""
        if not few and self._lay_whole(entry, trusted, made_at):
            return 0
        format_ = entry.group.format
        enough = [fit for fit in trusted if fit[0].blanks_left(format_) >= entry.left]
        if self._lay_shared(entry, trusted, made_at) or (enough and self._lay_shared(entry, enough, made_at)):
            return 0
        left = self._lay_rest(entry, trusted, entry.left, made_at)
        return self._lay_rest(entry, fits, left, made_at) if left else 0

    def _lay_whole(self, entry: Entry, fits: list[Fit], made_at: float) -> bool:
        """On the one station that is done with it first, if that is in time and it has the blanks."""
        chosen, finish = soonest(entry.group, entry.left, fits, made_at)
        if chosen is None or (entry.left > 1 and finish > (entry.job.due or inf)):
            return False
        self._lay(entry, chosen, entry.left, made_at)
        return True

    def _lay_shared(self, entry: Entry, fits: list[Fit], made_at: float) -> bool:
        """Each disc where it is done first; nothing at all if a station lacks blanks for its part."""
        shares, format_ = deal(entry.group, entry.left, fits, made_at), entry.group.format
        if any(copies > fit[0].blanks_left(format_) for fit, copies in shares):
            return False
        for fit, copies in shares:
            self._lay(entry, fit, copies, made_at)
        return True

    def _lay_rest(self, entry: Entry, fits: list[Fit], left: int, made_at: float) -> int:
        """As many discs as there are blanks for. A bad memory of a station is no reason to wait for blanks."""
        for fit, copies in deal(entry.group, left, fits, made_at, counted=True):
            self._lay(entry, fit, copies, made_at)
            left -= copies
        return left

    def _lay(self, entry: Entry, fit: Fit, copies: int, made_at: float) -> None:
        (station, _, fetch), group = fit, entry.group
        station.mark()
        self._touched.append(station)
        if station.is_here(group.image):
            fetch = 0.0
        slots = station.lay(group.image, group.bytes, group.format, copies, made_at)
        self.laid.append(Laid(entry, station, slots, fetch))
        if station.id in self._open and not station.is_open:
            self._open.discard(station.id)


def _has_blanks(fits: Iterable[Fit], format_: str, copies: int) -> bool:
    left = 0.0
    for station, _, _ in fits:
        left += station.blanks_left(format_)
        if left >= copies:
            return True
    return False


def soonest(group: Group, copies: int, fits: list[Fit], made_at: float) -> tuple[Fit | None, float]:
    """The station that ends `copies` discs first, and about when; None where none has blanks for them.

    This loop is where planning spends its time.
    """
    image, format_ = group.image, group.format
    chosen, least, ends = None, inf, inf
    for fit in fits:
        station, seconds, fetch = fit
        penalty = 0.0
        if image in station.cached:
            image_at = made_at
        else:
            coming = station.coming.get(image)
            if coming is None:
                link = station.link_free
                image_at = (link if link > made_at else made_at) + fetch
                penalty = fetch * (FETCH_WEIGHT - 1.0)
            else:
                image_at = coming
        free = station.soonest
        if (free if free > image_at else image_at) + seconds + penalty >= least:
            continue  # not even if all its drives were free with the first of them
        frees = station.frees(format_)
        drives = len(frees)
        if copies <= drives:
            free = frees[copies - 1]
            finish = (free if free > image_at else image_at) + seconds
        else:
            begun = sum([free if free > image_at else image_at for free in frees])
            finish = (begun + copies * seconds) / drives + seconds * (drives - 1) / (2 * drives)
        if finish + penalty < least and station.blanks.get(format_, copies) >= copies:
            chosen, least, ends = fit, finish + penalty, finish
    return chosen, ends


def deal(
    group: Group,
    copies: int,
    fits: list[Fit],
    made_at: float,
    *,
    counted: bool = False,
    fetch_weight: float = FETCH_WEIGHT,
) -> list[tuple[Fit, int]]:
    """Disc by disc to whichever station finishes the next one first. counted: and has a blank left for it."""
    format_ = group.format
    turns: list[tuple[float, int]] = []
    images_at: list[float] = []
    image, dearer = group.image, fetch_weight - 1.0
    for number, (station, seconds, fetch) in enumerate(fits):
        penalty = 0.0
        if image in station.cached:
            image_at = made_at
        elif (coming := station.coming.get(image)) is not None:
            image_at = coming
        else:
            link = station.link_free
            image_at = (link if link > made_at else made_at) + fetch
            penalty = fetch * dearer
        images_at.append(image_at)
        if not counted or station.blanks.get(format_, 1) > 0:
            free = station.frees(format_)[0]
            turns.append(((free if free > image_at else image_at) + seconds + penalty, number))
    heapify(turns)
    shares: dict[int, int] = {}
    drives: dict[int, list[float]] = {}  # when each is done with its next disc, of those stations whose turn came
    for _ in range(copies):
        if not turns:
            break
        number = turns[0][1]
        station, seconds, _ = fits[number]
        if number not in drives:
            drives[number] = [max(free, images_at[number]) + seconds for free in station.frees(format_)]
        ends = drives[number]
        shares[number] = shares.get(number, 0) + 1
        heapreplace(ends, ends[0] + seconds)
        if counted and shares[number] >= station.blanks_left(format_):
            heappop(turns)
        else:
            heapreplace(turns, (ends[0], number))
    return [(fits[number], count) for number, count in shares.items()]


def waits_of(queue: Queue, stations: Sequence[Station], now: float, known: Collection[str]) -> dict[str, Wait]:
    """Why the jobs that were not looked at wait; those that are `known` only take their blanks."""
    able: dict[str, list[Station]] = {}
    blanks: dict[str, float] = {}
    waits: dict[str, Wait] = {}
    for format_ in queue.formats():
        able[format_] = [station for station in stations if format_ in station.places]
        blanks[format_] = sum(station.blanks_left(format_) for station in able[format_])
    for entry in queue.head(dict.fromkeys(queue.formats(), len(queue))):
        job = entry.job
        blanks[job.format] -= entry.left
        if job.id not in known:
            waits[job.id] = _wait_of(job, able[job.format], blanks[job.format] < 0, now)
    return waits


def _wait_of(job: JobView, able: Sequence[Station], short: bool, now: float) -> Wait:
    if not able:
        return Wait.WRITER
    if job.image_ready_at is None:
        return Wait.IMAGE
    if all(station.view.disk is not None and station.view.disk < job.bytes for station in able):
        return Wait.ROOM
    if short:
        return Wait.BLANKS
    return Wait.DRIVE if job.image_ready_at <= now else Wait.IMAGE
