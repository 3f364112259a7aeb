"""When work will be ready, as a distribution: what the roll-forward says, and how much chance adds to it. Pure.

A job ends with its last discs, which begin after all that is ahead of them. So its end is

    start + doubt · Z + disc · M

with Z standard normal, and M the longest of its discs, each the sum of as many log-normal times as it takes until one
is good; those before the last ones began a disc time earlier. Where others may overtake it, the start has a
distribution of its own in place of the normal one. Z and M are drawn from the same streams for ever, so that
a date can be reckoned again to the second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, floor, log, sqrt
from random import Random
from statistics import NormalDist
from typing import Final

DRAWS: Final = 240
END: Final = 0.5 / DRAWS  # of all cases lies beyond the draws, at either end
MOST_DISCS: Final = 64  # more discs are reckoned as so many: the longest of them hardly grows any more
STEP: Final = log(1.15)  # shapes are reckoned for doubts, spreads and shares in steps of so much
LEAST: Final = 0.01
PLACES: Final = (0.005, 0.03, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.97, 0.995)
LAW: Final = NormalDist()
TAIL: Final = 0.25  # of the width of all draws: by so much what lies beyond them fades to 1/e


@dataclass(frozen=True, slots=True)
class Chance:
    """What is left to chance. `sigma`: spread of the logarithm of a disc's time; `bad`: share of bad discs.

    `again`: how long it takes until the next try begins, in disc times: by then its writer holds other work. `level`:
    how far off the start of a job is, as a part of it, beside all that: orders to come, and what discs have in common.
    """

    sigma: float = 0.15
    bad: float = 0.02
    again: float = 1.0
    level: float = 0.1

    @property
    def of_a_disc(self) -> float:
        """Variance of the time a disc takes until it is good, in squares of that time."""
        return exp(self.sigma * self.sigma) - 1 + self.bad


@dataclass(frozen=True, slots=True)
class Forecast:
    """`at`: when it was made. `start`: seconds until the last discs begin; `doubt`: standard deviation of that.

    `disc`: seconds of one of the last discs; `last`: how many they are; `earlier`: those of the job before them.
    """

    at: float
    start: float
    doubt: float
    disc: float
    last: int
    earlier: int
    chance: Chance
    begins: tuple[float, ...] = ()
    """Where others may overtake it: seconds until the last discs begin, at PLACES of all cases."""

    def ready(self, part: float) -> float:
        """The instant by which it is ready in so large a part of all cases (0 to 1)."""
        shape = self._shape()
        tail = _tail(shape)
        if part > 1 - END:
            value = shape[-1] + tail * log(END / max(1 - part, 1e-9))
        elif part < END:
            value = shape[0] - tail * log(END / max(part, 1e-9))
        else:
            place = (part - END) / (1 - 2 * END) * (len(shape) - 1)
            low = min(floor(place), len(shape) - 2)
            value = shape[low] + (shape[low + 1] - shape[low]) * (place - low)
        return self.at + max(0.0, self.start + self.disc * value)

    def part(self, instant: float) -> float:
        """In how large a part of all cases it is ready by then: never quite none, never quite all."""
        shape = self._shape()
        tail = _tail(shape)
        value = (instant - self.at - self.start) / self.disc
        place = bisect_left(shape, value)
        if place == 0:
            return END * exp((value - shape[0]) / tail)
        if place == len(shape):
            return 1 - END * exp((shape[-1] - value) / tail)
        low, high = shape[place - 1], shape[place]
        return END + (1 - 2 * END) * (place - 1 + (value - low) / (high - low)) / (len(shape) - 1)

    def _shape(self) -> tuple[float, ...]:
        chance = _step(self.chance.sigma), _step(self.chance.bad), _step(self.chance.again)
        discs = min(self.last, MOST_DISCS), min(self.earlier, MOST_DISCS)
        if self.begins:
            starts = (_at_part(self.begins, LAW.cdf(z)) - self.start for z in _normals())
            return tuple(sorted(s / self.disc + m for s, m in zip(starts, _longest(*discs, chance), strict=True)))
        return _shape(*discs, _step(min(self.doubt, self.start / 2) / self.disc), chance)


def _at_part(values: Sequence[float], part: float) -> float:
    """The value at a part of all cases, of values that are known at PLACES."""
    at = min(max(bisect_left(PLACES, part), 1), len(PLACES) - 1)
    low, high = PLACES[at - 1], PLACES[at]
    share = min(max((part - low) / (high - low), 0.0), 1.0)
    return values[at - 1] + (values[at] - values[at - 1]) * share


def _tail(shape: tuple[float, ...]) -> float:
    return max(TAIL * (shape[-1] - shape[0]), LEAST)


def doubt_of(ahead: float, start: float, chance: Chance) -> float:
    """Standard deviation of a start. ahead: sum of squares of the disc times before it, over the square of the drives
    that share them."""
    return sqrt(ahead * chance.of_a_disc + (chance.level * start) ** 2)


def _step(value: float) -> int:
    """In steps that grow with the value; all that is next to nothing is one."""
    return round(log(max(value, LEAST) / LEAST) / STEP)


def _of_step(step: int) -> float:
    return LEAST * exp(step * STEP) if step else 0.0


@lru_cache(maxsize=4096)
def _shape(last: int, earlier: int, doubt: int, chance: tuple[int, int, int]) -> tuple[float, ...]:
    """Doubt and discs together, in units of a disc's time, in ascending order."""
    ratio = _of_step(doubt)
    return tuple(sorted(ratio * z + m for z, m in zip(_normals(), _longest(last, earlier, chance), strict=True)))


@lru_cache
def _normals() -> tuple[float, ...]:
    return tuple(LAW.inv_cdf(part) for part in _evenly(Random(1)))  # noqa: S311 - draws are to be repeatable, not secret


@lru_cache(maxsize=1024)
def _longest(last: int, earlier: int, chance: tuple[int, int, int]) -> tuple[float, ...]:
    """From the beginning of the last discs. A job of one disc more has the same draws for the others."""
    before = [_disc(number, chance) for number in range(earlier)]
    after = [_disc(number, chance) for number in range(earlier, earlier + last)]
    return tuple(max([disc[draw] for disc in after] + [disc[draw] - 1 for disc in before]) for draw in range(DRAWS))


@lru_cache(maxsize=1024)
def _disc(number: int, chance: tuple[int, int, int]) -> tuple[float, ...]:
    """How long the so-many-eth disc of a job takes until it is good, in disc times."""
    draw = Random(f"disc {number}")  # noqa: S311 - draws are to be repeatable, not secret
    spread, spoilt, wait = (_of_step(step) for step in chance)
    took = []
    for part, fate in zip(_evenly(draw), _evenly(draw), strict=True):
        seconds = exp(spread * LAW.inv_cdf(part))
        while fate < spoilt:
            fate /= spoilt
            seconds += wait * draw.expovariate(1.0) + exp(spread * draw.gauss())
        took.append(seconds)
    return tuple(took)


def _evenly(draw: Random) -> list[float]:
    """Draws between 0 and 1 that fill it evenly, in an order that has nothing to do with any other."""
    parts = [(number + 0.5) / DRAWS for number in range(DRAWS)]
    draw.shuffle(parts)
    return parts
