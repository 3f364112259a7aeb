"""Reads how promises turned out, and whether the last week left its band. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Q

from devices.models import Disc
from devices.states import DiscState
from fulfillment import dates
from fulfillment.models import Shipment, ShipmentForecast
from fulfillment.planning.belief import LEVELS
from fulfillment.scores import Outcome, Scores, Share, score

WEEK: Final = dt.timedelta(days=7)
WATCHED: Final = LEVELS[1:]  # what promises rest on; a median that is off makes no parcel late
COLUMNS: Final = (
    "ready_p50", "ready_p90", "ready_p97", "at", "load", "place", "risk", "shipment__ready_at",
    "shipment__hand_over_by", "shipment__shipped_at", "shipment__promised_on", "shipment__delivered_on",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    date: dt.date
    good_discs: int
    scores: Scores


def scores(since: dt.datetime, until: dt.datetime) -> Scores:
    """Of the shipments that were made in this time, and of those promised in it that should have left and are not."""
    today = dates.local_date(until)
    made = Q(shipment__ready_at__gte=since, shipment__ready_at__lt=until)
    overdue = Q(shipment__ready_at=None, shipment__hand_over_by__lt=today, at__gte=since)
    rows = ShipmentForecast.objects.filter(made | overdue).exclude(shipment__state=Shipment.State.CANCELLED)
    return score(_outcome(today, *row) for row in rows.values_list(*COLUMNS).iterator(chunk_size=2000))


def by_day(since: dt.datetime, until: dt.datetime) -> list[Day]:
    """Each local day of this time, the oldest first: what was made and handed over on it, and how that was foreseen."""
    good: Counter[dt.date] = Counter()
    for at in _good_discs(since, until):
        good[dates.local_date(at)] += 1
    outcomes: dict[dt.date, list[Outcome]] = defaultdict(list)
    today = dates.local_date(until)
    made = ShipmentForecast.objects.filter(shipment__ready_at__gte=since, shipment__ready_at__lt=until)
    for row in made.exclude(shipment__state=Shipment.State.CANCELLED).values_list(*COLUMNS).iterator(chunk_size=2000):
        outcomes[dates.local_date(row[COLUMNS.index("shipment__ready_at")])].append(_outcome(today, *row))
    first = dates.local_date(since)
    days = [first + dt.timedelta(days=number) for number in range((today - first).days + 1)]
    return [Day(day, good[day], score(outcomes[day])) for day in days]


def discs_by_hour(since: dt.datetime, until: dt.datetime) -> list[tuple[dt.datetime, int]]:
    """Good discs of each whole hour, the oldest first."""
    counts = Counter(at.replace(minute=0, second=0, microsecond=0) for at in _good_discs(since, until))
    hour = since.replace(minute=0, second=0, microsecond=0)
    hours = []
    while hour < until:
        hours.append((hour, counts[hour]))
        hour += dt.timedelta(hours=1)
    return hours


def _good_discs(since: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    rows = Disc.objects.filter(state=DiscState.GOOD, final_at__gte=since, final_at__lt=until)
    for at in rows.values_list("final_at", flat=True).iterator(chunk_size=5000):
        if at is not None:
            yield at


def last_week(now: dt.datetime) -> tuple[Share, ...]:
    """For each of WATCHED: how many of the shipments of the last seven days were made by the instant said."""
    rows = ShipmentForecast.objects.filter(shipment__ready_at__gte=now - WEEK, place__isnull=False)
    in_time = {f"in_{name}": Count("pk", filter=Q(shipment__ready_at__lte=F(name))) for name in COLUMNS[1:3]}
    found = rows.aggregate(of=Count("pk"), **in_time)
    return tuple(Share(found[name], found["of"]) for name in in_time)


def is_too_sure(now: dt.datetime) -> bool:
    """Whether fewer were made in time last week than any bad luck explains: then forecasts are to be wider."""
    return any(share.is_below(level) for share, level in zip(last_week(now), WATCHED, strict=True))


def _outcome(
    today: dt.date,
    p50: dt.datetime,
    p90: dt.datetime,
    p97: dt.datetime,
    at: dt.datetime,
    load: float,
    place: float | None,
    risk: float | None,
    made_at: dt.datetime | None,
    hand_over_by: dt.date | None,
    shipped_at: dt.datetime | None,
    promised_on: dt.date | None,
    delivered_on: dt.date | None,
) -> Outcome:
    left_on = dates.local_date(shipped_at) if shipped_at else None
    if left_on is None and hand_over_by and hand_over_by < today:
        left_on = today  # at the earliest: what is still here is late already
    return Outcome(
        ready=(p50, p90, p97),
        said_at=at,
        load=load,
        made_at=made_at if place is not None else None,
        risk=risk,
        hand_over_by=hand_over_by,
        handed_over_on=left_on,
        promised_on=promised_on,
        delivered_on=delivered_on,
    )
