"""From «made» to «at the door»: packing, the carrier's cut-off, transit. Pure arithmetic over three calendars.

Instants come in as aware datetimes; dates go out as local dates, never as instants: the hand-over's of the shop's
zone, the arrival's of its destination. It never asks a database, a clock or a holiday: whoever calls brings them.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

HORIZON: Final = 60  # days; a calendar with no working day within it makes no promise
WANTED: Final = 0.98  # how sure a promise is
LIKELY: Final = (0.1, 0.9)
ROUNDING: Final = 1e-9  # what sums of shares may be short of


@dataclass(frozen=True, slots=True)
class Days:
    """Which days one of the calendars works. Weekdays are ISO numbers (1 is Monday); what is opened beats the rest."""

    weekdays: frozenset[int]
    closed: frozenset[dt.date] = frozenset()
    opened: frozenset[dt.date] = frozenset()

    def __contains__(self, day: dt.date) -> bool:
        return day in self.opened or (day.isoweekday() in self.weekdays and day not in self.closed)


@dataclass(frozen=True, slots=True)
class ShopCalendar:
    """When parcels are packed."""

    zone: ZoneInfo
    days: Days
    opens: dt.time
    closes: dt.time
    packing: dt.timedelta


@dataclass(frozen=True, slots=True)
class Transit:
    """When a carrier collects, where it delivers on which days, and which share of parcels takes how many of those.

    Between the usual days and the most, parcels arrive evenly. Of what takes even longer nothing is known, so no date
    holds with more than `most_share`.
    """

    cut_offs: tuple[dt.time | None, ...]  # Monday's first; None where nothing is collected
    collects: Days
    delivers: Days
    usual_days: int
    most_days: int
    usual_share: float
    most_share: float

    def share_within(self, days: int) -> float:
        if days < self.usual_days:
            return 0.0
        if days >= self.most_days:
            return self.most_share
        on_the_way = (days - self.usual_days) / (self.most_days - self.usual_days)
        return self.usual_share + (self.most_share - self.usual_share) * on_the_way

    def days_for(self, wanted: float) -> int | None:
        """The fewest delivery days within which that share arrives; None if it never does."""
        each = range(self.usual_days, max(self.usual_days, self.most_days) + 1)
        return next((days for days in each if self.share_within(days) >= wanted - ROUNDING), None)


@dataclass(frozen=True, slots=True)
class Promise:
    """The hand-over and the arrival that hold with the wanted probability, and between which dates it likely comes.

    `arrivals`: each date on which it may come, in order, with the share of parcels that are there by then.
    """

    packed_at: dt.datetime
    handed_over_on: dt.date
    arrives_on: dt.date
    likely: tuple[dt.date, dt.date]
    arrivals: tuple[tuple[dt.date, float], ...]

    def share_by(self, date: dt.date) -> float:
        """The share of such parcels that are there by that date."""
        return next((share for day, share in reversed(self.arrivals) if day <= date), 0.0)


def promise(ready: dt.datetime, calendar: ShopCalendar, transit: Transit, wanted: float = WANTED) -> Promise | None:
    """The dates that follow from being made at exactly `ready`."""
    return promise_of([ready], calendar, transit, wanted)


def promise_of(
    ready: Sequence[dt.datetime], calendar: ShopCalendar, transit: Transit, wanted: float = WANTED
) -> Promise | None:
    """The dates that follow from being made at one of these instants, each as likely as the others.

    None if they don't hold with the wanted probability, or a calendar has no day within the horizon of any of them.
    """
    instants = sorted(ready)
    days = _hand_overs(instants, calendar, transit) if instants else None
    if days is None:
        return None
    arrivals = _arrivals(Counter(days), transit)
    arrives_on = _first_by(arrivals, wanted)
    place = max(math.ceil(wanted * len(days) - ROUNDING), 1) - 1
    packed, day = packed_at(instants[place], calendar), days[place]
    if packed is None or arrives_on is None:
        return None
    first, last = LIKELY
    likely = (_first_by(arrivals, first) or arrives_on, _first_by(arrivals, last) or arrives_on)
    return Promise(packed, day, arrives_on, likely, tuple(arrivals))


def _hand_overs(instants: Sequence[dt.datetime], calendar: ShopCalendar, transit: Transit) -> list[dt.date] | None:
    """The day of each of these ascending instants; what is between two of one day leaves that day as well."""
    days: dict[int, dt.date] = {}

    def fill(first: int, last: int) -> bool:
        for at in (first, last):
            packed = packed_at(instants[at], calendar) if at not in days else None
            day = days.get(at) or (packed and handed_over_on(packed, calendar, transit))
            if day is None:
                return False
            days[at] = day
        if days[first] == days[last]:
            days.update(dict.fromkeys(range(first, last), days[first]))
            return True
        middle = (first + last) // 2
        return last - first < 2 or (fill(first, middle) and fill(middle, last))

    return [days[at] for at in range(len(instants))] if fill(0, len(instants) - 1) else None


def packed_at(ready: dt.datetime, calendar: ShopCalendar) -> dt.datetime | None:
    """When the parcel is packed: in working hours, begun and finished on one day."""
    ready = ready.astimezone(dt.UTC)  # sums of local times would follow the clock on the wall, not time
    for day in _days_from(ready.astimezone(calendar.zone).date()):
        if day not in calendar.days:
            continue
        begins = max(ready, _instant(day, calendar.opens, calendar.zone))
        packed = begins + calendar.packing
        if packed <= _instant(day, calendar.closes, calendar.zone):
            return packed
    return None


def handed_over_on(packed: dt.datetime, calendar: ShopCalendar, transit: Transit) -> dt.date | None:
    """The day of the carrier's collection: the same day up to and at the cut-off."""
    for day in _days_from(packed.astimezone(calendar.zone).date()):
        cut_off = _cut_off(day, calendar, transit)
        if cut_off and packed <= cut_off:
            return day
    return None


