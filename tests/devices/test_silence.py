"""Who is suspected, who is offline, and when the server rather doubts its own ears."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from devices import fleet, lifecycle, silence, visits
from devices.agent import wire
from devices.models import SelfDoubt, Writer
from tests.at_once import at_once
from tests.devices.conftest import Plant

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def writers(silences: Sequence[float], now: datetime = NOW, **values: object) -> list[Writer]:
    """One for each number: for so many seconds nothing was heard of it."""
    return [
        Writer.objects.create(
            name=f"Writer {number}",
            address="http://127.0.0.1:9",
            created_at=now,
            state="idle",
            last_seen=now - timedelta(seconds=seconds),
            **values,
        )
        for number, seconds in enumerate(silences)
    ]


def offline() -> int:
    return Writer.objects.filter(state="offline").count()


def heard(rows: Sequence[Writer], now: datetime) -> None:
    """Reports of these, as far as silence goes."""
    Writer.objects.filter(pk__in=[row.pk for row in rows]).update(last_seen=now, reasons=[], state="idle")


# --- Pure -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 600), max_size=12))
def test_those_that_vanish_together_are_the_most_within_any_minute(seconds: list[int]) -> None:
    times = [NOW + timedelta(seconds=each) for each in seconds]
    counted = max((sum(0 <= other - first <= 60 for other in seconds) for first in seconds), default=0)
    assert silence.vanished_together(times) == counted


@pytest.mark.parametrize(
    ("vanished", "fleet_size", "deaf"),
    [(3, 3, True), (3, 9, True), (3, 10, False), (2, 2, False), (2, 3, False), (67, 200, True), (66, 200, False)],
)
def test_a_third_and_three_at_least_are_no_coincidence(vanished: int, fleet_size: int, deaf: bool) -> None:
    assert silence.is_deafness(vanished, fleet_size) == deaf


# --- One writer -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.postgres
def test_a_suspect_is_asked_before_anything_is_sent_and_goes_on_at_once_if_it_answers(plant: Plant) -> None:
    write = plant.queue()
    silence.note(plant.clock.pass_(seconds=31))
    assert [writer.name for writer in fleet.read().suspects] == ["Writer 1"]
    assert fleet.at_work() == []
    assert visits.due(plant.clock.now) == [plant.new.writer.pk]
    plant.attend()
    write.refresh_from_db()
    assert (write.state, plant.keywords()) == ("accepted", [])
    assert plant.agent.calls[0] == "GET /v1/state"


@pytest.mark.django_db
@pytest.mark.postgres
def test_a_suspect_that_does_not_answer_gets_nothing(plant: Plant) -> None:
    plant.queue()
    Writer.objects.update(address="http://127.0.0.1:9")
    silence.note(plant.clock.pass_(seconds=31))
    plant.attend()
    assert plant.keywords() == ["suspect", "connecting-to-device"]
    assert plant.writer.state == "idle"
    assert plant.agent.calls == []


@pytest.mark.django_db
def test_an_agent_that_only_answers_is_asked_before_it_is_suspected(plant: Plant) -> None:
    """Without a server's address it never reports."""
    for _ in range(6):
        plant.clock.pass_(seconds=21)
        silence.note(plant.clock.now)
        plant.attend()
    assert plant.events("reason") == []


@pytest.mark.django_db
@pytest.mark.postgres
def test_a_report_at_the_moment_of_the_tick_wins(plant: Plant) -> None:
    stale = plant.writer
    plant.clock.pass_(seconds=100)
    plant.report()
    assert not lifecycle.suspect(stale, "Nothing was heard.", now=plant.clock.now)
    assert not lifecycle.lose_sight(stale, "Nothing was heard.", now=plant.clock.now)
    assert (plant.writer.state, plant.keywords()) == ("idle", [])


