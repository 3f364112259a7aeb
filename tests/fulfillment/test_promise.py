"""Calendar arithmetic: the golden cases first, then what must hold for any calendar."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.promise import (
    HORIZON,
    Days,
    ShopCalendar,
    Transit,
    arrives_on,
    latest_ready,
    packed_at,
    promise,
    promise_of,
)

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
MON_FRI, MON_SAT, EVERY_DAY = (Days(frozenset(range(1, last + 1))) for last in (5, 6, 7))
NEVER = Days(frozenset())
SUN_THU = Days(frozenset({7, 1, 2, 3, 4}))

SHOP = ShopCalendar(BERLIN, MON_FRI, dt.time(8), dt.time(18), dt.timedelta(minutes=30))
AT_ONCE = replace(SHOP, packing=dt.timedelta())


def collected(cut_off: dt.time, days: int = 5) -> tuple[dt.time | None, ...]:
    return tuple(cut_off if day < days else None for day in range(7))


def service(days: int, cut_off: dt.time = dt.time(16), delivers: Days = MON_SAT) -> Transit:
    """All parcels take the same."""
    return Transit(collected(cut_off), EVERY_DAY, delivers, days, days, 1.0, 1.0)


POST = service(2)


def local(text: str, zone: ZoneInfo = BERLIN) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


def arrival(ready: str, calendar: ShopCalendar = SHOP, transit: Transit = POST) -> dt.date | None:
    made = promise(local(ready), calendar, transit)
    return made.arrives_on if made else None


def hand_over(ready: str, calendar: ShopCalendar = SHOP, transit: Transit = POST) -> dt.date | None:
    made = promise(local(ready), calendar, transit)
    return made.handed_over_on if made else None


def test_made_in_the_morning_leaves_the_same_day() -> None:
    made = promise(local("2026-11-18 10:00"), SHOP, POST)
    assert made is not None
    assert made.packed_at == local("2026-11-18 10:30")
    assert (made.handed_over_on, made.arrives_on) == (dt.date(2026, 11, 18), dt.date(2026, 11, 20))


def test_after_wednesdays_cut_off_three_to_five_delivery_days_are_monday_to_thursday() -> None:
    """Google Merchant's example: cut-off 15:00, handling 0 to 1 day (Mon–Fri), transit 3 to 5 days (Mon–Sat)."""
    three, five = service(3, dt.time(15)), service(5, dt.time(15))
    assert arrival("2026-11-18 15:01", AT_ONCE, three) == dt.date(2026, 11, 23)  # Monday
    assert arrival("2026-11-19 15:01", AT_ONCE, five) == dt.date(2026, 11, 26)  # Thursday, after a day of handling


@pytest.mark.parametrize(("second", "leaves"), [(59, 18), (60, 18), (61, 19)])
def test_the_cut_off_itself_is_still_in_time(second: int, leaves: int) -> None:
    made = promise(local("2026-11-18 15:59") + dt.timedelta(seconds=second), AT_ONCE, POST)
    assert made is not None
    assert made.handed_over_on.day == leaves


def test_each_weekday_has_its_own_cut_off() -> None:
    early_friday = replace(POST, cut_offs=(*collected(dt.time(16), 4)[:4], dt.time(11), None, None))
    assert hand_over("2026-11-19 15:00", AT_ONCE, early_friday) == dt.date(2026, 11, 19)
    assert hand_over("2026-11-20 11:00", AT_ONCE, early_friday) == dt.date(2026, 11, 20)
    assert hand_over("2026-11-20 15:00", AT_ONCE, early_friday) == dt.date(2026, 11, 23)


def test_a_date_is_a_date_of_the_shops_zone_not_of_utc() -> None:
    new_york = replace(AT_ONCE, zone=NEW_YORK, closes=dt.time(23, 59))
    night = dt.datetime(2026, 11, 21, 4, 30, tzinfo=dt.UTC)  # Friday 23:30 in New York, Saturday in UTC
    made = promise(night, new_york, service(2, dt.time(23, 45)))
    assert made is not None
    assert made.handed_over_on == dt.date(2026, 11, 20)


def closed_on(*dates: dt.date, days: Days = MON_FRI) -> Days:
    return replace(days, closed=frozenset(dates))


