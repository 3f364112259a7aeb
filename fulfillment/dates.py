"""Turns the calendars and services of the admin, and public holidays, into the values that `promise.py` reckons with.

It reads and never writes. Holidays are taken for the years around a given day: a frozen value has an end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from fulfillment import public_holidays
from fulfillment.models import Calendar, Service, TransitTime
from fulfillment.models.calendars import SpecialDay
from fulfillment.promise import Days, Promise, ShopCalendar, Transit, latest_hand_over, latest_ready, promise


def shop_zone() -> ZoneInfo:
    return ZoneInfo(settings.SPINDLE_ZONE)


def local_date(instant: dt.datetime) -> dt.date:
    return instant.astimezone(shop_zone()).date()


def wanted_share() -> float:
    """How sure a promise is."""
    return float(settings.SPINDLE_PROMISE_PERCENT / 100)


def calendar_row() -> Calendar | None:
    """The shop's calendar: the first row."""
    return Calendar.objects.prefetch_related("special_days").order_by("pk").first()


def shop_calendar(around: dt.date) -> ShopCalendar:
    """Without a row there is no working day, and so no promise."""
    return calendar_of(calendar_row() or Calendar(working_days=""), around)


def calendar_of(row: Calendar, around: dt.date) -> ShopCalendar:
    special = row.special_days.all() if row.pk else ()
    return ShopCalendar(
        zone=shop_zone(),
        days=_days_here(_weekdays(row.working_days), row.region, special, around),
        opens=row.opens,
        closes=row.closes,
        packing=dt.timedelta(minutes=row.packing_minutes),
    )


def services() -> QuerySet[Service]:
    """With all that their dates are reckoned from: how many queries that takes doesn't depend on how many there are."""
    rows = Service.objects.select_related("carrier")
    return rows.prefetch_related("pick_ups", "transit_times", "carrier__special_days")


def services_to(country: str) -> list[Service]:
    return [service for service in services().filter(active=True) if row_for(service, country)]


def row_for(service: Service, country: str) -> TransitTime | None:
    """The country's own row, or else the one for elsewhere; None if the service doesn't go there."""
    rows = {str(row.country): row for row in service.transit_times.all()}
    return rows.get(country) or rows.get("")


def transit(service: Service, country: str, around: dt.date, region: str = "") -> Transit | None:
    """How the service travels to that country (and region, as the address has it); None if it doesn't."""
    row = row_for(service, country)
    if row is None:
        return None
    cut_offs = {pick_up.weekday: pick_up.cut_off for pick_up in service.pick_ups.all()}
    carrier = service.carrier
    there = public_holidays.dates(country, public_holidays.region(country, region), around.year)
    return Transit(
        cut_offs=tuple(cut_offs.get(weekday) for weekday in range(1, 8)),
        collects=_days_here(public_holidays.EVERY_DAY, carrier.region, carrier.special_days.all(), around),
        delivers=Days(_weekdays(row.delivery_days) or public_holidays.weekdays(country), there),
        usual_days=row.usual_days,
        most_days=row.most_days,
        usual_share=row.usual_percent / 100,
        most_share=row.most_percent / 100,
    )


def price(service: Service, country: str) -> int:
    return service.price_minor if country == settings.SPINDLE_COUNTRY else service.price_minor_abroad


def promise_for(ready: dt.datetime, service: Service, country: str, region: str = "") -> Promise | None:
    """When work made at `ready` arrives by that service; None if it doesn't go there, or no day is open."""
    around = local_date(ready)
    way = transit(service, country, around, region)
    return promise(ready, shop_calendar(around), way, wanted_share()) if way else None


def due(arrive_on: dt.date, service: Service, country: str, region: str = "") -> dt.datetime | None:
    """The latest instant at which work must be made for that arrival."""
    way = transit(service, country, arrive_on, region)
    return latest_ready(arrive_on, shop_calendar(arrive_on), way, wanted_share()) if way else None


def hand_over_by(arrive_on: dt.date, service: Service, country: str, region: str = "") -> dt.date | None:
    """The last day on which it may leave for that arrival."""
    way = transit(service, country, arrive_on, region)
    return latest_hand_over(arrive_on, shop_calendar(arrive_on), way, wanted_share()) if way else None


def _days_here(weekdays: frozenset[int], region: str, special: Iterable[SpecialDay], around: dt.date) -> Days:
    """Days at the shop's end: without the public holidays of its country, but as the special days say."""
    special = list(special)
    closed = {day.date for day in special if not day.works}
    return Days(
        weekdays,
        closed=public_holidays.dates(settings.SPINDLE_COUNTRY, region, around.year) | closed,
        opened=frozenset(day.date for day in special if day.works),
    )


def _weekdays(digits: str) -> frozenset[int]:
    return frozenset(int(digit) for digit in digits)
