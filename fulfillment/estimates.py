"""Keeps each open shipment's estimated arrival in step with the newest roll-forward, and says why it moved.

The promise itself never moves. An estimate moves back only when it hardly holds any more, so that it doesn't go to and
fro with every disc; its customer then hears of it while there is time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import F, Prefetch

from devices import trouble
from fulfillment import dates, reasons
from fulfillment.foreseeing import Foreseen
from fulfillment.models import Job, Shipment, ShipmentEvent, ShipmentForecast
from fulfillment.planning.belief import Belief, kind_of
from fulfillment.planning.model import Projection
from fulfillment.promise import Promise, ShopCalendar, Transit, arrives_on, handed_over_on, promise_of

ACTOR: Final = "tick"
HOLDS: Final = 0.9  # of all cases: while a date holds in so many, it stays


@dataclass(frozen=True, slots=True)
class _Made:
    """When a shipment will be made, as far as anybody can say: `foreseen`, else not before `at`."""

    shipment: Shipment
    jobs: Sequence[Job]
    at: dt.datetime
    foreseen: Foreseen | None = None

    @property
    def is_known(self) -> bool:
        return self.foreseen is not None or self.shipment.state == Shipment.State.READY

    def sample(self) -> list[dt.datetime]:
        return self.foreseen.sample() if self.foreseen else [self.at]

    def made_by(self, instant: dt.datetime) -> float:
        return self.foreseen.made_by(instant) if self.foreseen else float(self.at <= instant)


def refresh(projection: Projection, belief: Belief, now: dt.datetime) -> None:
    today = dates.local_date(now)
    calendar = dates.shop_calendar(today)
    made = {each.shipment: each for each in _open(projection, belief, now)}
    _note_risks(made, now)

    def follow(shipment: Shipment) -> None:
        transit = dates.transit(shipment.service, str(shipment.country), today, shipment.region)
        if transit and (date := _estimate(made[shipment], calendar, transit)) != shipment.estimated_on:
            _move(made[shipment], date, projection, now)

    trouble.each("fulfillment.estimate", made, follow, now)


def settled(old: dt.date | None, found: Promise) -> dt.date:
    """The date to show: a sooner one when it holds as a promise does, a later one when the old one is in doubt."""
    if old is not None and old < found.arrives_on and found.share_by(old) >= HOLDS:
        return old
    return found.arrives_on


def arrival_if_handed_over(shipment: Shipment, now: dt.datetime) -> dt.date | None:
    """When a packed parcel arrives: it only waits for the carrier."""
    today = dates.local_date(now)
    way = dates.transit(shipment.service, str(shipment.country), today, shipment.region)
    day = handed_over_on(now, dates.shop_calendar(today), way) if way else None
    return arrives_on(day, way, dates.wanted_share()) if way and day else None


def _estimate(made: _Made, calendar: ShopCalendar, transit: Transit) -> dt.date | None:
    old = made.shipment.estimated_on
    found = promise_of(made.sample(), calendar, transit, dates.wanted_share())
    if found is None:
        return old
    date = settled(old, found)
    # Of what can't be planned, only that it is not there sooner is known.
    return date if made.is_known or old is None or date > old else old


def _open(projection: Projection, belief: Belief, now: dt.datetime) -> list[_Made]:
    """Open shipments. What is made but not packed can't have left yet, however long ago it was made."""
    shipments = Shipment.objects.prefetch_related(Prefetch("service", dates.services()))
    made = [_Made(shipment, (), now) for shipment in shipments.filter(state=Shipment.State.READY)]
    for shipment in shipments.filter(state=Shipment.State.PREPARING).prefetch_related("jobs"):
        jobs = [job for job in shipment.jobs.all() if job.state != Job.State.CANCELLED]
        if jobs:
            made.append(_Made(shipment, jobs, now, foreseen(jobs, projection, belief)))
    return made


def due(jobs: Sequence[Job]) -> dt.datetime | None:
    """A parcel leaves whole: the earliest of its jobs counts."""
    return min((job.due for job in jobs if job.due), default=None)


def foreseen(jobs: Sequence[Job], projection: Projection, belief: Belief) -> Foreseen | None:
    """A shipment is made with the last of its jobs; nothing is foreseen if one of them can't be planned."""
    still = [job for job in jobs if job.state != Job.State.MADE]
    if not still or any(str(job.pk) not in projection.forecasts for job in still):
        return None
    last = max(still, key=lambda job: projection.finishes[str(job.pk)])
    forecast = projection.forecasts[str(last.pk)]
    return Foreseen(forecast, kind_of(last.format, sum(job.copies for job in jobs), forecast), belief)


def _note_risks(made: Mapping[Shipment, _Made], now: dt.datetime) -> None:
    """The chance of missing the hand-over when half of the time to it is over: what the warnings are scored by."""
    unnoted = ShipmentForecast.objects.filter(scored_at=None, risk=None, shipment__in=list(made))
    for row in unnoted.select_related("shipment"):
        each = made[row.shipment]
        by = due(each.jobs)
        if by and each.is_known and now >= row.at + (by - row.at) / 2:
            ShipmentForecast.objects.filter(pk=row.pk, risk=None).update(risk=1 - each.made_by(by))


def _move(made: _Made, date: dt.date | None, projection: Projection, now: dt.datetime) -> None:
    shipment, old = made.shipment, made.shipment.estimated_on
    why = _why(made, later=bool(date and old and date > old), projection=projection)
    with transaction.atomic():
        moved = Shipment.objects.filter(pk=shipment.pk, state=shipment.state, estimated_on=old).update(
            estimated_on=date, estimate_reason=why if old else "", revision=F("revision") + 1
        )
        if moved:
            text = f"estimated arrival {date:%Y-%m-%d}" + (f", was {old:%Y-%m-%d}. {why}" if old else "")
            ShipmentEvent.objects.create(
                shipment=shipment, at=now, actor=ACTOR, old=shipment.state, new=shipment.state, text=text
            )


def _why(made: _Made, *, later: bool, projection: Projection) -> str:
    """In words for its customer. What is nearest to its own discs is said before what all work has in common."""
    if not later:
        return "The work goes on more quickly than we expected."
    if made.shipment.state == Shipment.State.READY:
        return "All discs are made; the parcel was not handed over in time."
    for job in made.jobs:
        if job.state == Job.State.HELD:
            return reasons.for_customer(job.reason)
    for job in made.jobs:
        wait = projection.waits.get(str(job.pk))
        if wait and str(job.pk) not in projection.finishes:
            return reasons.for_customer(wait)
    if any(job.lost for job in made.jobs):
        return "Discs of it failed their check and are made again."
    return "The work before it takes longer than we expected."
