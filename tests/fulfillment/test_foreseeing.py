"""What was foreseen of a shipment is kept as it was said, scored when it is made, and teaches."""

from __future__ import annotations

import datetime as dt

import pytest

from fulfillment import foreseeing, learning, operators, plan_runs, quotes, ranking, rolling
from fulfillment.models import ForecastMemory, Job, PlanRun, Shipment, ShipmentForecast
from fulfillment.planning.belief import LEVELS, Belief
from fulfillment.planning.forecast import Chance, Forecast
from fulfillment.quotes import Wanted
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = pytest.mark.postgres


def order(plant: Plant, copies: int = 1) -> ShipmentForecast:
    """Asked for as the shop does it: first what is foreseen, then the shipment."""
    rolling.roll(plant.now)
    (option, *_) = quotes.options([Wanted(make_image(), "cd", copies)], "DE", plant.now)
    assert option.foreseen
    shipment = ask_for(copies, received_at=plant.now).shipment
    foreseeing.remember(shipment, option.foreseen)
    return ShipmentForecast.objects.get(shipment=shipment)


def test_what_was_said_is_kept_and_its_dates_can_be_read_from_it_again(plant: Plant) -> None:
    said = order(plant, 2)
    assert said.kind == "cd 2 now"
    assert said.ready_p50 < said.ready_p90 < said.ready_p97
    again = Belief().levels(foreseeing.forecast_of(said), said.kind)
    assert [round(each) for each in again] == [
        round(each.timestamp()) for each in (said.ready_p50, said.ready_p90, said.ready_p97)
    ]


def test_an_order_that_came_since_the_run_stands_before_the_next_one(plant: Plant) -> None:
    said = order(plant, 40)
    soon = plant.now + dt.timedelta(seconds=3)
    (next_one, *_) = quotes.options([Wanted(make_image(), "cd", 1)], "DE", soon)
    assert next_one.foreseen
    assert next_one.plan_run == PlanRun.objects.get().pk, "no run knows the first order yet"
    assert next_one.foreseen.ready(0.5) > said.ready_p50
    (before, *_) = quotes.options([Wanted(make_image(), "cd", 1)], "DE", said.at - dt.timedelta(seconds=1))
    assert before.foreseen
    assert before.foreseen.ready(0.5) < said.ready_p50, "a date that was shown replays as it was"


def test_an_order_that_the_run_knows_counts_once(plant: Plant) -> None:
    order(plant, 40)
    later = plant.now + dt.timedelta(seconds=10)
    (since, *_) = quotes.options([Wanted(make_image(), "cd", 1)], "DE", later)
    rolling.roll(later)
    (known, *_) = quotes.options([Wanted(make_image(), "cd", 1)], "DE", later)
    assert since.foreseen
    assert known.foreseen
    off = known.foreseen.ready(0.5) - since.foreseen.ready(0.5)
    assert abs(off) < dt.timedelta(seconds=60)


def test_what_was_said_once_never_changes(plant: Plant) -> None:
    said = order(plant)
    other = foreseeing.Foreseen(Forecast(0.0, 1.0, 0.0, 1.0, 1, 0, Chance()), "dvd 1", Belief())
    foreseeing.remember(said.shipment, other)
    assert ShipmentForecast.objects.get() == said
    assert ShipmentForecast.objects.get().kind == "cd 1 now"


def test_a_shipment_that_is_made_is_scored_once_and_teaches(plant: Plant) -> None:
    order(plant)
    assert foreseeing.score(plant.now) == 0, "nothing is made yet"
    plant.make_all()
    row = ShipmentForecast.objects.get()
    assert row.place is not None
    assert 0 < row.place < 1
    assert row.scored_at
    memory = ForecastMemory.objects.get()
    assert memory.calibration["windows"][""] == [row.place]
    assert foreseeing.score(plant.now) == 0


def test_what_a_person_held_or_cancelled_teaches_nothing(plant: Plant) -> None:
    held = order(plant)
    job = Job.objects.get()
    operators.hold(job, "user:1 Anna", plant.now)
    job.refresh_from_db()
    operators.release(job, "user:1 Anna", plant.now)
    plant.make_all()
    held.refresh_from_db()
    assert Shipment.objects.get().ready_at
    assert held.scored_at
    assert held.place is None
    assert foreseeing.belief(NOW).places == {"": LEVELS}


def test_good_discs_teach_that_few_go_bad(plant: Plant) -> None:
    order(plant, 3)
    plant.make_all()
    before = foreseeing.belief(NOW).chance
    learning.learn_from_log(plant.now + dt.timedelta(minutes=5))
    assert foreseeing.belief(NOW).chance.bad < before.bad


def test_a_stored_run_can_be_replayed_to_the_second(plant: Plant) -> None:
    for copies in (1, 3, 2):
        ask_for(copies, make_image(f"image-{copies}"))
    rolling.roll(NOW)
    run = PlanRun.objects.latest()
    again, projection = plan_runs.reckon(plan_runs.seen(run), ranking.in_force(NOW), run.at, plan_runs.belief(run))
    assert (again.projection, again.jobs) == (run.projection, run.jobs)
    read = plan_runs.read(run)
    assert read == projection
    assert set(read.forecasts) == {str(pk) for pk in Job.objects.values_list("pk", flat=True)}
    assert {bar.job for bar in read.bars} <= set(read.forecasts)


def test_the_risk_of_being_late_is_noted_when_half_of_the_time_is_over(plant: Plant) -> None:
    said = order(plant)
    due = Job.objects.get().due
    assert due
    half = said.at + (due - said.at) / 2
    for now, noted in ((half - dt.timedelta(minutes=1), False), (half, True)):
        rolling.roll(now)
        said.refresh_from_db()
        assert (said.risk is not None) == noted
    assert (said.risk or 0.0) < 0.1
