"""What discs and orders of late say of chance: running figures that a forecast is made with. Pure but for its state.

Each begins as a prior that counts for so many cases, and then follows the cases with a memory of bounded length.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Final

from fulfillment.planning.forecast import Chance, Forecast

DISCS: Final = 400.0
TRIES: Final = 50.0
ORDERS: Final = 200.0
PRIOR: Final = Chance()
PRIOR_DISCS: Final = 50.0
PRIOR_TRIES: Final = 5.0
PRIOR_ORDERS: Final = 10.0


class _Mean:
    """A running mean with a prior; what is older than `memory` cases fades."""

    def __init__(self, prior: float, weight: float, memory: float) -> None:
        self.value, self._weight, self._memory = prior, weight, memory

    @property
    def kept(self) -> list[float]:
        return [self.value, self._weight]

    def restore(self, value: float, weight: float) -> None:
        self.value, self._weight = value, min(weight, self._memory)

    def add(self, value: float) -> None:
        self._weight = min(self._weight + 1, self._memory)
        self.value += (value - self.value) / self._weight


class Experience:
    def __init__(self) -> None:
        self._square = _Mean(PRIOR.sigma**2, PRIOR_DISCS, DISCS)
        self._bad = _Mean(PRIOR.bad, PRIOR_DISCS, DISCS)
        self._again = _Mean(PRIOR.again, PRIOR_TRIES, TRIES)
        self._off = _Mean(PRIOR.level**2, PRIOR_ORDERS, ORDERS)

    @property
    def chance(self) -> Chance:
        return Chance(self._square.value**0.5, self._bad.value, self._again.value, self._off.value**0.5)

    def disc_ended(self, ratio: float | None, good: bool) -> None:
        """ratio: the time it took over the time that was expected; None if it was not timed to its end."""
        if ratio is not None:
            self._square.add(log(ratio) ** 2)
        self._bad.add(0.0 if good else 1.0)

    def dump(self) -> dict[str, list[float]]:
        """As JSON can hold it."""
        return {name: mean.kept for name, mean in self._means().items()}

    @classmethod
    def load(cls, stored: Mapping[str, list[float]]) -> Experience:
        made = cls()
        for name, mean in made._means().items():
            if name in stored:
                mean.restore(*stored[name])
        return made

    def _means(self) -> dict[str, _Mean]:
        return {"square": self._square, "bad": self._bad, "again": self._again, "off": self._off}

    def tried_again(self, waited: float) -> None:
        """waited: from a bad disc's end to the beginning of the one in its place, in disc times."""
        self._again.add(waited)

    def order_done(self, forecast: Forecast, done: float) -> None:
        """Only an order that waits for longer than its discs take says anything of the wait, and only
        if nobody may overtake it."""
        if forecast.start > 2 * forecast.disc and not forecast.begins:
            off = (done - forecast.ready(0.5)) / forecast.start
            self._off.add(min(off * off, 1.0))
