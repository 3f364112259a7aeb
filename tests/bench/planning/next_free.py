"""The peer "next free writer, first come": whoever is free takes the oldest that it can write, cached or not.

The same world as the simulator's, run by events of its own; it shares no code with the planner.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Literal

from fulfillment.simulation.capacity import disc_seconds
from fulfillment.simulation.workload import Workload
from tests.bench.planning.next_free_result import result_of
from tests.bench.planning.next_free_writer import Task, WriterState

Unit = Literal["disc", "line"]
# What happens at one instant in this order: ends first, so that a drive is free and an image there for what comes.
RANK: Final = {"disc_end": 0, "fetch_end": 1, "outage_end": 2, "refill": 3, "order": 4, "outage_start": 5}


@dataclass(frozen=True, slots=True)
class Run:
    """`result` as RESULT.json has it, with no promises; `events` as EVENTS.jsonl."""

    result: Mapping[str, Any]
    events: list[dict[str, Any]]


def run(workload: Workload, seed: int = 0, *, unit: Unit = "line") -> Run:
    """`unit`: what a free drive takes for its writer at once, a single disc or all copies of an order's line."""
    world = _World(workload, seed, unit)
    world.go()
    return Run(result_of(workload, world.events, seed=seed, policy=f"next-free-{unit}"), world.events)


class _World:
    def __init__(self, workload: Workload, seed: int, unit: Unit) -> None:
        self.unit, self.sigma = unit, workload.write_time_sigma
        self.draw = random.Random(seed)
        self.images = {image.id: image for image in workload.images}
        self.writers = {writer.id: WriterState(writer, self.images) for writer in workload.writers}
        self.idle = dict.fromkeys(self.writers)  # who has a drive free, the one that has longest first
        self.awake: set[str] = set()
        self.waiting: dict[str, list[tuple[tuple[int, int], int, Task]]] = defaultdict(list)  # by format, oldest on top
        self.discs_open = sum(line.copies for order in workload.orders for line in order.lines)
        self.events: list[dict[str, Any]] = []
        self.now, self.numbers = 0.0, count()
        self.agenda: list[tuple[float, int, int, dict[str, Any]]] = []
        for number, order in enumerate(workload.orders):
            self._plan(order.at, "order", order=order, number=number)
        for refill in workload.refills:
            self._plan(refill.at, "refill", writer=refill.writer, format=refill.format, count=refill.count)
        for outage in workload.outages:
            self._plan(outage.begins, "outage_start", writer=outage.writer)
            self._plan(outage.ends, "outage_end", writer=outage.writer)

    def go(self) -> None:
        happen = {kind: getattr(self, f"_{kind}") for kind in RANK}
        while self.agenda and self.discs_open:
            self.now = self.agenda[0][0]
            while self.agenda and self.agenda[0][0] == self.now:
                _, _, _, entry = heappop(self.agenda)
                happen[entry.pop("kind")](**entry)
            for name in [name for name in self.idle if name in self.awake]:
                self._take(self.writers[name])
            for name in sorted(self.awake):
                self._fetch(self.writers[name])
            self.awake.clear()

    def _plan(self, time: float, kind: str, **what: Any) -> None:
        heappush(self.agenda, (time, RANK[kind], next(self.numbers), {"kind": kind, **what}))

    def _tell(self, kind: str, **what: Any) -> None:
        self.events.append({"t": self.now, "kind": kind, **what})

    def _wait(self, task: Task) -> None:
        heappush(self.waiting[self.images[task.image].format], (task.place, next(self.numbers), task))
        self.awake.update(self.idle)

    def _order(self, order: Any, number: int) -> None:
        self._tell("order", order=order.id)
        for place, line in enumerate(order.lines):
            self._wait(Task((number, place), order.id, line.image, line.copies))

    def _refill(self, writer: str, format: str, count: int) -> None:
        self._tell("refill", writer=writer, format=format, count=count)
        self.writers[writer].refill(format, count)
        self.awake.add(writer)

    def _outage_start(self, writer: str) -> None:
        self._tell("outage_start", writer=writer)
        self.writers[writer].pause(self.now)

    def _outage_end(self, writer: str) -> None:
        self._tell("outage_end", writer=writer)
        state = self.writers[writer]
        state.out = False
        self._go_on_fetching(state)
        self.awake.add(writer)

    def _fetch_end(self, state: WriterState, attempt: int) -> None:
        if attempt == state.attempt:  # else an outage came between
            image = state.fetched()
            self._tell("fetch_end", writer=state.id, image=image)
            for task in state.claims_of(image):
                self._begin(state, task)
            self.awake.add(state.id)

    def _disc_end(self, state: WriterState, drive: int, task: Task, ok: bool) -> None:
        told = {"writer": state.id, "drive": drive, "image": task.image, "ok": ok}
        self._tell("disc_end", **told, **({"order": task.order} if ok else {}))
        state.release(drive, task.image)
        self.idle.setdefault(state.id)
        self.awake.add(state.id)
        if ok:
            self.discs_open -= 1
        else:
            self._wait(Task(task.place, task.order, task.image, 1))

    def _take(self, state: WriterState) -> None:
        """Gives each of its free drives a disc, and begins those whose image is there; the others keep their drive."""
        if state.out:
            return
        while state.unclaimed_drives:
            task = self._own(state) or self._oldest(state)
            if task is None:
                return
            if not state.claim(task):
                self._begin(state, task)
        self.idle.pop(state.id, None)

    def _own(self, state: WriterState) -> Task | None:
        """The next disc of the line that this writer took; given back where it has run out of blanks for it."""
        if state.line is None:
            return None
        if not state.has_blank(self.images[state.line.image].format):
            self._wait(state.line)
            state.line = None
            return None
        return state.next_of_line()

    def _oldest(self, state: WriterState) -> Task | None:
        able = [name for name in state.formats if self.waiting[name] and state.has_blank(name)]
        if not able:
            return None
        heap = self.waiting[min(able, key=lambda name: self.waiting[name][0])]
        task = heap[0][2]
        if self.unit == "line" or task.copies == 1:
            heappop(heap)
            state.line = task
            return state.next_of_line()
        task.copies -= 1
        return Task(task.place, task.order, task.image, 1)

    def _begin(self, state: WriterState, task: Task) -> None:
        drive = state.begin(task.image)
        self._tell("disc_start", writer=state.id, drive=drive, image=task.image)
        ok = self.draw.random() >= state.writer.bad_disc_probability
        noise = math.exp(self.draw.gauss(-(self.sigma**2) / 2, self.sigma)) if self.sigma else 1.0
        seconds = disc_seconds(state.writer, self.images[task.image]) * noise
        self._plan(self.now + seconds, "disc_end", state=state, drive=drive, task=task, ok=ok)

    def _fetch(self, state: WriterState) -> None:
        image = state.wants()
        if image is None or state.out:
            return
        purged = state.make_room(image)
        if purged is None:
            return  # all is in use; tried again when a disc ends
        for name in purged:
            self._tell("purge", writer=state.id, image=name)
        self._tell("fetch_start", writer=state.id, image=image)
        state.fetch(image)
        self._go_on_fetching(state)

    def _go_on_fetching(self, state: WriterState) -> None:
        if state.fetching is not None:
            state.fetch_ends = self.now + state.fetch_left
            self._plan(state.fetch_ends, "fetch_end", state=state, attempt=state.attempt)