def arrives_on(handed_over: dt.date, transit: Transit, wanted: float = WANTED) -> dt.date | None:
    """The date by which what is handed over that day arrives with the wanted probability."""
    days = transit.days_for(wanted)
    return None if days is None else next(islice(_deliveries(handed_over, transit.delivers), days, None), None)


def latest_ready(
    arrive_on: dt.date, calendar: ShopCalendar, transit: Transit, wanted: float = WANTED
) -> dt.datetime | None:
    """The latest instant by which work must be made to arrive by that date; None if no day within the horizon does."""
    day = latest_hand_over(arrive_on, calendar, transit, wanted)
    cut_off = _cut_off(day, calendar, transit) if day else None
    return _latest_start(day, cut_off, calendar) if day and cut_off else None


def latest_hand_over(
    arrive_on: dt.date, calendar: ShopCalendar, transit: Transit, wanted: float = WANTED
) -> dt.date | None:
    """The last day on which a parcel leaves that arrives by that date; None if no day within the horizon does."""
    days = transit.days_for(wanted)
    if days is None:
        return None
    delivery = next(islice(_working(arrive_on, transit.delivers, -1), max(days, 1) - 1, None), None)
    if delivery is None:
        return None
    leaves = (day for day in _days_from(delivery, -1) if day < delivery or days == 0)
    return next((day for day in leaves if _cut_off(day, calendar, transit)), None)


def _latest_start(collected_on: dt.date, cut_off: dt.datetime, calendar: ShopCalendar) -> dt.datetime | None:
    """When packing must begin for that day's collection: on the day itself, or before if the cut-off is too early."""
    for day in _days_from(collected_on, -1):
        begins = min(cut_off, _instant(day, calendar.closes, calendar.zone)) - calendar.packing
        if day in calendar.days and begins >= _instant(day, calendar.opens, calendar.zone):
            return begins
    return None


def _arrivals(handed_over: Mapping[dt.date, int], transit: Transit) -> list[tuple[dt.date, float]]:
    """Each date of arrival, in order, with the share of parcels that are there by then."""
    on_date: defaultdict[dt.date, float] = defaultdict(float)
    all_parcels = sum(handed_over.values())
    for day, parcels in handed_over.items():
        before = 0.0
        for days, date in enumerate(islice(_deliveries(day, transit.delivers), transit.most_days + 1)):
            within = transit.share_within(days)
            on_date[date] += (within - before) * parcels / all_parcels
            before = within
    total, arrivals = 0.0, []
    for date in sorted(on_date):
        total += on_date[date]
        arrivals.append((date, round(total, 9)))
    return arrivals


def _first_by(arrivals: list[tuple[dt.date, float]], wanted: float) -> dt.date | None:
    return next((date for date, share in arrivals if share >= wanted - ROUNDING), None)


def _cut_off(day: dt.date, calendar: ShopCalendar, transit: Transit) -> dt.datetime | None:
    """Until when parcels leave that day: somebody hands them over, and the carrier comes."""
    time = transit.cut_offs[day.weekday()]
    if time is None or day not in calendar.days or day not in transit.collects:
        return None
    return _instant(day, time, calendar.zone)


def _deliveries(handed_over: dt.date, delivers: Days) -> Iterator[dt.date]:
    """The date of delivery after 0, 1, 2 … days: after 0, it is the hand-over's own if the carrier delivers then."""
    yield from islice(_working(handed_over, delivers), 1)
    yield from _working(handed_over + dt.timedelta(days=1), delivers)


def _working(first: dt.date, days: Days, step: int = 1) -> Iterator[dt.date]:
    """The working days from there on (or back); they end where a whole horizon has none."""
    while found := next((day for day in _days_from(first, step) if day in days), None):
        yield found
        first = found + dt.timedelta(days=step)


def _days_from(first: dt.date, step: int = 1) -> Iterator[dt.date]:
    return (first + dt.timedelta(days=step * ahead) for ahead in range(HORIZON))


def _instant(day: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    """A local time of a day as an instant in UTC; in a gap or overlap of the clocks, the earlier reading."""
    return dt.datetime.combine(day, time, zone).astimezone(dt.UTC)
