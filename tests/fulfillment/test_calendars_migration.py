"""Columns of services become rows, and go back to columns: nobody's own numbers are lost on the way there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import Settings

migration = import_module("fulfillment.migrations.0009_calendars")
times_of: Callable[[Any], dict[str, tuple[int, ...]]] = migration.times_of
NEW, OLD = ("fulfillment", "0009_calendars"), migration.Migration.dependencies[0]


def columns(key: str, home: int, abroad: int | None) -> SimpleNamespace:
    return SimpleNamespace(key=key, transit_days=home, transit_days_abroad=abroad)


def test_a_service_as_it_was_installed_gets_sensible_times() -> None:
    standard, express = times_of(columns("standard", 2, 5)), times_of(columns("express", 1, 2))
    assert len(standard) == 28  # the EU and elsewhere
    assert standard["DE"][2] == 2  # what is promised at home stays
    for country, times in standard.items():
        assert express[country][2] < times[2]
    assert standard["FR"] < standard[""]


def test_a_shop_outside_the_eu_gets_home_and_elsewhere(settings: Settings) -> None:
    settings.SPINDLE_COUNTRY = "US"
    assert set(times_of(columns("standard", 2, 5))) == {"US", ""}


def test_numbers_that_somebody_entered_stay_the_promise() -> None:
    assert times_of(columns("standard", 3, 9)) == {"DE": (3, 99, 3, 99), "": (9, 99, 9, 99)}
    assert times_of(columns("bike", 1, None)) == {"DE": (1, 99, 1, 99)}


@pytest.fixture
def at_old_columns() -> Iterator[Any]:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate([OLD])
    yield executor.loader.project_state([OLD]).apps
    MigrationExecutor(connection).migrate(newest)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_there_and_back_again(at_old_columns: Any) -> None:
    old = at_old_columns
    carrier = old.get_model("fulfillment", "Carrier").objects.create(name="Bikes")
    calendar = old.get_model("fulfillment", "Calendar").objects.create(name="Own")
    calendar.closing_days.create(date=dt.date(2026, 12, 24), name="Eve")
    own = {"cut_off": dt.time(11, 30), "collection_days": "135", "delivery_days": "12345", "transit_days": 3}
    old.get_model("fulfillment", "Service").objects.create(
        key="bike", carrier=carrier, name="Bike", price_minor=1, **own
    )

    executor = MigrationExecutor(connection)
    executor.migrate([NEW])
    new: Any = executor.loader.project_state([NEW]).apps
    bike = new.get_model("fulfillment", "Service").objects.get(key="bike")
    assert list(bike.pick_ups.values_list("weekday", "cut_off")) == [(day, dt.time(11, 30)) for day in (1, 3, 5)]
    assert list(bike.transit_times.values_list("country", "most_days", "delivery_days")) == [("DE", 3, "12345")]
    day = new.get_model("fulfillment", "CalendarDay").objects.get(calendar__name="Own")
    assert (day.date, day.name, day.works) == (dt.date(2026, 12, 24), "Eve", False)

    MigrationExecutor(connection).migrate([OLD])
    back = old.get_model("fulfillment", "Service").objects.get(key="bike")
    assert {name: getattr(back, name) for name in own} == own
    assert back.transit_days_abroad is None
    assert old.get_model("fulfillment", "ClosingDay").objects.get(calendar__name="Own").name == "Eve"