@pytest.mark.django_db
def test_what_a_report_said_is_not_said_any_more_once_nobody_knows(plant: Plant) -> None:
    for drive in ("d1", "d2"):
        plant.agent.set_drive(drive, state=wire.DriveState.STOPPED, reasons=("door-open",))
    plant.report()
    assert plant.keywords() == ["drives-stopped"]
    silence.note(plant.clock.pass_(seconds=100))
    assert plant.keywords() == ["timed-out"]


# --- The fleet ------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 2])
def test_a_fleet_of_one_or_two_goes_offline_all_the_same(number: int) -> None:
    writers([91] * number)
    silence.note(NOW)
    assert (offline(), silence.doubt()) == (number, None)


@pytest.mark.django_db
@pytest.mark.postgres
def test_the_server_doubts_itself_until_reports_return_and_nobody_is_offline_meanwhile() -> None:
    rows = writers([35, 40, 50, 1, 1, 1, 1, 1, 1])
    silence.note(NOW)
    standing = silence.doubt()
    assert standing is not None
    assert (standing.silent, standing.fleet) == (3, 9)
    for seconds in (60, 120, 300):
        now = NOW + timedelta(seconds=seconds)
        heard(rows[3:], now)
        silence.note(now)
        assert (offline(), silence.doubt()) == (0, standing)
    heard(rows, now)
    silence.note(now)
    assert (offline(), silence.doubt()) == (0, None)
    assert SelfDoubt.objects.get().ended_at == now


@pytest.mark.django_db
def test_those_that_are_heard_late_after_a_doubt_have_the_time_of_two_reports() -> None:
    """Two hundred agents do not return in the same second."""
    rows = writers([100] * 12)
    silence.note(NOW)
    assert silence.doubt()
    soon = NOW + timedelta(seconds=10)
    heard(rows[:9], soon)
    silence.note(soon)
    assert (offline(), silence.doubt()) == (0, None)
    later = soon + silence.GRACE + timedelta(seconds=1)
    heard(rows[:9], later)
    silence.note(later)
    assert offline() == 3


@pytest.mark.django_db
@pytest.mark.postgres
def test_after_ten_minutes_they_are_offline_whoever_is_at_fault() -> None:
    writers([31] * 3)
    silence.note(NOW)
    silence.note(NOW + silence.LONGEST - timedelta(seconds=1))
    assert offline() == 0
    silence.note(NOW + silence.LONGEST)
    assert offline() == 3
    silence.note(NOW + silence.LONGEST + timedelta(seconds=2))
    assert silence.doubt() is None


@pytest.mark.django_db
def test_a_server_that_was_away_for_an_hour_hears_before_it_judges() -> None:
    """Its first tick finds everybody an hour old."""
    rows = writers([3600 + number for number in range(5)])
    silence.note(NOW)
    assert (offline(), silence.doubt() is not None) == (0, True)
    heard(rows, NOW + timedelta(seconds=15))
    silence.note(NOW + timedelta(seconds=15))
    assert (offline(), silence.doubt()) == (0, None)


@pytest.mark.django_db
def test_writers_that_fall_silent_one_after_the_other_are_gone() -> None:
    writers([95, 200, 310, 420])
    silence.note(NOW)
    assert (offline(), silence.doubt()) == (4, None)


@pytest.mark.django_db
def test_those_that_are_switched_off_or_were_offline_before_are_no_part_of_the_fleet() -> None:
    writers([40, 40])
    Writer.objects.create(
        name="Off", created_at=NOW, enabled=False, state="idle", last_seen=NOW - timedelta(seconds=40)
    )
    Writer.objects.create(name="Gone", created_at=NOW, state="offline", last_seen=NOW - timedelta(days=3))
    silence.note(NOW)
    assert silence.doubt() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_two_ticks_at_once_doubt_once(db: None) -> None:
    writers([40] * 4)
    at_once(lambda: silence.note(NOW), lambda: silence.note(NOW))
    assert SelfDoubt.objects.count() == 1


@pytest.mark.django_db
def test_a_tick_in_which_all_are_heard_costs_three_queries(
    plant: Plant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        silence.note(plant.clock.now)
