"""When work will be ready, from a roll-forward of the real planner. Pure; the only source of any date shown."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from math import inf
from typing import Final

from fulfillment.planning.blanks import runs_out
from fulfillment.planning.forecast import Chance, Forecast, doubt_of
from fulfillment.planning.model import Bar, JobView, Mark, Placement, Projection, Snapshot, WriterView
from fulfillment.planning.overtaking import Stream, marks_of, overtakes, place
from fulfillment.planning.planner import planner_of
from fulfillment.planning.policies import FirstCome, Policy
from fulfillment.planning.ranks import encode_rank, full_rank
from fulfillment.planning.stations import Laid, Slot

CHANCE: Final = Chance()  # until the plant's own discs say more
MOMENT: Final = 1.0  # seconds: what is all but done
SHOWN: Final = 12 * 3600.0  # seconds from now: what begins later is not shown disc by disc


def project(snapshot: Snapshot, policy: Policy, now: float, *, chance: Chance = CHANCE) -> Projection:
    """The planner's pass over the whole queue, followed to its end: when each job's last disc is verified, and how the
    fleet stands then."""
    planner = planner_of(snapshot, policy, now)
    laid, waits = planner.follow(now)
    slots: dict[str, list[Slot]] = defaultdict(list)
    for one in laid:
        slots[one.entry.job.id] += one.slots
    finishes = dict(snapshot.under_way)
    for view in snapshot.jobs:
        if len(slots[view.id]) == view.copies:
            finishes[view.id] = max(finishes.get(view.id, now), *(slot.finish for slot in slots[view.id]))
        else:
            finishes.pop(view.id, None)
    lines = _Lines(snapshot.writers, laid, now)
    formats = {view.id: view.format for view in snapshot.jobs}
    forecasts = {
        job: _forecast(slots[job], formats.get(job, ""), finish, lines, now, chance) for job, finish in finishes.items()
    }
    left = tuple(station.left() for station in planner.stations)
    blanks_until = runs_out(snapshot.writers, _placements(laid), now)
    marks = marks_of(laid, policy, snapshot.writers, lines.ahead_of_all) if overtakes(policy) else ()
    if marks and snapshot.coming:
        stream = Stream(snapshot.coming, policy, snapshot.writers, left, now, chance)
        for job in snapshot.jobs:
            if job.id in forecasts:
                forecasts[job.id] = stream.put_off(forecasts[job.id], full_rank(policy, job), job.format)
    bars = _bars(laid, now + SHOWN)
    return Projection(
        finishes, left, blanks_until, forecasts, lines.ahead_of_all(), lines.load_of_all(), bars, waits, marks,
        snapshot.coming,
    )  # fmt: skip


def quote(
    standing: Projection,
    wanted: Sequence[JobView],
    now: float,
    *,
    chance: Chance = CHANCE,
    policy: Policy | None = None,
    came: Sequence[JobView] = (),
) -> Forecast | None:
    """When `wanted` would all be made; None if some of it can't be.

    It queues behind everything projected; under a policy, which must be that of the projection, behind what ranks
    before it. Costs its own discs only: the queue's work already stands in the drives' `free_at`.
    came: what `queue_up` put behind the projection: in the midst of the queue only what ranks before it is in its way.
    """
    marks = standing.marks if policy else ()
    rank = max((full_rank(policy, job) for job in wanted), default=()) if policy else ()
    at = place(marks, encode_rank(rank)) if marks else 0
    before = standing
    if policy and at < len(marks):
        before = replace(standing, writers=_as_of(standing.writers, marks[at]), ahead=marks[at].ahead)
        before = queue_up(before, [job for job in came if full_rank(policy, job) < rank], now)
    own = project(Snapshot(tuple(wanted), before.writers), FirstCome(), now, chance=chance)
    if len(own.forecasts) < len(wanted) or not wanted:
        return None
    last = max(wanted, key=lambda job: own.finishes[job.id])
    found = own.forecasts[last.id]
    found = replace(found, doubt=doubt_of(before.ahead.get(last.format, 0.0), found.start, chance))
    if policy and standing.coming:
        stream = Stream(standing.coming, policy, standing.writers, standing.writers, now, chance)
        found = stream.put_off(found, rank, last.format)
    return found


def queue_up(standing: Projection, came: Sequence[JobView], now: float) -> Projection:
    """What a projection leaves to those who come after it, with jobs behind everything that it did not know yet."""
    if not came:
        return standing
    planner = planner_of(Snapshot(tuple(came), standing.writers), FirstCome(), now)
    laid, _ = planner.follow(now)
    more = _Lines(standing.writers, laid, now).laid_of_all()
    ahead = {format_: standing.ahead.get(format_, 0.0) + squares for format_, squares in more.items()}
    return replace(standing, writers=tuple(station.left() for station in planner.stations), ahead=ahead)


def _as_of(writers: Sequence[WriterView], mark: Mark) -> tuple[WriterView, ...]:
    """As the jobs before a mark leave them. Images and blanks are as at the end: who stands behind needs them too."""
    return tuple(
        replace(
            writer,
            drives=tuple(replace(drive, free_at=at) for drive, at in zip(writer.drives, free, strict=True)),
            link_free_at=min(writer.link_free_at, max(free, default=0.0)),
        )
        for writer, free in zip(writers, mark.free, strict=True)
    )


def _forecast(
    slots: Sequence[Slot], format_: str, finish: float, lines: _Lines, now: float, chance: Chance
) -> Forecast:
    """Its end is that of its last discs, which end within half a disc's time of each other."""
    longest = max(slots, key=lambda slot: slot.finish, default=None)
    if longest is None or finish > longest.finish:  # its last discs are under way already
        return Forecast(now, 0.0, 0.0, max(finish - now, MOMENT), 1, 0, chance)
    begun = max(slot.start for slot in slots)
    nearly = (longest.start + longest.finish) / 2
    last = [slot for slot in slots if slot.finish >= nearly]
    disc = sum(slot.finish - slot.start for slot in last) / len(last)
    # Without chance, it is ready when the roll-forward says; but of the discs before it, some are made twice.
    start = max(0.0, finish - disc - now) / (1 - chance.bad)
    doubt = doubt_of(lines.ahead(format_, begun), start, chance)
    return Forecast(now, start, doubt, disc, len(last), len(slots) - len(last), chance)


