"""Why no date can be promised, in words for those who can mend it. It reads, and decides nothing."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django_countries import countries

from fulfillment import dates
from fulfillment.models import Calendar, Service
from fulfillment.promise import HORIZON, packed_at, promise


def shop(now: dt.datetime) -> str:
    """What keeps the shop from packing; empty if nothing does."""
    row = dates.calendar_row()
    if row is None:
        return "the shop has no calendar. Add one."
    return calendar(row, now)


def calendar(row: Calendar, now: dt.datetime) -> str:
    if not row.working_days:
        return "the shop works on no weekday. Tick at least one."
    if packed_at(now, dates.calendar_of(row, dates.local_date(now))) is None:
        return (
            f"nothing is packed within {HORIZON} days from now. Look at the special days, the opening hours and how "
            "long packing takes."
        )
    return ""


def service(row: Service) -> str:
    """What the service itself lacks; empty if nothing."""
    if not row.pick_ups.all():
        return "it is collected on no weekday. Enter a cut-off for at least one."
    times = row.transit_times.all()
    if not times:
        home = countries.name(settings.SPINDLE_COUNTRY)
        return f"it has no transit time, so it goes nowhere. Add one for {home} or for elsewhere."
    wanted = settings.SPINDLE_PROMISE_PERCENT
    if unsure := [str(each) for each in times if each.most_percent < wanted]:
        return (
            f"fewer than {wanted} of 100 parcels arrive within the most days ({', '.join(unsure)}). "
            f"Enter the days within which {wanted} do."
        )
    return ""


def example(row: Service, now: dt.datetime) -> str:
    """What would be promised for discs made now, to the shop's own country or else the first that it goes to."""
    home, goes_to = settings.SPINDLE_COUNTRY, [str(each.country) for each in row.transit_times.all()]
    country = home if dates.row_for(row, home) else next(iter(goes_to), "")
    today = dates.local_date(now)
    way = dates.transit(row, country, today)
    promised = promise(now, dates.shop_calendar(today), way, dates.wanted_share()) if way else None
    if promised is None:
        return f"No date can be promised: no day within {HORIZON} days has a collection and a delivery after it."
    leaves, arrives = _spoken(promised.handed_over_on), _spoken(promised.arrives_on)
    return f"Made now, it is handed over on {leaves} and arrives in {countries.name(country)} by {arrives}."


def _spoken(day: dt.date) -> str:
    return f"{day:%A} {day.day} {day:%B}"
