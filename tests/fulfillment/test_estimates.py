"""Estimates of open shipments: by the calendars of each one's own destination, read once for all of them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment import estimates
from fulfillment.models import Carrier, CarrierDay, Shipment
from fulfillment.planning.belief import Belief
from fulfillment.planning.forecast import Chance, Forecast
from fulfillment.planning.model import Projection
from fulfillment.promise import Promise
from tests.scene import NOW, Plant, ask_for

pytestmark = pytest.mark.postgres


def finishes(*shipments: Shipment) -> Projection:
    """Every disc is made in an hour."""
    jobs = [str(job.pk) for shipment in shipments for job in shipment.jobs.all()]
    forecast = Forecast(NOW.timestamp(), 3500.0, 0.0, 100.0, 1, 0, Chance(0.0, 0.0, 0.0, 0.0))
    return Projection(
        finishes=dict.fromkeys(jobs, NOW.timestamp() + 3600), writers=(), forecasts=dict.fromkeys(jobs, forecast)
    )


def estimated(shipment: Shipment) -> dt.date | None:
    estimates.refresh(finishes(shipment), Belief(), NOW)
    shipment.refresh_from_db()
    return shipment.estimated_on


def test_an_estimate_goes_by_the_calendar_of_its_destination(plant: Plant) -> None:
    shipment = ask_for(1).shipment
    assert estimated(shipment) == dt.date(2026, 11, 20)
    Shipment.objects.update(country="JP")
    assert estimated(shipment) == dt.date(2026, 12, 9)


def test_an_estimate_knows_the_holidays_of_the_region_in_the_address(plant: Plant) -> None:
    shipment = ask_for(1).shipment
    now = dt.datetime(2027, 1, 4, 9, tzinfo=dt.UTC)  # Epiphany follows on Wednesday
    Shipment.objects.update(state=Shipment.State.READY)
    assert estimates.arrival_if_handed_over(shipment, now) == dt.date(2027, 1, 6)
    shipment.region = "Bayern"
    assert estimates.arrival_if_handed_over(shipment, now) == dt.date(2027, 1, 7)


def test_a_day_that_staff_close_moves_the_estimate_and_not_the_promise(plant: Plant) -> None:
    shipment = ask_for(1).shipment
    CarrierDay.objects.create(carrier=Carrier.objects.get(), date=NOW.date(), name="strike")
    assert estimated(shipment) == dt.date(2026, 11, 21)
    assert shipment.promised_on == dt.date(2026, 11, 20)


def test_a_date_stays_while_it_holds_in_nine_of_ten_cases_and_a_sooner_one_is_shown_at_once() -> None:
    first, second, third = (dt.date(2026, 11, day) for day in (18, 19, 20))

    def found(*shares: float) -> Promise:
        arrivals = tuple(zip((first, second, third), shares, strict=True))
        arrives = next(date for date, share in arrivals if share >= 0.98)
        return Promise(NOW, first, arrives, (first, third), arrivals)

    assert estimates.settled(second, found(0.5, 0.9, 1.0)) == second
    assert estimates.settled(second, found(0.5, 0.89, 1.0)) == third
    assert estimates.settled(second, found(0.99, 1.0, 1.0)) == first
    assert estimates.settled(first, found(0.9, 0.95, 1.0)) == first
    assert estimates.settled(None, found(0.9, 0.95, 1.0)) == third


def test_estimates_ask_as_often_for_many_shipments_as_for_one(plant: Plant) -> None:
    def queries(*shipments: Shipment) -> int:
        made = finishes(*shipments)
        estimates.refresh(made, Belief(), NOW)  # moves them; the next time there is nothing to move
        with CaptureQueriesContext(connection) as asked:
            estimates.refresh(made, Belief(), NOW)
        return len(asked)

    shipments = [ask_for(1).shipment]
    few = queries(*shipments)
    shipments += [ask_for(1).shipment for _ in range(9)]
    assert queries(*shipments) == few
