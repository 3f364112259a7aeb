"""Calendar arithmetic: the golden cases first, then what must hold for any calendar."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.promise import HORIZON, ShopCalendar, Transit, arrives_on, latest_ready, promise

BERLIN = ZoneInfo("Europe/Berlin")
MON_FRI, MON_SAT = frozenset(range(1, 6)), frozenset(range(1, 7))

SHOP = ShopCalendar(BERLIN, MON_FRI, dt.time(8), dt.time(18), dt.timedelta(minutes=30))
POST = Transit(dt.time(16), MON_FRI, MON_SAT, 2)


def local(text: str, zone: ZoneInfo = BERLIN) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


def test_made_in_the_morning_leaves_the_same_day() -> None:
    made = promise(local("2026-11-18 10:00"), SHOP, POST)
    assert made is not None
    assert made.packed_at == local("2026-11-18 10:30")
    assert (made.handed_over_on, made.arrives_on) == (dt.date(2026, 11, 18), dt.date(2026, 11, 20))


def test_after_the_cut_off_it_leaves_the_next_working_day() -> None:
    """Google Merchant's example: Wednesday after a 15:00 cut-off, transit 3 to 5 days (Mon–Sat), handling up to 1."""
    calendar = replace(SHOP, packing=dt.timedelta())
    three, five = (Transit(dt.time(15), MON_FRI, MON_SAT, days) for days in (3, 5))
    earliest = promise(local("2026-11-18 15:01"), calendar, three)
    assert earliest is not None
    assert earliest.handed_over_on == dt.date(2026, 11, 19)
    assert earliest.arrives_on == dt.date(2026, 11, 23)  # Monday
    assert arrives_on(dt.date(2026, 11, 20), five) == dt.date(2026, 11, 26)  # Thursday, after a day of handling


@pytest.mark.parametrize(("second", "leaves"), [(59, 18), (60, 18), (61, 19)])
def test_the_cut_off_itself_is_still_in_time(second: int, leaves: int) -> None:
    calendar = replace(SHOP, packing=dt.timedelta())
    ready = local("2026-11-18 15:59") + dt.timedelta(seconds=second)
    made = promise(ready, calendar, POST)
    assert made is not None
    assert made.handed_over_on.day == leaves


def test_a_date_is_a_date_of_the_shops_zone_not_of_utc() -> None:
    new_york = replace(SHOP, zone=ZoneInfo("America/New_York"), closes=dt.time(23, 59), packing=dt.timedelta())
    night = dt.datetime(2026, 11, 21, 4, 30, tzinfo=dt.UTC)  # Friday 23:30 in New York, Saturday in UTC
    made = promise(night, new_york, replace(POST, cut_off=dt.time(23, 45)))
    assert made is not None
    assert made.handed_over_on == dt.date(2026, 11, 20)


def test_a_day_on_which_the_shop_is_closed_is_passed_over() -> None:
    christmas = replace(SHOP, closed_on=frozenset({dt.date(2026, 12, 24), dt.date(2026, 12, 25)}))
    made = promise(local("2026-12-23 17:00"), christmas, POST)
    assert made is not None
    assert made.handed_over_on == dt.date(2026, 12, 28)


def test_what_does_not_fit_before_closing_is_packed_the_next_morning() -> None:
    made = promise(local("2026-11-20 17:45"), SHOP, POST)  # a Friday
    assert made is not None
    assert made.packed_at == local("2026-11-23 08:30")


def test_a_calendar_without_a_working_day_promises_nothing() -> None:
    assert promise(local("2026-11-18 10:00"), replace(SHOP, working_days=frozenset()), POST) is None
    assert promise(local("2026-11-18 10:00"), SHOP, replace(POST, delivery_days=frozenset())) is None
    assert latest_ready(dt.date(2026, 11, 20), replace(SHOP, working_days=frozenset()), POST) is None


@pytest.mark.parametrize("night", ["2026-03-29 02:30", "2026-10-25 02:30"])
def test_the_nights_on_which_clocks_change_do_not_break_the_order_of_dates(night: str) -> None:
    calendar = replace(SHOP, opens=dt.time(0), closes=dt.time(23, 59), working_days=frozenset(range(1, 8)))
    transit = Transit(dt.time(2, 30), frozenset(range(1, 8)), frozenset(range(1, 8)), 1)
    start = local(night).astimezone(dt.UTC) - dt.timedelta(hours=4)
    dates = []
    for quarter in range(40):
        made = promise(start + dt.timedelta(minutes=15 * quarter), calendar, transit)
        assert made is not None
        dates.append(made.arrives_on)
    assert dates == sorted(dates)


weekdays = st.frozensets(st.integers(1, 7), min_size=1)
times = st.times(min_value=dt.time(6), max_value=dt.time(20)).map(lambda time: time.replace(microsecond=0))
instants = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2028, 3, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001  (hypothesis adds the zone)
calendars = st.builds(
    ShopCalendar,
    st.sampled_from([BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]),
    weekdays,
    st.just(dt.time(6)),
    st.just(dt.time(21)),
    st.integers(0, 300).map(lambda minutes: dt.timedelta(minutes=minutes)),
    st.frozensets(st.dates(dt.date(2026, 1, 1), dt.date(2028, 3, 1)), max_size=5),
)
transits = st.builds(Transit, times, weekdays, weekdays, st.integers(0, 6))


@given(instants, st.timedeltas(dt.timedelta(), dt.timedelta(days=10)), calendars, transits)
def test_being_made_later_never_arrives_earlier(
    ready: dt.datetime, later: dt.timedelta, calendar: ShopCalendar, transit: Transit
) -> None:
    first, second = promise(ready, calendar, transit), promise(ready + later, calendar, transit)
    if first and second:
        assert first.arrives_on <= second.arrives_on
        assert first.packed_at >= ready + calendar.packing


@given(instants, calendars, transits)
def test_a_slower_service_never_arrives_earlier(ready: dt.datetime, calendar: ShopCalendar, transit: Transit) -> None:
    quick, slow = promise(ready, calendar, transit), promise(ready, calendar, replace(transit, days=transit.days + 1))
    if quick and slow:
        assert quick.arrives_on <= slow.arrives_on


@given(instants, calendars, transits)
def test_due_is_the_last_instant_at_which_the_promise_holds(
    ready: dt.datetime, calendar: ShopCalendar, transit: Transit
) -> None:
    made = promise(ready, calendar, transit)
    if made is None or (made.arrives_on - made.handed_over_on).days >= HORIZON:
        return
    due = latest_ready(made.arrives_on, calendar, transit)
    assert due is not None
    assert due >= ready
    at_due = promise(due, calendar, transit)
    assert at_due is not None
    assert at_due.arrives_on <= made.arrives_on
    after = promise(due + dt.timedelta(seconds=1), calendar, transit)
    assert after is None or after.arrives_on > made.arrives_on
