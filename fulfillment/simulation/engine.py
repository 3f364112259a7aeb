"""Runs a workload on a virtual clock with the shop's own planner, policy and eviction.

Ends of discs and fetches come before whatever begins at the same instant, and all that happens at one instant happens
before the planner is asked. Deterministic by its seed. Never reads a clock but to time the planner.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from heapq import heappop, heappush
from itertools import islice
from time import perf_counter
from typing import Any, Final

from fulfillment.planning.demand import NEVER, asked
from fulfillment.planning.model import JobView, Snapshot
from fulfillment.planning.planner import Planner
from fulfillment.planning.policies import Policy
from fulfillment.planning.queue import Queue
from fulfillment.planning.ranks import full_rank
from fulfillment.simulation.foresight import Foresight
from fulfillment.simulation.units import Fetch, Unit, unit_of
from fulfillment.simulation.workload import Image, Line, Order, Workload, Writer

LOOK: Final = 300.0  # seconds before a drive is free in which the planner may give it something
TICK: Final = 10.0  # seconds between two ticks: what happens in between is planned together
LARGE: Final = 1_000_000_000  # bytes, by which rates are read off
WANTED: Final = 200  # of the queue's head: their images are dropped last

Event = dict[str, Any]


class Step(IntEnum):
    """What comes first of all that happens at one instant."""

    DISC_END = 0
    FETCH_END = 1
    OUTAGE_END = 2
    REFILL = 3
    OUTAGE_START = 4
    ORDER = 5
    TICK = 6


@dataclass(slots=True)
class Tally:
    """What a run came to."""

    done: dict[str, float] = field(default_factory=dict)
    good: int = 0
    bad: int = 0
    downloads: int = 0
    downloaded_bytes: int = 0
    makespan: float = 0.0
    ticks: int = 0
    tick_seconds: float = 0.0
    longest_ticks: list[float] = field(default_factory=list)
    promised: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Of each order of which something could be said: by when it is ready, at each of `calibration.LEVELS`."""
    projection_seconds: float = 0.0


