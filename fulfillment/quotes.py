"""The date a customer sees before paying. A quote never plans: it reads the newest PlanRun and adds its own work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from archive.models import Image
from devices import copiers
from fulfillment import dates, foreseeing, learning, plan_runs
from fulfillment.foreseeing import Foreseen, Outlook
from fulfillment.models import Service
from fulfillment.planning.cost import disc_seconds
from fulfillment.planning.model import JobView, Rates
from fulfillment.promise import ShopCalendar, latest_ready, promise_of


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
    asked = _Asked.of(wanted, now)
    calendar = dates.shop_calendar(dates.local_date(now))
    return [_option(service, country, region, calendar, asked) for service in dates.services_to(country)]


def option(wanted: Sequence[Wanted], service: Service, country: str, now: dt.datetime, region: str = "") -> Option:
    """One service. Its dates are None if it doesn't go there."""
    return _option(service, country, region, dates.shop_calendar(dates.local_date(now)), _Asked.of(wanted, now))


def _option(service: Service, country: str, region: str, calendar: ShopCalendar, asked: _Asked) -> Option:
    ready = asked.behind_all
    transit = dates.transit(service, country, dates.local_date(asked.now), region)
    promised = promise_of(ready.sample(), calendar, transit, dates.wanted_share()) if ready and transit else None
    if promised and transit and asked.may_overtake:
        # What is promised makes it due, and that says where it stands. A place further ahead only brings it forward.
        due = latest_ready(promised.arrives_on, calendar, transit, dates.wanted_share())
        ready = asked.due(due)
        promised = promise_of(ready.sample(), calendar, transit, dates.wanted_share()) if ready else None
    return Option(
        service=service,
        price_minor=dates.price(service, country),
        ready_at=ready.ready(0.5) if ready else None,
        handed_over_on=promised.handed_over_on if promised else None,
        arrives_on=promised.arrives_on if promised else None,
        likely=promised.likely if promised else None,
        plan_run=asked.plan_run if promised else None,
        foreseen=ready,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is wanted, and the run that says when it would be made, if there is one."""

    views: Sequence[JobView]
    now: dt.datetime
    behind_all: Foreseen | None = None
    outlook: Outlook | None = None
    plan_run: int | None = None

    @classmethod
    def of(cls, wanted: Sequence[Wanted], now: dt.datetime) -> _Asked:
        run = plan_runs.newest(now) if wanted else None
        if run is None:
            return cls((), now)
        outlook = foreseeing.outlook(run, now)
        rates = learning.typical_rates() if outlook.policy else None
        views = [view(number, want, now, rates) for number, want in enumerate(wanted)]
        return cls(views, now, replace(outlook, policy=None).foresee(views, now), outlook, run.pk)

    @property
    def may_overtake(self) -> bool:
        return self.outlook is not None and self.outlook.policy is not None

    def due(self, due: dt.datetime | None) -> Foreseen | None:
        """When it would be made if it were due then."""
        if self.outlook is None:
            return None
        at = due.timestamp() if due else None
        return self.outlook.foresee([replace(view, due=at) for view in self.views], self.now)


def view(number: int, wanted: Wanted, now: dt.datetime, rates: Rates | None = None) -> JobView:
    """Wanted discs as planning sees them: a job that has just come in. rates: those its work is reckoned by."""
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
        work=wanted.copies * disc_seconds(rates, image.size or 0, wanted.format) if rates else 0.0,
    )
