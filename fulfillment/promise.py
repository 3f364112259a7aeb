"""From «made» to «at the door»: packing, the carrier's cut-off, transit. Pure arithmetic over calendars.

Instants come in as aware datetimes; dates go out as local dates of the shop's zone, never as instants.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

HORIZON: Final = 60  # days; a calendar with no working day within it makes no promise


@dataclass(frozen=True, slots=True)
class ShopCalendar:
    """When parcels are packed. Weekdays are ISO numbers (1 is Monday)."""

    zone: ZoneInfo
    working_days: frozenset[int]
    opens: dt.time
    closes: dt.time
    packing: dt.timedelta
    closed_on: frozenset[dt.date] = frozenset()

    def works(self, day: dt.date) -> bool:
        return day.isoweekday() in self.working_days and day not in self.closed_on


@dataclass(frozen=True, slots=True)
class Transit:
    """When a carrier collects, and on how many of its delivery days the parcel arrives."""

    cut_off: dt.time
    collection_days: frozenset[int]
    delivery_days: frozenset[int]
    days: int


@dataclass(frozen=True, slots=True)
class Promise:
    packed_at: dt.datetime
    handed_over_on: dt.date
    arrives_on: dt.date


def promise(ready: dt.datetime, calendar: ShopCalendar, transit: Transit) -> Promise | None:
    """The dates that follow from being made at `ready`; None if the calendars leave no day within the horizon."""
    packed = packed_at(ready, calendar)
    handed_over = packed and handed_over_on(packed, calendar, transit)
    arrives = handed_over and arrives_on(handed_over, transit)
    if not (packed and handed_over and arrives):
        return None
    return Promise(packed, handed_over, arrives)


def packed_at(ready: dt.datetime, calendar: ShopCalendar) -> dt.datetime | None:
    """When the parcel is packed: in working hours, begun and finished on one day."""
    ready = ready.astimezone(dt.UTC)  # sums of local times would follow the clock on the wall, not time
    for day in _days_from(ready.astimezone(calendar.zone).date()):
        if not calendar.works(day):
            continue
        begins = max(ready, _instant(day, calendar.opens, calendar.zone))
        packed = begins + calendar.packing
        if packed <= _instant(day, calendar.closes, calendar.zone):
            return packed
    return None


def handed_over_on(packed: dt.datetime, calendar: ShopCalendar, transit: Transit) -> dt.date | None:
    """The day of the carrier's collection: the same day up to and at the cut-off."""
    local = packed.astimezone(calendar.zone)
    for day in _days_from(local.date()):
        missed = day == local.date() and packed > _instant(day, transit.cut_off, calendar.zone)
        if not missed and calendar.works(day) and day.isoweekday() in transit.collection_days:
            return day
    return None


def arrives_on(handed_over: dt.date, transit: Transit) -> dt.date | None:
    """The `days`-th delivery day after the hand-over (the same day for 0, if the carrier delivers then)."""
    left = transit.days
    for day in _days_from(handed_over if left == 0 else handed_over + dt.timedelta(days=1)):
        if day.isoweekday() not in transit.delivery_days:
            continue
        left -= 1
        if left <= 0:
            return day
    return None


def latest_ready(arrive_on: dt.date, calendar: ShopCalendar, transit: Transit) -> dt.datetime | None:
    """The latest instant by which work must be made to arrive on that date; None if no day within the horizon does."""
    for day in _days_back(arrive_on):
        arrival = arrives_on(day, transit)
        if calendar.works(day) and day.isoweekday() in transit.collection_days and arrival and arrival <= arrive_on:
            return _latest_start(day, calendar, transit)
    return None


def _latest_start(collected_on: dt.date, calendar: ShopCalendar, transit: Transit) -> dt.datetime | None:
    """When packing must begin for that day's collection: on the day itself, or before if the cut-off is too early."""
    cut_off = _instant(collected_on, transit.cut_off, calendar.zone)
    for day in _days_back(collected_on):
        begins = min(cut_off, _instant(day, calendar.closes, calendar.zone)) - calendar.packing
        if calendar.works(day) and begins >= _instant(day, calendar.opens, calendar.zone):
            return begins
    return None


def _days_from(first: dt.date) -> Iterator[dt.date]:
    return (first + dt.timedelta(days=ahead) for ahead in range(HORIZON))


def _days_back(last: dt.date) -> Iterator[dt.date]:
    return (last - dt.timedelta(days=back) for back in range(HORIZON))


def _instant(day: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    """A local time of a day as an instant in UTC; in a gap or overlap of the clocks, the earlier reading."""
    return dt.datetime.combine(day, time, zone).astimezone(dt.UTC)