def test_a_day_on_which_the_shop_is_closed_is_passed_over() -> None:
    christmas = replace(SHOP, days=closed_on(dt.date(2026, 12, 24), dt.date(2026, 12, 25)))
    assert hand_over("2026-12-23 17:00", christmas) == dt.date(2026, 12, 28)


def test_a_day_that_is_opened_works_in_spite_of_weekday_and_holiday() -> None:
    day, sunday = dt.date(2026, 12, 25), dt.date(2026, 12, 27)
    days = replace(closed_on(day), opened=frozenset({day, sunday}))
    assert packed_at(local("2026-12-25 09:00"), replace(SHOP, days=days)) == local("2026-12-25 09:30")
    assert packed_at(local("2026-12-26 09:00"), replace(SHOP, days=days)) == local("2026-12-27 08:30")


def test_a_day_on_which_only_the_carrier_is_off_delays_the_hand_over_not_the_packing() -> None:
    strike = replace(POST, collects=closed_on(dt.date(2026, 11, 18), days=EVERY_DAY))
    made = promise(local("2026-11-18 10:00"), SHOP, strike)
    assert made is not None
    assert (made.packed_at, made.handed_over_on) == (local("2026-11-18 10:30"), dt.date(2026, 11, 19))


def test_a_day_on_which_only_the_destination_is_off_delays_the_arrival_not_the_hand_over() -> None:
    there = replace(POST, delivers=closed_on(dt.date(2026, 11, 20), days=MON_SAT))
    assert hand_over("2026-11-18 10:00", SHOP, there) == dt.date(2026, 11, 18)
    assert arrival("2026-11-18 10:00", SHOP, there) == dt.date(2026, 11, 21)


def test_a_friday_saturday_weekend_delivers_on_sunday() -> None:
    assert arrival("2026-11-18 10:00", SHOP, service(2, delivers=SUN_THU)) == dt.date(2026, 11, 22)


def test_what_does_not_fit_before_closing_is_packed_the_next_morning() -> None:
    made = promise(local("2026-11-20 17:45"), SHOP, POST)  # a Friday
    assert made is not None
    assert made.packed_at == local("2026-11-23 08:30")


def test_the_leap_day_is_a_day() -> None:
    assert hand_over("2028-02-28 17:00") == dt.date(2028, 2, 29)
    assert arrival("2028-02-28 10:00") == dt.date(2028, 3, 1)
    assert latest_ready(dt.date(2028, 3, 1), SHOP, POST) == local("2028-02-28 15:30")


def test_a_promise_crosses_the_end_of_the_year() -> None:
    new_year = dt.date(2027, 1, 1)
    shop = replace(SHOP, days=closed_on(new_year))
    there = replace(POST, delivers=closed_on(new_year, days=MON_SAT))
    assert arrival("2026-12-30 10:00", shop, there) == dt.date(2027, 1, 2)
    assert hand_over("2026-12-31 16:30", shop, there) == dt.date(2027, 1, 4)


def test_a_week_without_a_working_day_is_passed_over() -> None:
    week = replace(SHOP, days=closed_on(*(dt.date(2026, 11, 16 + day) for day in range(5))))
    assert hand_over("2026-11-16 10:00", week) == dt.date(2026, 11, 23)


@pytest.mark.parametrize(
    ("calendar", "transit"),
    [
        (replace(SHOP, days=NEVER), POST),
        (SHOP, replace(POST, cut_offs=(None,) * 7)),
        (SHOP, replace(POST, collects=NEVER)),
        (SHOP, replace(POST, delivers=NEVER)),
        (replace(SHOP, days=closed_on(*(dt.date(2026, 9, 1) + dt.timedelta(days) for days in range(150)))), POST),
        (replace(SHOP, packing=dt.timedelta(hours=11)), POST),
        (SHOP, replace(POST, most_share=0.5, usual_share=0.5)),
    ],
)
def test_without_a_working_day_or_enough_parcels_nothing_is_promised(calendar: ShopCalendar, transit: Transit) -> None:
    assert promise(local("2026-11-18 10:00"), calendar, transit) is None
    assert latest_ready(dt.date(2026, 12, 1), calendar, transit) is None
    assert promise_of([local("2026-11-18 10:00")] * 3, calendar, transit) is None


def test_nothing_made_promises_nothing() -> None:
    assert promise_of([], SHOP, POST) is None


