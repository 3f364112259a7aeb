"""Who knows the laws of a world: plays it on from the instant of an order, again and again, until the order is done.

What is drawn anew are the discs: those that run, given how long they have run already, and all that come after. The
orders to come are the real ones, so it is no oracle where one order overtakes another.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Collection
from heapq import heapify, heappop
from typing import Any, Final

from fulfillment.planning.belief import LEVELS
from fulfillment.simulation.engine import Step, Tally
from fulfillment.simulation.result import quantile
from tests.bench.promising.worlds import WorldEngine

CLONES: Final = 60
NEXT: Final = 400  # orders after it that are played: it is done long before
OWN: Final = ("_units", "_planner", "_queue", "_stirred", "_demand", "_left")  # what a clone changes; else it is shared
TRIES: Final = 60  # of drawing a time that is longer than a disc has taken already


class OracleEngine(WorldEngine):
    """Asked for some of the orders, beside what is promised of all of them."""

    def __init__(self, *args: Any, asked: Collection[str], **also: Any) -> None:
        super().__init__(*args, **also)
        self._asked = frozenset(asked)
        self._just_come: list[str] = []
        self.known: dict[str, tuple[float, ...]] = {}
        """Of each order that was asked for: by when it is done in so many of all cases, for each of LEVELS."""

    def _order_comes(self, now: float, number: int, order: Any) -> None:
        super()._order_comes(now, number, order)
        if order.id in self._asked:
            self._just_come.append(order.id)

    def _set_to_work(self, now: float) -> None:
        """All that happens at this instant has happened, and nothing was decided yet."""
        come, self._just_come = self._just_come, []
        for order in come:
            ends = sorted(self._clone(seed, now).play(order, now) for seed in range(CLONES))
            self.known[order] = tuple(quantile(ends, level) or now for level in LEVELS)
        super()._set_to_work(now)

    def _clone(self, seed: int, now: float) -> OracleEngine:
        orders = sorted(event for event in self._events if event[1] is Step.ORDER)[:NEXT]
        others = [event for event in self._events if event[1] is not Step.ORDER]
        memo: dict[int, Any] = {id(what): what for what in (self._images, self._policy, self._workload)}
        memo |= {id(image): image for image in self._images.values()}
        memo |= {id(unit.spec): unit.spec for unit in self._units.values()}
        own = copy.deepcopy({name: getattr(self, name) for name in OWN} | {"_events": others}, memo)
        made = object.__new__(type(self))
        made.__dict__ |= self.__dict__ | own
        made._jobs, made._order_of = dict(self._jobs), dict(self._order_of)
        made._random, made.tally = random.Random(seed), Tally()
        made._foresight, made._asked, made._just_come = None, frozenset(), []
        made._events = [made._drawn_anew(event, now) for event in made._events] + orders
        heapify(made._events)
        return made

    def _drawn_anew(self, event: tuple[float, Step, int, Any], now: float) -> tuple[float, Step, int, Any]:
        at, step, count, what = event
        if step is not Step.DISC_END:
            return event
        unit, drive, _ = what
        running = unit.drives[drive]
        expected = running.expected - running.began
        for _ in range(TRIES):
            ends = running.began + self._takes(unit.spec, running.image, expected, running.began)
            if ends > now:
                break
        else:
            ends = at
        return ends, step, count, (unit, drive, self._random.random() >= unit.spec.bad_disc_probability)

    def play(self, order: str, now: float) -> float:
        """When it is done."""
        while True:
            self._set_to_work(now)
            if self._next_tick is None and self._queue:
                self._expect_tick(now)
            if order in self.tally.done:
                return self.tally.done[order]
            now = self._events[0][0]
            while self._events and self._events[0][0] == now:
                _, step, _, what = heappop(self._events)
                self._news = self._news or step is not Step.TICK
                self._happen(step, what, now)
