"""How long people let hand-fed drives wait: learned from each wait that ends, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import hand_waits
from devices.agent import wire
from devices.hand_waits import BLANK, MOST, PRIOR, TAKE_OUT, HandWaits, learn
from devices.models import Drive
from tests.devices.conftest import Plant

seconds = st.floats(0, 1e6)
expectations = st.floats(1, 1e5)
counts = st.integers(0, 1000)


@given(expectations, counts, seconds)
def test_an_estimate_moves_towards_what_was_seen_and_never_past_it(expected: float, waits: int, took: float) -> None:
    low, high = sorted((expected, min(took, MOST * expected)))
    assert low <= learn(expected, waits, took) <= high


@given(expectations, counts, st.floats(0, 1e9))
def test_one_night_moves_an_estimate_by_little(expected: float, waits: int, took: float) -> None:
    assert learn(expected, waits, took) <= 2 * expected


@given(st.floats(5, 3600), st.floats(5, 3600))
def test_a_habit_is_learned_whatever_was_expected(expected: float, habit: float) -> None:
    for waits in range(200):
        expected = learn(expected, waits, habit)
    assert expected == pytest.approx(habit, rel=0.1)


def said(plant: Plant, **values: Any) -> None:
    plant.agent.drives[0] = plant.agent.drives[0].model_copy(update={"feed": wire.Feed.HAND, **values})
    plant.agent.sequence += 1
    plant.report()


@pytest.mark.django_db
def test_waits_for_blanks_and_for_taking_out_are_learned_apart(plant: Plant) -> None:
    assert hand_waits.expected(plant.writer) == HandWaits(PRIOR[BLANK], PRIOR[TAKE_OUT])
    said(plant, wants="blank")
    assert Drive.objects.get(ident="d1").wants_since == plant.clock.now
    plant.clock.pass_(seconds=30)
    said(plant, wants="blank")
    plant.clock.pass_(seconds=30)
    said(plant, wants=None, state=wire.DriveState.BUSY)
    assert hand_waits.expected(plant.writer) == HandWaits(learn(PRIOR[BLANK], 0, 60.0), PRIOR[TAKE_OUT])
    said(plant, wants="take-out", serial="4K7P2M9XQR3T", state=wire.DriveState.IDLE)
    plant.clock.pass_(seconds=200)
    said(plant, wants="blank", serial=None)
    said(plant, wants="blank", serial=None)
    waits = hand_waits.expected(plant.writer)
    assert waits.take_out == learn(PRIOR[TAKE_OUT], 0, 200.0)
    assert (plant.writer.blank_waits, plant.writer.take_out_waits) == (1, 1)
    events = plant.events("hand-wait")
    assert [(event.old, event.serial) for event in events] == [("blank", ""), ("take-out", "4K7P2M9XQR3T")]
    assert events[0].text.startswith("d1 waited 60 s for a person")


@pytest.mark.django_db
def test_a_disc_that_was_given_up_tells_nothing_of_the_person(plant: Plant) -> None:
    said(plant, wants="blank")
    plant.clock.pass_(hours=3)
    said(plant, wants=None)
    assert plant.writer.blank_waits == 0


@pytest.mark.django_db
def test_a_blank_that_is_in_counts_before_its_disc_is_begun(plant: Plant) -> None:
    plant.accepted(1)
    said(plant, wants="blank")
    plant.clock.pass_(seconds=10)
    said(plant, wants=None)
    assert plant.writer.blank_waits == 1


@pytest.mark.django_db
def test_a_report_of_a_robot_costs_no_query_for_this(plant: Plant, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        hand_waits.note(plant.new.writer, plant.agent.state(), plant.clock.now)
