"""Public holidays at both ends, as `holidays` gives them, and what staff say in their place."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import QuerySet
from django_countries import countries
from pytest_django import DjangoAssertNumQueries, Settings

from fulfillment import dates, public_holidays
from fulfillment.models import Calendar, CalendarDay, Carrier, CarrierDay, PickUp, Service, TransitTime
from fulfillment.promise import Promise

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def one_day_everywhere(db: None) -> None:
    """Next-day delivery on the working days of each country, so that only the holidays tell countries apart."""
    TransitTime.objects.all().delete()
    service = Service.objects.get(key="express")
    values = {"usual_days": 1, "usual_percent": 99, "most_days": 1, "most_percent": 99}
    TransitTime.objects.create(service=service, country="", **values)


def way(day: str, country: str = "DE", region: str = "") -> Promise:
    """Made at ten in the morning of that day."""
    made = dt.datetime.fromisoformat(f"{day} 10:00").replace(tzinfo=dates.shop_zone())
    promised = dates.promise_for(made, dates.services().get(key="express"), country, region)
    assert promised is not None
    return promised


def leaves(day: str) -> str:
    return way(day).handed_over_on.isoformat()


def arrives(day: str, country: str, region: str = "") -> str:
    return way(day, country, region).arrives_on.isoformat()


@pytest.mark.parametrize(
    ("made", "leaves_on", "why"),
    [
        ("2026-12-24", "2026-12-24", "the 24th is no public holiday in Germany"),
        ("2026-12-25", "2026-12-28", "both Christmas days and the weekend"),
        ("2026-04-03", "2026-04-07", "Good Friday to Easter Monday"),
        ("2026-05-25", "2026-05-26", "Whit Monday"),
        ("2027-12-31", "2027-12-31", "the year's last day"),
        ("2028-01-01", "2028-01-03", "a Saturday, and no substitute for it"),
    ],
)
def test_nothing_leaves_on_a_public_holiday_of_the_shops_country(made: str, leaves_on: str, why: str) -> None:
    assert leaves(made) == leaves_on, why


@pytest.mark.parametrize(
    ("made", "country", "arrives_on", "why"),
    [
        ("2026-12-23", "DE", "2026-12-24", "the 24th is a working day there"),
        ("2026-12-23", "CZ", "2026-12-28", "the 24th is a holiday there"),
        ("2026-04-02", "DE", "2026-04-07", "Easter"),
        ("2026-04-02", "US", "2026-04-03", "neither Good Friday nor Easter Monday"),
        ("2026-05-22", "DE", "2026-05-26", "Whit Monday"),
        ("2028-06-02", "GB", "2028-06-05", "Whit Monday is a working day there (the bank holiday was a week before)"),
        ("2028-06-02", "DE", "2028-06-06", "Whit Monday"),
        ("2026-12-24", "GB", "2026-12-29", "Boxing Day is a Saturday: Monday is given in its place"),
        ("2027-12-23", "GB", "2027-12-24", "the day before Christmas"),
        ("2027-12-24", "GB", "2027-12-29", "a Christmas weekend gives Monday and Tuesday in its place"),
        ("2026-11-18", "SA", "2026-11-19", "Thursday is a working day"),
        ("2026-11-19", "SA", "2026-11-22", "Friday and Saturday are the weekend"),
        ("2026-11-19", "AE", "2026-11-20", "there the weekend is Saturday and Sunday since 2022"),
        ("2026-03-18", "SA", "2026-03-25", "the feast of breaking the fast, in March in 2026"),
        ("2027-03-08", "SA", "2027-03-15", "the same feast, eleven days earlier in 2027"),
        ("2026-07-03", "US", "2026-07-06", "Independence Day is a Saturday: Friday was given in its place"),
        ("2026-12-30", "DE", "2026-12-31", "the year's last day"),
        ("2026-12-31", "DE", "2027-01-04", "New Year and the weekend"),
        ("2026-11-20", "JP", "2026-11-24", "a holiday there and not here"),
        ("2026-10-02", "FR", "2026-10-05", "German Unity Day is a holiday here and not there"),
    ],
)
def test_nothing_arrives_on_a_public_holiday_or_weekend_of_the_destination(
    made: str, country: str, arrives_on: str, why: str
) -> None:
    assert arrives(made, country) == arrives_on, why


def test_a_holiday_here_delays_the_hand_over_and_one_there_the_arrival() -> None:
    here = way("2026-05-25", "GB")  # in both countries
    assert (here.handed_over_on, here.arrives_on) == (dt.date(2026, 5, 26), dt.date(2026, 5, 27))
    only_here = way("2026-10-03", "CH")  # a Saturday; the Monday after is a working day
    assert only_here.handed_over_on == dt.date(2026, 10, 5)
    only_here = way("2027-05-17", "GB")  # Whit Monday here
    assert (only_here.handed_over_on, only_here.arrives_on) == (dt.date(2027, 5, 18), dt.date(2027, 5, 19))
    only_there = way("2027-08-27", "GB", "England")  # the August bank holiday follows
    assert (only_there.handed_over_on, only_there.arrives_on) == (dt.date(2027, 8, 27), dt.date(2027, 8, 31))


@pytest.mark.parametrize("region", ["BY", "Bayern", " bayern "])
def test_a_region_that_is_known_adds_its_own_holidays(region: str) -> None:
    assert arrives("2026-01-05", "DE") == "2026-01-06"
    assert arrives("2026-01-05", "DE", region) == "2026-01-07"


def test_a_region_nobody_knows_has_those_of_the_country() -> None:
    assert arrives("2026-01-05", "DE", "Atlantis") == "2026-01-06"


def test_the_shop_keeps_the_holidays_of_its_own_region() -> None:
    assert leaves("2027-03-08") == "2027-03-08"
    Calendar.objects.update(region="BE")
    assert leaves("2027-03-08") == "2027-03-09"  # Women's Day
    Calendar.objects.update(region="gone from the library")
    assert leaves("2027-03-08") == "2027-03-08"


def test_staff_close_the_shop_and_open_it_in_spite_of_a_holiday() -> None:
    calendar = Calendar.objects.get()
    CalendarDay.objects.create(calendar=calendar, date=dt.date(2026, 12, 24), name="Christmas Eve")
    assert leaves("2026-12-24") == "2026-12-28"
    for model, key in ((CalendarDay, {"calendar": calendar}), (CarrierDay, {"carrier": Carrier.objects.get()})):
        assert leaves("2026-05-25") == "2026-05-26"
        model.objects.create(date=dt.date(2026, 5, 25), name="A rush", works=True, **key)
    assert leaves("2026-05-25") == "2026-05-25"


def test_staff_say_when_a_carrier_does_not_come() -> None:
    CarrierDay.objects.create(carrier=Carrier.objects.get(), date=dt.date(2026, 11, 18), name="strike")
    assert leaves("2026-11-18") == "2026-11-19"


def test_saturday_delivery_is_the_services_own_word() -> None:
    assert arrives("2026-11-20", "DE") == "2026-11-23"
    TransitTime.objects.update(delivery_days="123456")
    assert arrives("2026-11-20", "DE") == "2026-11-21"
    TransitTime.objects.update(delivery_days="7")
    assert arrives("2026-11-20", "DE") == "2026-11-22"


def test_a_countrys_own_row_goes_before_elsewhere() -> None:
    service = Service.objects.get(key="express")
    values = {"usual_days": 2, "usual_percent": 99, "most_days": 2, "most_percent": 99}
    TransitTime.objects.create(service=service, country="FR", **values)
    assert (arrives("2026-11-18", "FR"), arrives("2026-11-18", "BE")) == ("2026-11-20", "2026-11-19")


def test_a_service_without_a_row_for_a_country_does_not_go_there() -> None:
    assert [service.key for service in dates.services_to("FR")] == ["express"]
    TransitTime.objects.update(country="DE")
    assert [service.key for service in dates.services_to("DE")] == ["express"]
    assert dates.services_to("FR") == []
    made = dt.datetime(2026, 11, 18, 9, tzinfo=dt.UTC)
    assert dates.promise_for(made, Service.objects.get(key="express"), "FR") is None
    assert dates.due(dt.date(2026, 11, 20), Service.objects.get(key="express"), "FR") is None


def test_due_is_the_cut_off_of_the_last_hand_over_that_arrives_in_time() -> None:
    due = dates.due(dt.date(2026, 12, 28), Service.objects.get(key="express"), "DE")
    assert due == dt.datetime(2026, 12, 24, 15, 30, tzinfo=dt.UTC)  # packed at 17:00 in Berlin
    assert way("2026-12-24", "DE").arrives_on == dt.date(2026, 12, 28)


def test_a_date_that_lies_thousands_of_years_ahead_is_no_trouble() -> None:
    assert dates.due(dt.date(9999, 12, 31), Service.objects.get(key="express"), "DE") is not None


def test_how_sure_a_promise_is_is_the_shops_word(settings: Settings) -> None:
    TransitTime.objects.update(usual_percent=80, most_days=3, most_percent=99)
    assert arrives("2026-11-16", "DE") == "2026-11-19"
    settings.SPINDLE_PROMISE_PERCENT = 80
    assert arrives("2026-11-16", "DE") == "2026-11-17"


def test_services_are_read_with_as_many_queries_however_many_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    def read(rows: QuerySet[Service]) -> None:
        for service in rows:
            assert dates.transit(service, "FR", dt.date(2026, 11, 18))

    with django_assert_num_queries(4):
        read(dates.services().filter(key="express"))
    for number in range(10):
        made = Service.objects.create(
            key=f"s{number}", name="More", price_minor=1, carrier=Carrier.objects.create(name=f"Carrier {number}")
        )
        PickUp.objects.create(service=made, weekday=1, cut_off=dt.time(12))
        TransitTime.objects.create(service=made, usual_days=1, usual_percent=99, most_days=1, most_percent=99)
    with django_assert_num_queries(4):
        read(dates.services().filter(transit_times__isnull=False))


def test_the_library_is_asked_once_for_a_country_and_year() -> None:
    public_holidays.names.cache_clear()
    first = public_holidays.names("DE", "", 2026)
    assert public_holidays.names("DE", "", 2026) is first
    assert public_holidays.names.cache_info().misses == 1


def test_every_country_of_an_address_has_weekdays_and_none_warns() -> None:
    """Warnings are errors here: the library's own about years and languages would break a quote."""

    for code, _ in countries:
        public_holidays.dates(code, "", 2026)
        assert public_holidays.weekdays(code)
    assert public_holidays.names("nowhere", "", 2026) == {}
    assert public_holidays.weekdays("nowhere") == {1, 2, 3, 4, 5}
