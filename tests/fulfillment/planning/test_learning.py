"""Running statistics that no sample spoils."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import reduce
from math import exp, inf, isfinite, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.learning import ALARM, CLIP, FURTHEST, MOST_KEPT, PRIOR_SPREAD, PRIOR_WEIGHT, Learned, learn

NEW = Learned()
anything = st.floats(allow_nan=True, allow_infinity=True)


def taught(ratios: list[float], state: Learned = NEW) -> Learned:
    return reduce(learn, ratios, state)


def noisy(dice: random.Random, count: int, level: float = 1.0, spread: float = 0.08) -> list[float]:
    return [level * exp(dice.gauss(0.0, spread)) for _ in range(count)]


def with_gross_outliers(dice: random.Random, ratios: list[float]) -> list[float]:
    """Five in a hundred waited for an hour, or were timed by a clock that jumped."""
    return [dice.choice([40.0, 12.0, 0.01, -3.0]) if dice.random() < 0.05 else ratio for ratio in ratios]


@given(st.lists(st.one_of(anything, st.floats(0.01, 100.0)), max_size=80))
def test_whatever_comes_the_factor_is_a_sane_positive_number(ratios: list[float]) -> None:
    state = taught(ratios)
    assert exp(-FURTHEST) * 0.99 <= state.factor <= exp(FURTHEST) * 1.01
    assert isfinite(state.spread)
    assert state.spread > 0
    assert len(state.run) <= MOST_KEPT
    assert abs(state.drift) < ALARM


@pytest.mark.parametrize("ratio", [nan, inf, -inf, 0.0, -1.0])
def test_what_is_no_time_teaches_nothing(ratio: float) -> None:
    assert learn(NEW, ratio) == NEW


@given(st.integers(0, 10_000), st.floats(0.5, 2.0))
def test_it_converges_among_noise_and_gross_outliers(seed: int, level: float) -> None:
    dice = random.Random(seed)
    state = taught(with_gross_outliers(dice, noisy(dice, 200, level)))
    assert state.factor == pytest.approx(level, rel=0.08)


@given(st.integers(0, 10_000))
def test_a_medium_that_is_30_percent_slower_is_noticed_within_20_discs(seed: int) -> None:
    dice = random.Random(seed)
    before = taught(noisy(dice, 60))
    after = taught(noisy(dice, 20, 1.3), before)
    assert after.factor == pytest.approx(1.3, rel=0.1)


def test_a_change_of_level_begins_anew_from_the_run() -> None:
    before = Learned(60, 0.0, 0.08)
    assert taught([2.0] * 4, before).resets == 0
    after = taught([2.0] * 5, before)
    assert (after.resets, after.samples, after.drift, after.run) == (1, 5, 0.0, ())
    assert after.factor == pytest.approx(2.0)


def test_outliers_on_both_sides_are_no_change_of_level() -> None:
    state = taught([3.0, 0.3] * 30)
    assert state.resets == 0


@given(st.integers(0, 10_000), anything)
def test_one_sample_moves_what_is_known_by_less_than_two_percent(seed: int, outlier: float) -> None:
    dice = random.Random(seed)
    before = taught(noisy(dice, 40))
    state = replace(before, drift=0.0, run=())  # no run that this one might be the last of
    assert learn(state, outlier).factor == pytest.approx(state.factor, rel=0.02)


@given(anything)
def test_the_first_sample_is_weighed_against_the_prior(ratio: float) -> None:
    most = CLIP * PRIOR_SPREAD / (PRIOR_WEIGHT + 1)
    assert abs(learn(NEW, ratio).mean) <= most + 1e-12


def test_few_samples_stay_near_the_prior() -> None:
    assert taught([1.2]).mean == pytest.approx(log(1.2) / (PRIOR_WEIGHT + 1))
