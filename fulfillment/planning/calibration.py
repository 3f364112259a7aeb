"""Sets forecasts right by how earlier ones turned out. Keeps windows of places; never looks at a plan.

Of each order that is done, its *place* is kept: in how large a part of all cases its forecast had it ready by then.
Were forecasts right, places would fill 0 to 1 evenly. Where they do not, the date that is to hold in nine of ten cases
is not at 0.9 of the distribution but where nine of ten places of late were. A slow feedback on each level mends what
the windows can't see, since only orders that are done tell anything.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from fulfillment.planning.belief import ALL, LEVELS, Belief
from fulfillment.planning.forecast import Chance

KEPT: Final = 600  # places of a class
LEAST: Final = 60  # fewer say less than those of all classes do; of all, less than the forecast itself
GAINS: Final = {0.5: 0.004, 0.9: 0.002, 0.97: 0.001}
BOUNDS: Final = {0.5: (0.40, 0.60), 0.9: (0.84, 0.945), 0.97: (0.945, 0.99)}
"""Answers come hours late: without bounds, the feedback would wind up while it waits."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was promised of one order: by when, at each of LEVELS."""

    kind: str
    ready: tuple[float, ...]


class Calibration:
    """Mutable: `learn` after each order that is done. `kind` names a class of orders that err alike."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = defaultdict(_Window)
        self._levels = dict(zip(LEVELS, LEVELS, strict=True))

    def parts(self, kind: str) -> tuple[float, ...]:
        """Where in a forecast's distribution the dates of LEVELS are, ascending."""
        return tuple(sorted(self._part(kind, level) for level in LEVELS))

    def belief(self, chance: Chance) -> Belief:
        """As it is now, for all kinds that there are."""
        return Belief(chance, {kind: self.parts(kind) for kind in sorted({ALL, *self._windows})})

    def _part(self, kind: str, level: float) -> float:
        asked = self._levels[level]
        for window in (self._windows[kind], self._windows[ALL]):
            if len(window) >= LEAST:
                return window.quantile(asked)
        return asked

    def learn(self, said: Said, place: float, done: float, still_open: int) -> None:
        """place: of the end in its forecast. still_open: orders that have not answered yet."""
        for kind in (said.kind, ALL):
            self._windows[kind].add(place)
        weight = min(1.0, LEAST / max(1, still_open))
        for level, ready in zip(LEVELS, said.ready, strict=True):
            low, high = BOUNDS[level]
            moved = self._levels[level] + weight * GAINS[level] * (level - (done <= ready))
            self._levels[level] = min(max(moved, low), high)

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it."""
        windows = {kind: list(window.places) for kind, window in sorted(self._windows.items())}
        return {"windows": windows, "levels": [self._levels[level] for level in LEVELS]}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Calibration:
        made = cls()
        for kind, places in stored.get("windows", {}).items():
            for place in places:
                made._windows[kind].add(place)
        made._levels |= dict(zip(LEVELS, stored.get("levels", LEVELS), strict=True))
        return made


class _Window:
    """The last places, oldest first and in ascending order as well."""

    def __init__(self) -> None:
        self.places: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self.places)

    def add(self, place: float) -> None:
        if len(self.places) == KEPT:
            del self._sorted[bisect_left(self._sorted, self.places.popleft())]
        self.places.append(place)
        insort(self._sorted, place)

    def quantile(self, part: float) -> float:
        return _between(self._sorted, part)


def _between(ascending: Sequence[float], part: float) -> float:
    """The value with so large a part at or below it, counted as of one more to come."""
    place = min(max(part * (len(ascending) + 1) - 1, 0.0), len(ascending) - 1.0)
    low = min(floor(place), len(ascending) - 2)
    return ascending[low] + (ascending[low + 1] - ascending[low]) * (place - low)
