"""Learns how long things take from how long they took: a running, outlier-proof log ratio to a prior.

Pure, and never spoilt by one sample: what is no time at all is ignored, what is far off counts as far as two spreads.
Must never ask what was timed; `cost.py` knows what an expected time is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, isfinite, log
from statistics import median
from typing import Final

PRIOR_WEIGHT: Final = 3  # samples that the prior counts for
MEMORY: Final = 30  # samples; what is older fades
CLIP: Final = 2.0  # spreads: Huber's bound on what one sample says
SLACK: Final = 1.0  # spreads that a sample may lie off without being a sign of another level
ALARM: Final = 5.0  # spreads beyond the slack, summed (a CUSUM): five samples that are far off, or more nearer ones
MOST_KEPT: Final = 12  # of the samples since the sum left zero
PRIOR_SPREAD: Final = 0.3
LEAST_SPREAD: Final = 0.03  # three discs alike are no proof of a machine without noise
MOST_SPREAD: Final = 1.0
FURTHEST: Final = log(20)  # beyond twenty times the prior, it is the clock that is wrong
MEAN_DEVIATION: Final = 1.2533  # standard deviations of a normal law in one mean absolute deviation
MEDIAN_DEVIATION: Final = 1.4826  # the same for the median absolute deviation


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known after `samples` of the present level. `mean` and `spread` are of log(took / prior).

    The prior stands in the mean with its weight, so a few samples move it little. `drift` sums by how many spreads the
    samples of `run` lie off on one side, beyond the slack. `resets`: how often the level was begun anew.
    """

    samples: int = 0
    mean: float = 0.0
    spread: float = PRIOR_SPREAD
    drift: float = 0.0
    run: tuple[float, ...] = ()
    resets: int = 0

    @property
    def factor(self) -> float:
        """How many times the prior's time it takes."""
        return exp(self.mean)


def learn(state: Learned, ratio: float) -> Learned:
    """After one more sample. ratio: the time it took over the prior's; what is no positive number is ignored."""
    if not isfinite(ratio) or ratio <= 0:
        return state
    sample = min(max(log(ratio), -FURTHEST), FURTHEST)
    deviation = min(max((sample - state.mean) / state.spread, -CLIP), CLIP)
    drift = _drift(state.drift, deviation)
    run = (*(state.run if drift * state.drift > 0 else ()), sample)[-MOST_KEPT:] if drift else ()
    if abs(drift) >= ALARM:
        return _begun_anew(run, state.resets + 1)
    return replace(_moved(state, deviation), drift=drift, run=run)


def _moved(state: Learned, deviation: float) -> Learned:
    """deviation: in spreads, clipped."""
    weight = 1 / min(PRIOR_WEIGHT + state.samples + 1, MEMORY)
    growth = (MEAN_DEVIATION * abs(deviation) - 1) * weight
    return replace(
        state,
        samples=state.samples + 1,
        mean=state.mean + deviation * state.spread * weight,
        spread=_within_bounds(state.spread * (1 + growth)),
    )


def _drift(drift: float, deviation: float) -> float:
    """The sum on the side where it is; on the other one once that has come to nothing."""
    above = max(0.0, max(drift, 0.0) + deviation - SLACK)
    below = min(0.0, min(drift, 0.0) + deviation + SLACK)
    return (above or below) if drift > 0 else (below or above)


def _begun_anew(run: tuple[float, ...], resets: int) -> Learned:
    """The level has changed: its middle is known from the run alone, and the old one says nothing about it."""
    middle = median(run)
    spread = MEDIAN_DEVIATION * median(abs(sample - middle) for sample in run)
    return Learned(len(run), middle, _within_bounds(spread), resets=resets)


def _within_bounds(spread: float) -> float:
    return min(max(spread, LEAST_SPREAD), MOST_SPREAD)
