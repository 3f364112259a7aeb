from __future__ import annotations

import datetime as dt

import pytest
from pytest_django import DjangoAssertNumQueries

from fulfillment import plan_runs, quotes, rolling
from fulfillment.models import Calendar, Carrier, PickUp, PlanRun, Service, TransitTime
from fulfillment.planning import projection
from fulfillment.quotes import Wanted
from tests.scene import NOW, Plant, make_image

pytestmark = pytest.mark.postgres


def wanted(copies: int = 1, format: str = "cd") -> list[Wanted]:
    return [Wanted(make_image(), format, copies)]


def test_each_service_shows_its_date_and_price_cheapest_first(plant: Plant) -> None:
    rolling.roll(NOW)
    shown = quotes.options(wanted(), "DE", NOW)
    assert [(option.service.key, option.price_minor) for option in shown] == [("standard", 390), ("express", 890)]
    assert [option.arrives_on for option in shown] == [dt.date(2026, 11, 20), dt.date(2026, 11, 19)]


def test_abroad_takes_longer_and_costs_more(plant: Plant) -> None:
    rolling.roll(NOW)
    standard, express = quotes.options(wanted(), "JP", NOW)
    assert (standard.price_minor, standard.arrives_on) == (1190, dt.date(2026, 12, 9))
    assert (express.price_minor, express.arrives_on) == (2490, dt.date(2026, 11, 26))  # the 23rd is a holiday there
    standard, express = quotes.options(wanted(), "FR", NOW)
    assert (standard.arrives_on, express.arrives_on) == (dt.date(2026, 11, 25), dt.date(2026, 11, 23))


def test_an_option_shows_when_it_leaves_and_when_it_likely_comes(plant: Plant) -> None:
    rolling.roll(NOW)
    (standard, _) = quotes.options(wanted(), "DE", NOW)
    assert standard.handed_over_on == dt.date(2026, 11, 18)
    assert standard.likely == (dt.date(2026, 11, 19), dt.date(2026, 11, 20))


def test_a_service_that_stays_at_home_is_not_offered_abroad(plant: Plant) -> None:
    TransitTime.objects.exclude(country="DE").filter(service__key="express").delete()
    assert [option.service.key for option in quotes.options(wanted(), "JP", NOW)] == ["standard"]


def test_without_a_fresh_roll_forward_no_date_is_shown(plant: Plant) -> None:
    assert [option.arrives_on for option in quotes.options(wanted(), "DE", NOW)] == [None, None]
    rolling.roll(NOW)
    late = NOW + plan_runs.FRESH + dt.timedelta(seconds=1)
    assert [option.arrives_on for option in quotes.options(wanted(), "DE", late)] == [None, None]


def test_a_format_nobody_writes_gets_no_date(plant: Plant) -> None:
    rolling.roll(NOW)
    assert [option.arrives_on for option in quotes.options(wanted(format="bd"), "DE", NOW)] == [None, None]


def test_a_calendar_without_working_days_gets_no_date(plant: Plant) -> None:
    rolling.roll(NOW)
    Calendar.objects.update(working_days="")
    assert [option.arrives_on for option in quotes.options(wanted(), "DE", NOW)] == [None, None]
    Calendar.objects.all().delete()
    assert [option.arrives_on for option in quotes.options(wanted(), "DE", NOW)] == [None, None]


def test_a_quote_writes_nothing(plant: Plant, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    rolling.roll(NOW)
    before, many = PlanRun.objects.count(), wanted(500)
    with django_assert_max_num_queries(8):
        quotes.options(many, "DE", NOW)
    assert PlanRun.objects.count() == before


def test_a_quote_asks_as_often_with_twenty_services_as_with_two(
    plant: Plant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rolling.roll(NOW)
    disc = wanted()
    for number in range(18):
        carrier = Carrier.objects.create(name=f"Carrier {number}")
        made = Service.objects.create(key=f"s{number}", name="More", price_minor=1, carrier=carrier)
        PickUp.objects.create(service=made, weekday=3, cut_off=dt.time(16))
        TransitTime.objects.create(service=made, usual_days=1, usual_percent=99, most_days=1, most_percent=99)
    with django_assert_max_num_queries(8):
        shown = quotes.options(disc, "DE", NOW)
    assert len(shown) == 20
    assert all(option.arrives_on for option in shown)


def test_a_stored_run_replays_to_the_same_date(plant: Plant) -> None:
    rolling.roll(NOW)
    first = quotes.options(wanted(3), "DE", NOW)
    run = PlanRun.objects.get(pk=first[0].plan_run or 0)
    rolling.roll(NOW + dt.timedelta(seconds=30))
    standing = plan_runs.read(run)
    ready = projection.quote(standing, [quotes.view(0, wanted(3)[0], NOW)], NOW.timestamp())
    assert ready is not None
    assert first[0].ready_at is not None
    assert ready.ready(0.5) == pytest.approx(first[0].ready_at.timestamp(), abs=1e-6)
