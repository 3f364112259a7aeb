"""The date a customer sees before paying. A quote never plans: it reads the newest PlanRun and adds its own work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from archive.models import Image
from devices import copiers
from fulfillment import dates, foreseeing, plan_runs
from fulfillment.foreseeing import Foreseen
from fulfillment.models import Service
from fulfillment.planning.model import JobView
from fulfillment.promise import ShopCalendar, promise_of

Made = tuple[Foreseen | None, int | None]  # when, and the run that says so


@dataclass(frozen=True, slots=True)
class Wanted:
    """Discs somebody thinks of ordering."""

    image: Image
    format: str
    copies: int


@dataclass(frozen=True, slots=True)
class Option:
    """A way to ship them: its price in minor units, and the date of arrival, or None while none can be promised.

    Half of all such orders are made by `ready_at`. Most parcels come between the `likely` dates.
    """

    service: Service
    price_minor: int
    ready_at: dt.datetime | None
    handed_over_on: dt.date | None
    arrives_on: dt.date | None
    likely: tuple[dt.date, dt.date] | None
    plan_run: int | None
    foreseen: Foreseen | None = None


def made_formats() -> set[str]:
    """Formats that the plant has a writer for; no other is to be sold."""
    return copiers.formats()


def options(wanted: Sequence[Wanted], country: str, now: dt.datetime, region: str = "") -> list[Option]:
    """Every service that goes to the country, cheapest first."""
    made = _ready(wanted, now)
    calendar = dates.shop_calendar(dates.local_date(now))
    return [_option(service, country, region, calendar, made, now) for service in dates.services_to(country)]


def option(wanted: Sequence[Wanted], service: Service, country: str, now: dt.datetime, region: str = "") -> Option:
    """One service. Its dates are None if it doesn't go there."""
    return _option(service, country, region, dates.shop_calendar(dates.local_date(now)), _ready(wanted, now), now)


def _option(
    service: Service, country: str, region: str, calendar: ShopCalendar, made: Made, now: dt.datetime
) -> Option:
    ready, plan_run = made
    transit = dates.transit(service, country, dates.local_date(now), region)
    promised = promise_of(ready.sample(), calendar, transit, dates.wanted_share()) if ready and transit else None
    return Option(
        service=service,
        price_minor=dates.price(service, country),
        ready_at=ready.ready(0.5) if ready else None,
        handed_over_on=promised.handed_over_on if promised else None,
        arrives_on=promised.arrives_on if promised else None,
        likely=promised.likely if promised else None,
        plan_run=plan_run if promised else None,
        foreseen=ready,
    )


def _ready(wanted: Sequence[Wanted], now: dt.datetime) -> Made:
    """When all of it would be made, and the run that says so."""
    run = plan_runs.newest(now) if wanted else None
    if run is None:
        return None, None
    views = [view(number, want, now) for number, want in enumerate(wanted)]
    return foreseeing.foresee(run, views, now), run.pk


def view(number: int, wanted: Wanted, now: dt.datetime) -> JobView:
    """Wanted discs as planning sees them: a job that has just come in."""
    image = wanted.image
    return JobView(
        id=str(number),
        image=image.sha256 or f"recipe:{image.recipe}",
        bytes=image.size or 0,
        format=wanted.format,
        copies=wanted.copies,
        received_at=now.timestamp(),
        sequence=number,
        image_ready_at=0.0 if image.sha256 else None,
    )
