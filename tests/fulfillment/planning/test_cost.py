"""What a disc and a job take, and what a finished disc says about it."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.cost import (
    PRIOR_LOAD,
    PRIOR_WRITE,
    Kind,
    disc_seconds,
    fetch_seconds,
    job_seconds,
    known_rates,
    narrowed,
    prior,
    prior_rates,
    timed_disc,
)
from fulfillment.planning.learning import Learned, learn
from tests.fulfillment.planning.fleets import MB

PRIOR = prior_rates()


def taught(size: int, took: float, *, verify: bool = True) -> tuple[Kind, float]:
    """By a CD; the ratio rounded."""
    timed = timed_disc(PRIOR, size, "cd", took, verify=verify)
    assert timed is not None
    return timed[0], round(timed[1], 9)


def test_a_job_fetches_its_image_once_and_writes_each_disc() -> None:
    disc = disc_seconds(PRIOR, 600 * MB, "cd")
    assert job_seconds(PRIOR, 600 * MB, "cd", 3) == fetch_seconds(PRIOR, 600 * MB) + 3 * disc
    assert job_seconds(PRIOR, 600 * MB, "cd", 3, cached=True) == 3 * disc


def test_what_is_not_known_is_the_prior() -> None:
    known = known_rates({"cd": 4.0 * MB}, {"dvd": 40.0})
    assert disc_seconds(known, 400 * MB, "cd") == pytest.approx(PRIOR_LOAD + 100.0)
    assert disc_seconds(known, 0, "dvd") == 40.0
    assert disc_seconds(known, MB, "bd") == disc_seconds(PRIOR, MB, "bd")
    assert known.link == PRIOR.link


def test_rates_narrowed_to_formats_say_the_same_of_them() -> None:
    known = narrowed(known_rates({"cd": 4.0 * MB}, {"dvd": 40.0}), ["cd"])
    assert (set(known.write), set(known.verify), set(known.loads)) == ({"cd"}, {"cd"}, set())
    assert disc_seconds(known, 400 * MB, "cd") == pytest.approx(PRIOR_LOAD + 100.0)


def test_a_large_disc_teaches_the_speed_and_a_small_one_the_fixed_part() -> None:
    assert taught(500 * MB, PRIOR_LOAD + 400.0) == (Kind.SPEED, 2.0)
    assert taught(MB, 30.0 + 0.4) == (Kind.LOAD, 2.0)


def test_a_disc_that_was_not_read_back_says_as_much_of_the_speed() -> None:
    assert taught(500 * MB, PRIOR_LOAD + 100.0, verify=False) == (Kind.SPEED, 1.0)


@pytest.mark.parametrize("took", [0.0, -3600.0])
def test_a_clock_that_jumped_back_teaches_nothing(took: float) -> None:
    assert timed_disc(PRIOR, 500 * MB, "cd", took, verify=True) is None


@given(st.integers(1, 50_000 * MB), st.sampled_from(sorted(PRIOR_WRITE)), st.floats(0.001, 1e9), st.booleans())
def test_a_ratio_is_always_positive(size: int, format_: str, took: float, verify: bool) -> None:
    timed = timed_disc(PRIOR, size, format_, took, verify=verify)
    assert timed is not None
    assert timed[1] > 0


def test_the_two_parts_of_a_discs_time_are_told_apart() -> None:
    """A drive with a speed of half the prior's and three times its fixed part, fed with small and large discs."""
    parts = {Kind.SPEED: Learned(), Kind.LOAD: Learned()}
    for turn in range(160):
        size = (2 if turn % 2 else 600) * MB
        rates = known_rates(
            {"cd": prior(Kind.SPEED, "cd") / parts[Kind.SPEED].factor}, {"cd": PRIOR_LOAD * parts[Kind.LOAD].factor}
        )
        timed = timed_disc(rates, size, "cd", 45.0 + size / (1.25 * MB), verify=True)
        assert timed is not None
        parts[timed[0]] = reduce(learn, [timed[1]], parts[timed[0]])
    assert parts[Kind.SPEED].factor == pytest.approx(2.0, rel=0.03)
    assert parts[Kind.LOAD].factor == pytest.approx(3.0, rel=0.03)
