"""How promises and forecasts turned out. Pure arithmetic over outcomes; `score_sheet.py` reads them from rows.

The first promise is what counts, whatever was said later. Only what can be known is counted: a parcel of which nobody
said when it arrived is in no share of arrivals, and says so by the number beside it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median
from typing import Final

from fulfillment.planning.belief import LEVELS

SURE: Final = 2.576  # standard deviations on either side: 99 of 100 intervals hold the true share
LEAST: Final = 30  # outcomes; fewer prove nothing
BANDS: Final = (("less than 1 disc a drive", 0.0, 1.0), ("1 to 2", 1.0, 2.0), ("more than 2", 2.0, float("inf")))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One shipment. `ready`: the instants said for LEVELS; `made_at` is None where it was held by hand.

    `load`: discs for each drive when it was said. `risk`: the chance of being late as it stood half-way.
    """

    ready: Sequence[dt.datetime]
    load: float
    made_at: dt.datetime | None = None
    risk: float | None = None
    hand_over_by: dt.date | None = None
    handed_over_on: dt.date | None = None
    promised_on: dt.date | None = None
    delivered_on: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """`held` of `of`, with the interval in which the true share lies (Wilson's)."""

    held: int
    of: int

    @property
    def share(self) -> float | None:
        return self.held / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        share, square = self.held / self.of, SURE * SURE
        middle = (share + square / (2 * self.of)) / (1 + square / self.of)
        half = SURE * sqrt(share * (1 - share) / self.of + square / (4 * self.of**2)) / (1 + square / self.of)
        return max(0.0, middle - half), min(1.0, middle + half)

    def is_below(self, level: float) -> bool:
        """Surely."""
        return self.of >= LEAST and self.interval[1] < level

    def is_above(self, level: float) -> bool:
        return self.of >= LEAST and self.interval[0] > level


@dataclass(frozen=True, slots=True)
class Scores:
    """`coverage`: for each of LEVELS, how many were made by the instant said. `bias`: median hours that they were made
    after P50. `sharpness`: mean hours from being made to P97. `brier`: mean square of how wrong the half-way risk was,
    of so many; a coin's is 0.25."""

    shipments: int
    handed_over: Share
    arrived: Share
    coverage: tuple[Share, ...]
    by_band: tuple[tuple[str, tuple[Share, ...]], ...]
    bias: float | None
    sharpness: float | None
    brier: tuple[float | None, int]


def score(outcomes: Iterable[Outcome]) -> Scores:
    outcomes = list(outcomes)
    made = [each for each in outcomes if each.made_at]
    return Scores(
        shipments=len(outcomes),
        handed_over=_share(outcomes, lambda each: _by(each.handed_over_on, each.hand_over_by)),
        arrived=_share(outcomes, lambda each: _by(each.delivered_on, each.promised_on)),
        coverage=_coverage(made),
        by_band=tuple(
            (name, _coverage([each for each in made if low <= each.load < high])) for name, low, high in BANDS
        ),
        bias=median(_hours(each.made_at, each.ready[0]) for each in made) if made else None,
        sharpness=fmean(_hours(each.ready[-1], each.made_at) for each in made) if made else None,
        brier=_brier(outcomes),
    )


def _by(happened: dt.date | None, by: dt.date | None) -> bool | None:
    return happened <= by if happened and by else None


def _share(outcomes: Iterable[Outcome], held: Callable[[Outcome], bool | None]) -> Share:
    known = [found for each in outcomes if (found := held(each)) is not None]
    return Share(sum(known), len(known))


def _coverage(made: Sequence[Outcome]) -> tuple[Share, ...]:
    return tuple(Share(sum(_was_made_by(each, at) for each in made), len(made)) for at in range(len(LEVELS)))


def _was_made_by(outcome: Outcome, level: int) -> bool:
    return outcome.made_at is not None and outcome.made_at <= outcome.ready[level]


def _brier(outcomes: Iterable[Outcome]) -> tuple[float | None, int]:
    wrong = [
        (each.risk - (each.handed_over_on > each.hand_over_by)) ** 2
        for each in outcomes
        if each.risk is not None and each.handed_over_on and each.hand_over_by
    ]
    return (fmean(wrong) if wrong else None), len(wrong)


def _hours(later: dt.datetime | None, sooner: dt.datetime | None) -> float:
    return (later - sooner).total_seconds() / 3600 if later and sooner else 0.0
