"""Turns the calendars and services of the admin into the values that `promise.py` reckons with."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.conf import settings

from fulfillment.models import Calendar, Service
from fulfillment.promise import Promise, ShopCalendar, Transit, latest_ready, promise


def shop_zone() -> ZoneInfo:
    return ZoneInfo(settings.SPINDLE_ZONE)


def local_date(instant: dt.datetime) -> dt.date:
    return instant.astimezone(shop_zone()).date()


def shop_calendar() -> ShopCalendar:
    """The shop's calendar: the first row. Without one there is no working day, and so no promise."""
    row = Calendar.objects.prefetch_related("closing_days").order_by("pk").first() or Calendar(working_days="")
    return ShopCalendar(
        zone=shop_zone(),
        working_days=_weekdays(row.working_days),
        opens=row.opens,
        closes=row.closes,
        packing=dt.timedelta(minutes=row.packing_minutes),
        closed_on=frozenset(closing.date for closing in row.closing_days.all()) if row.pk else frozenset(),
    )


def transit(service: Service, country: str) -> Transit | None:
    """How the service travels to that country; None if it doesn't."""
    days = service.transit_days if country == settings.SPINDLE_COUNTRY else service.transit_days_abroad
    if days is None:
        return None
    return Transit(
        cut_off=service.cut_off,
        collection_days=_weekdays(service.collection_days),
        delivery_days=_weekdays(service.delivery_days),
        days=days,
    )


def price(service: Service, country: str) -> int:
    return service.price_minor if country == settings.SPINDLE_COUNTRY else service.price_minor_abroad


def services_to(country: str) -> list[Service]:
    services = Service.objects.filter(active=True).select_related("carrier")
    return [service for service in services if transit(service, country)]


def promise_for(ready: dt.datetime, service: Service, country: str) -> Promise | None:
    """When work made at `ready` arrives by that service; None if it doesn't go there, or no day is open."""
    way = transit(service, country)
    return promise(ready, shop_calendar(), way) if way else None


def due(arrive_on: dt.date, service: Service, country: str) -> dt.datetime | None:
    """The latest instant at which work must be made for that arrival."""
    way = transit(service, country)
    return latest_ready(arrive_on, shop_calendar(), way) if way else None


def _weekdays(digits: str) -> frozenset[int]:
    return frozenset(int(digit) for digit in digits)
