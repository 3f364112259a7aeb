"""Reads how promises turned out, and whether the last week left its band. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, F, Q
from django.db.models.functions import TruncDate, TruncHour
from django.db.models.functions.datetime import TruncBase

from devices.models import Disc
from devices.states import DiscState
from fulfillment import dates
from fulfillment.models import Shipment, ShipmentForecast
from fulfillment.planning.belief import LEVELS
from fulfillment.scores import Outcome, Scores, Share, score

WEEK: Final = dt.timedelta(days=7)
WATCHED: Final = LEVELS[1:]  # what promises rest on; a median that is off makes no parcel late
COLUMNS: Final = (
    "ready_p50", "ready_p90", "ready_p97", "load", "place", "risk", "shipment__ready_at",
    "shipment__hand_over_by", "shipment__shipped_at", "shipment__promised_on", "shipment__delivered_on",
)  # fmt: skip


Dated = tuple[dt.date | None, Outcome]  # with the local day on which it was made, if it is


@dataclass(frozen=True, slots=True)
class Day:
    date: dt.date
    good_discs: int
    scores: Scores


def scores(since: dt.datetime, until: dt.datetime) -> Scores:
    return score(outcome for _, outcome in read(since, until))


def read(since: dt.datetime, until: dt.datetime) -> list[Dated]:
    """Of the shipments that were made in this time, and of those promised in it that should have left and are not."""
    today = dates.local_date(until)
    made = Q(shipment__ready_at__gte=since, shipment__ready_at__lt=until)
    overdue = Q(shipment__ready_at=None, shipment__hand_over_by__lt=today, at__gte=since)
    rows = ShipmentForecast.objects.filter(made | overdue).exclude(shipment__state=Shipment.State.CANCELLED)
    return [_dated(today, *row) for row in rows.values_list(*COLUMNS).iterator(chunk_size=2000)]


def by_day(outcomes: Iterable[Dated], since: dt.datetime, until: dt.datetime) -> list[Day]:
    """Each local day of this time, the oldest first: what was made on it, and how that was foreseen."""
    of_day: dict[dt.date | None, list[Outcome]] = defaultdict(list)
    for day, outcome in outcomes:
        of_day[day].append(outcome)
    good = dict(_good_discs(since, until, TruncDate("final_at", tzinfo=dates.shop_zone())))
    first = dates.local_date(since)
    days = [first + dt.timedelta(days=number) for number in range((dates.local_date(until) - first).days + 1)]
    return [Day(day, good.get(day, 0), score(of_day[day])) for day in days]


def discs_by_hour(since: dt.datetime, until: dt.datetime) -> list[tuple[dt.datetime, int]]:
    """Good discs of each whole hour, the oldest first."""
    good = dict(_good_discs(since, until, TruncHour("final_at", tzinfo=dt.UTC)))
    hour, hours = since.replace(minute=0, second=0, microsecond=0), []
    while hour < until:
        hours.append((hour, good.get(hour, 0)))
        hour += dt.timedelta(hours=1)
    return hours


def _good_discs(since: dt.datetime, until: dt.datetime, part: TruncBase) -> Iterable[tuple[Any, int]]:
    """How many in each part of this time."""
    rows = Disc.objects.filter(state=DiscState.GOOD, final_at__gte=since, final_at__lt=until)
    return rows.annotate(part=part).values_list("part").annotate(discs=Count("pk")).order_by()


def last_week(now: dt.datetime) -> tuple[Share, ...]:
    """For each of WATCHED: how many of the shipments of the last seven days were made by the instant said."""
    rows = ShipmentForecast.objects.filter(shipment__ready_at__gte=now - WEEK, place__isnull=False)
    in_time = {f"in_{name}": Count("pk", filter=Q(shipment__ready_at__lte=F(name))) for name in COLUMNS[1:3]}
    found = rows.aggregate(of=Count("pk"), **in_time)
    return tuple(Share(found[name], found["of"]) for name in in_time)


def is_too_sure(now: dt.datetime) -> bool:
    """Whether fewer were made in time last week than any bad luck explains: then forecasts are to be wider."""
    return any(share.is_below(level) for share, level in zip(last_week(now), WATCHED, strict=True))


def _dated(
    today: dt.date,
    p50: dt.datetime,
    p90: dt.datetime,
    p97: dt.datetime,
    load: float,
    place: float | None,
    risk: float | None,
    made_at: dt.datetime | None,
    hand_over_by: dt.date | None,
    shipped_at: dt.datetime | None,
    promised_on: dt.date | None,
    delivered_on: dt.date | None,
) -> Dated:
    left_on = dates.local_date(shipped_at) if shipped_at else None
    if left_on is None and hand_over_by and hand_over_by < today:
        left_on = today  # at the earliest: what is still here is late already
    outcome = Outcome(
        ready=(p50, p90, p97),
        load=load,
        made_at=made_at if place is not None else None,
        risk=risk,
        hand_over_by=hand_over_by,
        handed_over_on=left_on,
        promised_on=promised_on,
        delivered_on=delivered_on,
    )
    return (dates.local_date(made_at) if made_at else None), outcome