@pytest.mark.parametrize("cut_off", [dt.time(1, 30), dt.time(2), dt.time(2, 30), dt.time(3)])
@pytest.mark.parametrize("night", ["2026-03-29 02:30", "2026-10-25 02:30"])
def test_the_nights_on_which_clocks_change_do_not_break_the_order_of_dates(night: str, cut_off: dt.time) -> None:
    calendar = replace(SHOP, opens=dt.time(0), closes=dt.time(23, 59), days=EVERY_DAY)
    transit = replace(service(1, delivers=EVERY_DAY), cut_offs=collected(cut_off, 7))
    start = local(night).astimezone(dt.UTC) - dt.timedelta(hours=4)
    dates = [promise(start + dt.timedelta(minutes=5 * step), calendar, transit) for step in range(120)]
    arrivals = [made.arrives_on for made in dates if made]
    assert len(arrivals) == len(dates)
    assert arrivals == sorted(arrivals)


def test_opening_hours_inside_the_gap_of_the_clocks_pack_the_next_day() -> None:
    calendar = replace(SHOP, opens=dt.time(2, 30), closes=dt.time(3, 15), days=EVERY_DAY)
    packed = packed_at(local("2026-03-29 01:00"), calendar)
    assert packed == local("2026-03-30 03:00")


SPREAD = replace(POST, usual_days=1, most_days=3, usual_share=0.8, most_share=0.98)  # 80, 89 and 98 of 100


def test_between_usual_and_most_days_parcels_arrive_evenly() -> None:
    assert [round(SPREAD.share_within(days), 2) for days in range(5)] == [0, 0.8, 0.89, 0.98, 0.98]
    assert [SPREAD.days_for(wanted) for wanted in (0.5, 0.8, 0.85, 0.9, 0.98, 0.99)] == [1, 1, 2, 3, 3, None]


def test_a_surer_promise_is_a_later_date_and_the_likely_span_says_what_is_usual() -> None:
    ready = local("2026-11-16 10:00")  # a Monday
    usual, sure = promise(ready, SHOP, SPREAD, 0.8), promise(ready, SHOP, SPREAD, 0.98)
    assert usual is not None
    assert sure is not None
    assert (usual.arrives_on, sure.arrives_on) == (dt.date(2026, 11, 17), dt.date(2026, 11, 19))
    assert sure.likely == (dt.date(2026, 11, 17), dt.date(2026, 11, 19))
    assert promise(ready, SHOP, SPREAD, 0.99) is None


def test_a_spread_of_the_time_made_and_one_of_the_transit_add_up() -> None:
    """Nine of ten are made before Monday's cut-off; of each tenth, 80, 89 and 98 % arrive after 1, 2 and 3 days."""
    made = [local("2026-11-16 10:00")] * 9 + [local("2026-11-16 17:00")]
    promised = promise_of(made, SHOP, SPREAD, 0.95)
    assert promised is not None
    # By Thursday 0.9 × 0.98 + 0.1 × 0.89 = 0.971; by Wednesday 0.9 × 0.89 + 0.1 × 0.8 = 0.881.
    assert promised.arrives_on == dt.date(2026, 11, 19)
    assert promised.handed_over_on == dt.date(2026, 11, 17)  # nine of ten leave on Monday: too few
    assert promised.likely == (dt.date(2026, 11, 17), dt.date(2026, 11, 19))
    sure = promise_of(made, SHOP, SPREAD, 0.98)
    assert sure is not None
    assert sure.arrives_on == dt.date(2026, 11, 20)


weekdays = st.frozensets(st.integers(1, 7), min_size=1)
some_dates = st.frozensets(st.dates(dt.date(2026, 1, 1), dt.date(2028, 3, 1)), max_size=5)
days = st.builds(Days, weekdays, some_dates, some_dates)
times = st.times(min_value=dt.time(6), max_value=dt.time(20)).map(lambda time: time.replace(microsecond=0))
instants = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2028, 3, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001  (hypothesis adds the zone)
samples = st.lists(st.timedeltas(dt.timedelta(), dt.timedelta(days=4)), min_size=1, max_size=6)
probabilities = st.floats(0.5, 0.98)
calendars = st.builds(
    ShopCalendar,
    st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Asia/Kolkata")]),
    days,
    st.just(dt.time(6)),
    st.just(dt.time(21)),
    st.integers(0, 300).map(lambda minutes: dt.timedelta(minutes=minutes)),
)