class _Lines:
    """For each format, the discs on all drives that take it, as if these had one line: what is ahead of an instant.

    A drive that is free takes the next disc whichever it is, so what one disc takes longer is shared by all of them.
    """

    def __init__(self, writers: Sequence[WriterView], laid: Iterable[Laid], now: float) -> None:
        on: dict[str, list[Slot]] = defaultdict(list)
        for one in laid:
            on[one.station.id] += one.slots
        self._starts: dict[str, list[float]] = {}
        self._sums: dict[str, list[float]] = {}
        self._under_way: dict[str, float] = {}
        self._shared: dict[str, int] = {}
        self._loads: dict[str, float] = {}
        for format_ in frozenset[str]().union(*(writer.formats for writer in writers)):
            able = [writer for writer in writers if format_ in writer.formats]
            drives = [drive for writer in able for drive in writer.drives if format_ in drive.formats]
            slots = sorted((slot.start, slot.finish) for writer in able for slot in on[writer.id])
            self._starts[format_] = [start for start, _ in slots]
            self._sums[format_] = list(accumulate(((finish - start) ** 2 for start, finish in slots), initial=0.0))
            self._under_way[format_] = sum(max(0.0, drive.free_at - now) ** 2 for drive in drives)
            self._shared[format_] = len(drives) ** 2
            busy = sum(drive.free_at > now for drive in drives)
            self._loads[format_] = (busy + len(slots)) / max(1, len(drives))

    def ahead(self, format_: str, instant: float) -> float:
        """Squares of all disc times that begin before it, over the square of the drives."""
        before = bisect_left(self._starts[format_], instant)
        return (self._under_way[format_] + self._sums[format_][before]) / self._shared[format_]

    def ahead_of_all(self, instant: float = inf) -> Mapping[str, float]:
        return {format_: self.ahead(format_, instant) for format_ in self._starts}

    def laid_of_all(self) -> Mapping[str, float]:
        """The same of what was laid alone."""
        return {format_: sums[-1] / self._shared[format_] for format_, sums in self._sums.items()}

    def load_of_all(self) -> Mapping[str, float]:
        """Discs under way or waiting for each drive."""
        return self._loads


def _bars(laid: Iterable[Laid], until: float) -> tuple[Bar, ...]:
    bars = []
    for one in laid:
        by_drive: dict[int, list[Slot]] = defaultdict(list)
        for slot in one.slots:
            if slot.start < until:
                by_drive[slot.drive].append(slot)
        view, job = one.station.view, one.entry.job.id
        for drive, slots in by_drive.items():
            bars.append(Bar(job, view.id, view.drives[drive].id, slots[0].start, slots[-1].finish, len(slots)))
    return tuple(sorted(bars, key=lambda bar: (bar.writer, bar.start, bar.drive)))


def _placements(laid: Iterable[Laid]) -> list[Placement]:
    return [
        Placement(
            one.entry.job.id, one.entry.group.image, one.entry.group.format, one.station.id,
            one.station.view.drives[slot.drive].id, slot.start, slot.finish,
        )
        for one in laid
        for slot in one.slots
    ]  # fmt: skip
