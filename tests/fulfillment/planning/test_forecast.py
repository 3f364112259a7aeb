from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.belief import LEVELS
from fulfillment.planning.calibration import Calibration, Said
from fulfillment.planning.experience import Experience
from fulfillment.planning.forecast import Chance, Forecast

chances = st.builds(
    Chance, sigma=st.floats(0, 0.6), bad=st.floats(0, 0.3), again=st.floats(0, 10), level=st.floats(0, 0.5)
)
forecasts = st.builds(
    Forecast,
    at=st.floats(0, 2e9),
    start=st.floats(0, 1e6),
    doubt=st.floats(0, 1e5),
    disc=st.floats(1, 1e4),
    last=st.integers(1, 300),
    earlier=st.integers(0, 300),
    chance=chances,
)


@given(forecasts, st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_what_is_to_hold_more_surely_is_never_sooner(forecast: Forecast, parts: list[float]) -> None:
    instants = [forecast.ready(part) for part in sorted(parts)]
    assert instants == sorted(instants)
    assert instants[0] >= forecast.at


@given(forecasts, st.floats(0.001, 0.999))
def test_the_part_that_is_ready_by_an_instant_is_the_part_it_was_reckoned_for(forecast: Forecast, part: float) -> None:
    instant = forecast.ready(part)
    if instant > forecast.at:
        again = forecast.ready(forecast.part(instant))
        assert again == pytest.approx(instant, abs=1e-3 + 1e-6 * forecast.start)


def test_a_disc_that_may_go_bad_is_ready_later_in_the_worst_cases_only() -> None:
    safe, risky = (Forecast(0.0, 0.0, 0.0, 100.0, 1, 0, Chance(0.1, bad, 2.0)) for bad in (0.0, 0.05))
    assert risky.ready(0.5) == pytest.approx(safe.ready(0.5), rel=0.05)
    assert risky.ready(0.97) > 1.5 * safe.ready(0.97)


def test_the_longest_of_many_takes_longer_than_one() -> None:
    one, many = (Forecast(0.0, 0.0, 0.0, 100.0, last, 0, Chance(0.2, 0.0)) for last in (1, 20))
    assert many.ready(0.5) > 1.2 * one.ready(0.5)


@given(st.data())
def test_forecasts_that_are_far_too_sure_are_set_right(data: st.DataObject) -> None:
    """Orders take three times as long as foreseen, more or less: the dates come to hold as often as they say."""
    draw = random.Random(data.draw(st.integers(0, 2**32)))
    calibration, held = Calibration(), dict.fromkeys(LEVELS, 0)
    orders, skipped = 1500, 300
    for number in range(orders):
        forecast = Forecast(0.0, 1000.0, 50.0, 60.0, 1, 0, Chance(0.1, 0.0))
        said = Said("cd 1", tuple(forecast.ready(part) for part in calibration.parts("cd 1")))
        done = 1000.0 * draw.lognormvariate(0.2, 0.1)
        if number >= skipped:
            for level, ready in zip(LEVELS, said.ready, strict=True):
                held[level] += done <= ready
        calibration.learn(said, forecast.part(done), done, still_open=1)
    for level, tolerance in zip(LEVELS, (0.06, 0.04, 0.025), strict=True):
        assert held[level] / (orders - skipped) == pytest.approx(level, abs=tolerance)


def test_what_was_learned_can_be_kept_and_read_again() -> None:
    draw = random.Random(3)
    calibration = Calibration()
    for _ in range(700):
        calibration.learn(Said("dvd 1", (1.0, 2.0, 3.0)), draw.random() ** 2, 2.5 * draw.random(), still_open=3)
    again = Calibration.load(calibration.dump())
    assert again.parts("dvd 1") == calibration.parts("dvd 1")
    assert again.dump() == calibration.dump()
    assert calibration.parts("dvd 1")[0] < 0.45, "half of all places are below a quarter"


def test_few_orders_change_nothing() -> None:
    calibration = Calibration()
    calibration.learn(Said("cd 1", (1.0, 2.0, 3.0)), 0.99, 9.0, still_open=0)
    assert calibration.parts("cd 1") == pytest.approx(LEVELS, abs=0.01)


def test_experience_follows_what_discs_and_orders_do() -> None:
    draw = random.Random(4)
    experience = Experience()
    for _ in range(3000):
        experience.disc_ended(draw.lognormvariate(0, 0.3), good=draw.random() > 0.1)
        experience.tried_again(4.0)
        forecast = Forecast(0.0, 1000.0, 0.0, 60.0, 1, 0, Chance())
        experience.order_done(forecast, forecast.ready(0.5) + 1000.0 * draw.gauss(0, 0.2))
    chance = experience.chance
    assert chance.sigma == pytest.approx(0.3, rel=0.15)
    assert chance.bad == pytest.approx(0.1, abs=0.05)
    assert chance.again == pytest.approx(4.0, rel=0.01)
    assert chance.level == pytest.approx(0.2, rel=0.2)