@st.composite
def spreads(draw: st.DrawFn) -> Transit:
    usual, more = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    low, high = draw(st.floats(0.01, 1)), draw(st.floats(0.9, 1))
    cut_offs = draw(st.lists(st.none() | times, min_size=7, max_size=7))
    return Transit(tuple(cut_offs), draw(days), draw(days), usual, usual + more, min(low, high) if more else high, high)


@given(instants, samples, st.timedeltas(dt.timedelta(), dt.timedelta(days=10)), calendars, spreads(), probabilities)
def test_being_made_later_never_arrives_earlier(
    start: dt.datetime,
    sample: list[dt.timedelta],
    later: dt.timedelta,
    calendar: ShopCalendar,
    transit: Transit,
    wanted: float,
) -> None:
    ready = [start + each for each in sample]
    first = promise_of(ready, calendar, transit, wanted)
    second = promise_of([each + later for each in ready], calendar, transit, wanted)
    if first and second:
        assert first.arrives_on <= second.arrives_on
        assert first.handed_over_on <= second.handed_over_on
        assert first.likely <= second.likely


@given(instants, samples, calendars, spreads(), probabilities)
def test_no_promise_is_earlier_than_packing_hand_over_and_the_fewest_days_allow(
    start: dt.datetime, sample: list[dt.timedelta], calendar: ShopCalendar, transit: Transit, wanted: float
) -> None:
    made = promise_of([start + each for each in sample], calendar, transit, wanted)
    if made:
        assert made.packed_at >= start + min(sample) + calendar.packing
        assert made.packed_at.astimezone(calendar.zone).date() <= made.handed_over_on <= made.arrives_on
        assert made.likely[0] <= made.likely[1]
        deliveries = range((made.arrives_on - made.handed_over_on).days + 1)
        open_days = [made.handed_over_on + dt.timedelta(days=each) for each in deliveries]
        if len(sample) == 1:
            assert sum(day in transit.delivers for day in open_days) >= transit.usual_days


@given(instants, calendars, spreads(), probabilities)
def test_a_slower_service_never_arrives_earlier(
    ready: dt.datetime, calendar: ShopCalendar, transit: Transit, wanted: float
) -> None:
    quick = promise(ready, calendar, transit, wanted)
    for slower in (
        replace(transit, most_days=transit.most_days + 1),
        replace(transit, usual_days=transit.usual_days + 1, most_days=transit.most_days + 1),
        replace(transit, usual_days=transit.most_days, usual_share=transit.most_share),
        replace(transit, usual_share=transit.usual_share * 0.9),
    ):
        slow = promise(ready, calendar, slower, wanted)
        if quick and slow:
            assert quick.arrives_on <= slow.arrives_on


@given(instants, samples, calendars, spreads(), probabilities, probabilities)
def test_a_surer_promise_is_never_earlier(
    start: dt.datetime,
    sample: list[dt.timedelta],
    calendar: ShopCalendar,
    transit: Transit,
    one: float,
    other: float,
) -> None:
    ready = [start + each for each in sample]
    less, more = (promise_of(ready, calendar, transit, each) for each in sorted((one, other)))
    if less and more:
        assert less.arrives_on <= more.arrives_on
        assert less.handed_over_on <= more.handed_over_on


@given(instants, calendars, spreads(), probabilities)
def test_one_instant_is_a_sample_of_one(
    ready: dt.datetime, calendar: ShopCalendar, transit: Transit, wanted: float
) -> None:
    made = promise(ready, calendar, transit, wanted)
    assert made == promise_of([ready, ready, ready], calendar, transit, wanted)
    if made:
        assert made.arrives_on == arrives_on(made.handed_over_on, transit, wanted)


@given(instants, calendars, spreads(), probabilities)
def test_due_is_the_last_instant_at_which_the_promise_holds(
    ready: dt.datetime, calendar: ShopCalendar, transit: Transit, wanted: float
) -> None:
    made = promise(ready, calendar, transit, wanted)
    if made is None or (made.arrives_on - made.handed_over_on).days >= HORIZON:
        return
    due = latest_ready(made.arrives_on, calendar, transit, wanted)
    assert due is not None
    assert due >= ready
    at_due = promise(due, calendar, transit, wanted)
    assert at_due is not None
    assert at_due.arrives_on <= made.arrives_on
    after = promise(due + dt.timedelta(seconds=1), calendar, transit, wanted)
    assert after is None or after.arrives_on > made.arrives_on