class Engine:
    """`told` gets each event of the run, in the contract's words. `foresight` says by when each order is to be ready;
    without it nothing is promised, and the run is sooner done."""

    def __init__(
        self,
        workload: Workload,
        policy: Policy,
        seed: int,
        told: Callable[[Event], None] = lambda event: None,
        foresight: Foresight | None = None,
    ) -> None:
        self._workload = workload
        self._policy = policy
        self._told = told
        self._random = random.Random(seed)  # noqa: S311 - runs are to be repeatable, not secret
        self._images = {image.id: image for image in workload.images}
        self._units = {writer.id: unit_of(writer, self._images) for writer in workload.writers}
        self._stirred: dict[str, Unit] = dict(self._units)
        self._works: dict[str, tuple[float, float]] = {}
        self._jobs: dict[str, JobView] = {}
        self._order_of: dict[str, Order] = {}
        self._left: dict[str, int] = {}
        self._demand: dict[str, float] = {}
        self._given = 0
        largest: dict[str, int] = {}
        for image in workload.images:
            largest[image.format] = max(image.bytes, largest.get(image.format, 0))
        self._queue = Queue(largest)
        self._planner = self._plan_with_who_is_there()
        self._events: list[tuple[float, Step, int, Any]] = []
        self._count = 0
        self._next_tick: float | None = None
        self._last_tick = -TICK
        self._news = True
        self._in_vain = False
        self._foresight = foresight
        self.tally = Tally()

    def run(self) -> Tally:
        self._expect_all()
        while self._events:
            now = self._events[0][0]
            while self._events and self._events[0][0] == now:
                _, step, _, what = heappop(self._events)
                self._news = self._news or step is not Step.TICK
                self._happen(step, what, now)
            self._set_to_work(now)
            if self._next_tick is None and self._queue:
                self._expect_tick(now)
        return self.tally

    def _expect_tick(self, now: float) -> None:
        """A while after the last one; when that gave nothing out, not before something happens or a drive is free."""
        at = max(now, self._last_tick + TICK)
        if self._in_vain and not self._news:
            coming = [
                free for unit in self._units.values() if not unit.is_out for free in unit.station.free if free > now
            ]
            if not coming:
                return  # nothing will come of it: there is no blank for what waits, or no writer
            at = max(at, min(coming) - LOOK)
        self._next_tick = at
        self._expect(at, Step.TICK, None)

    def _expect_all(self) -> None:
        for number, order in enumerate(self._workload.orders):
            self._expect(order.at, Step.ORDER, (number, order))
        for refill in self._workload.refills:
            self._expect(refill.at, Step.REFILL, refill)
        for outage in self._workload.outages:
            self._expect(outage.begins, Step.OUTAGE_START, outage.writer)
            self._expect(outage.ends, Step.OUTAGE_END, outage.writer)

    def _expect(self, at: float, step: Step, what: Any) -> None:
        self._count += 1
        heappush(self._events, (at, step, self._count, what))

    def _tell(self, now: float, kind: str, **facts: Any) -> None:
        self._told({"t": now, "kind": kind, **facts})

    def _happen(self, step: Step, what: Any, now: float) -> None:
        match step:
            case Step.DISC_END:
                self._disc_ends(now, *what)
            case Step.FETCH_END:
                self._fetch_ends(now, *what)
            case Step.OUTAGE_END:
                self._outage_ends(self._units[what], now)
            case Step.REFILL:
                unit = self._units[what.writer]
                if what.format in unit.blanks:
                    unit.blanks[what.format] += what.count
                    unit.station.blanks[what.format] += what.count
                self._stirred[unit.spec.id] = unit
                self._tell(now, "refill", writer=what.writer, format=what.format, count=what.count)
            case Step.OUTAGE_START:
                self._outage_starts(self._units[what], now)
            case Step.ORDER:
                self._order_comes(now, *what)
            case Step.TICK:
                self._tick(now)

    # Orders

    def _order_comes(self, now: float, number: int, order: Order) -> None:
        self._tell(now, "order", order=order.id)
        self._left[order.id] = sum(line.copies for line in order.lines)
        wanted = [self._job(order, number, place, line) for place, line in enumerate(order.lines)]
        self._foresee(order, wanted, now)
        began = perf_counter()
        for job in wanted:
            self._jobs[job.id] = job
            self._order_of[job.id] = order
            self._queue.add(job, full_rank(self._policy, job))
        self.tally.tick_seconds += perf_counter() - began

    def _job(self, order: Order, number: int, place: int, line: Line) -> JobView:
        image = self._images[line.image]
        return JobView(
            id=f"{order.id}/{place}",
            image=image.id,
            bytes=image.bytes,
            format=image.format,
            copies=line.copies,
            received_at=order.at,
            sequence=number * 1000 + place,
            priority=1 if order.priority == "high" else 0,
            due=order.due,
            work=line.copies * self._work(image),
        )

    def _foresee(self, order: Order, wanted: Sequence[JobView], now: float) -> None:
        """What the shop says before the order is paid, when it is in no queue yet."""
        if self._foresight is None:
            return
        began = perf_counter()
        # Nothing of it begins before the next tick, and the shop knows when that is.
        tick = self._next_tick or max(now, self._last_tick + TICK)
        wanted = [replace(job, image_ready_at=tick) for job in wanted]
        said = self._foresight.promise(order.id, wanted, self._seen, self._policy, now)
        if said is not None:
            self.tally.promised[order.id] = said
        self.tally.projection_seconds += perf_counter() - began

    def _seen(self, now: float) -> Snapshot:
        jobs = tuple(replace(entry.job, copies=entry.left) for entry in self._queue.entries.values())
        return Snapshot(jobs, tuple(unit.seen(now) for unit in self._units.values() if not unit.is_out))

    def _work(self, image: Image) -> float:
        """Seconds of a disc on the fleet's average drive."""
        known = self._works.get(image.format)
        if known is None:
            able = [unit for unit in self._units.values() if image.format in unit.station.places]
            known = self._works[image.format] = (
                _mean_seconds(able, image.format, 0),
                _mean_seconds(able, image.format, LARGE),
            )
        nothing, large = known
        return nothing + (large - nothing) * image.bytes / LARGE

    # Discs

    def _disc_ends(self, now: float, unit: Unit, drive: int, good: bool) -> None:
        running = unit.end(drive, now)
        order = self._order_of[running.job]
        self._stirred[unit.spec.id] = unit
        if self._foresight:
            self._foresight.disc_ended(running.job, now - running.began, running.expected - running.began, good, now)
        facts = {"writer": unit.spec.id, "drive": f"d{drive + 1}", "image": running.image.id, "ok": good}
        self.tally.makespan = max(self.tally.makespan, now)
        if not good:
            self._tell(now, "disc_end", **facts)
            self.tally.bad += 1
            unit.astray = True
            self._wait_again([running.job], avoid=unit.spec.id)
            return
        self._tell(now, "disc_end", **facts, order=order.id)
        self.tally.good += 1
        if now != running.expected:
            unit.astray = True
        self._left[order.id] -= 1
        if not self._left[order.id]:
            self.tally.done[order.id] = now
            if self._foresight:
                self._foresight.order_done(order.id, now)

    def _wait_again(self, jobs: Iterable[str], avoid: str | None = None) -> None:
        """Discs that were given out and must be made after all."""
        for name in jobs:
            job, left = self._jobs[name], 1
            if (entry := self._queue.entries.get(name)) is not None:
                left += entry.left
                self._queue.remove(entry)
            if avoid is not None:
                job = replace(job, avoid=job.avoid | {avoid})
            job = self._jobs[name] = replace(job, copies=left)
            self._queue.add(job, full_rank(self._policy, job))

    # Fetches and outages

    def _fetch_ends(self, now: float, unit: Unit, fetch: Fetch) -> None:
        if unit.fetch is not fetch or fetch.paused is not None or fetch.ends != now:
            return  # an outage put it off
        unit.fetch = None
        unit.cache[fetch.image.id] = now
        unit.station.cached.add(fetch.image.id)
        unit.station.coming.pop(fetch.image.id, None)
        self._stirred[unit.spec.id] = unit
        self._tell(now, "fetch_end", writer=unit.spec.id, image=fetch.image.id)

    def _outage_starts(self, unit: Unit, now: float) -> None:
        self._tell(now, "outage_start", writer=unit.spec.id)
        unit.outages += 1
        if unit.outages > 1:
            return
        self._wait_again(unit.take_back())
        if unit.fetch is not None:
            unit.fetch.paused = unit.fetch.ends - now
        self._planner = self._plan_with_who_is_there()

    def _outage_ends(self, unit: Unit, now: float) -> None:
        self._tell(now, "outage_end", writer=unit.spec.id)
        unit.outages -= 1
        if unit.is_out:
            return
        if unit.fetch is not None and unit.fetch.paused is not None:
            unit.fetch.ends, unit.fetch.paused = now + unit.fetch.paused, None
            self._expect(unit.fetch.ends, Step.FETCH_END, (unit, unit.fetch))
        unit.astray = True
        self._stirred[unit.spec.id] = unit
        self._planner = self._plan_with_who_is_there()

    def _plan_with_who_is_there(self) -> Planner:
        return Planner([unit.station for unit in self._units.values() if not unit.is_out], self._queue, self._policy)

    # Work

    def _set_to_work(self, now: float) -> None:
        stirred, self._stirred = self._stirred, {}
        for unit in stirred.values():
            if not unit.is_out:
                self._begin_fetch(unit, now)
                self._begin_discs(unit, now)

    def _begin_fetch(self, unit: Unit, now: float) -> None:
        if unit.fetch is not None or (wanted := unit.next_fetch()) is None:
            return
        image, needed = wanted
        dropped = unit.make_room(image, needed, self._wanted_soon(), self._demand)
        if dropped is None:
            return
        for name in dropped:
            unit.drop(name)
            self._tell(now, "purge", writer=unit.spec.id, image=name)
        unit.used += image.bytes
        unit.fetch = Fetch(image, now + image.bytes / unit.spec.link_rate)
        if image.id not in unit.station.coming:
            unit.station.coming[image.id] = unit.station.link_free = unit.fetch.ends
        self._expect(unit.fetch.ends, Step.FETCH_END, (unit, unit.fetch))
        self.tally.downloads += 1
        self.tally.downloaded_bytes += image.bytes
        self._tell(now, "fetch_start", writer=unit.spec.id, image=image.id)

    def _wanted_soon(self) -> frozenset[str]:
        formats = self._queue.formats()
        return frozenset(entry.job.image for entry in islice(self._queue.head(dict.fromkeys(formats, WANTED)), WANTED))

    def _begin_discs(self, unit: Unit, now: float) -> None:
        spec = unit.spec
        for drive, running in enumerate(unit.drives):
            if running is not None:
                continue
            write = unit.next_disc()
            if write is None:
                return
            image = write.image
            seconds = spec.load_s + image.bytes / spec.write_rate[image.format] + spec.print_s
            if spec.verify:
                seconds += image.bytes / spec.verify_rate[image.format]
            running = unit.begin(drive, write, seconds, now)
            if self._foresight:
                self._foresight.disc_began(running.job, seconds, now)
            really = self._takes(spec, image, seconds, now)
            good = not spec.bad_disc_probability or self._random.random() >= spec.bad_disc_probability
            self._tell(now, "disc_start", writer=spec.id, drive=f"d{drive + 1}", image=image.id)
            self._expect(now + really, Step.DISC_END, (unit, drive, good))

    def _takes(self, spec: Writer, image: Image, seconds: float, now: float) -> float:
        """How long a disc really takes that should take `seconds`. A world of other laws says it here."""
        sigma = self._workload.write_time_sigma
        return seconds * self._random.lognormvariate(-sigma * sigma / 2, sigma) if sigma else seconds

    # The planner

    def _tick(self, now: float) -> None:
        self._next_tick, self._last_tick, self._news = None, now, False
        if not self._queue:
            return
        began = perf_counter()
        for unit in self._units.values():
            if unit.astray:
                unit.resync(now)
            station = unit.station
            if station.soonest < now or station.link_free < now:
                station.advance(now)
            if unit.ahead:
                unit.ahead.clear()
        plan = self._planner.decide(now)
        for assignment in plan.assignments:
            unit = self._units[assignment.writer]
            self._given += 1
            self._demand[assignment.image] = asked(self._demand.get(assignment.image, NEVER), self._given)
            jobs = (share.job for share in assignment.shares for _ in range(share.copies))
            unit.take(self._images[assignment.image], jobs)
            self._stirred[unit.spec.id] = unit
        for ahead in plan.ahead:
            self._stirred[ahead.writer] = self._units[ahead.writer]
            self._units[ahead.writer].ahead.append(ahead.image)
        spent = perf_counter() - began
        self._in_vain = not plan.assignments
        self.tally.ticks += 1
        self.tally.tick_seconds += spent
        self.tally.longest_ticks.append(spent)


def _mean_seconds(units: Sequence[Unit], format_: str, size: int) -> float:
    drives = sum(unit.spec.drives for unit in units)
    return sum(unit.station.seconds(format_, size) * unit.spec.drives for unit in units) / max(1, drives)
