"""The strip on top: how many orders are how, what was done today, and which blanks run out next. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import models
from django.db.models import Q

from devices.models import Disc
from devices.states import DiscState
from devices.wording import format_name
from fulfillment import dates
from fulfillment.board.orders import Order, Standing
from fulfillment.fleet.board import Count
from fulfillment.fleet.words import moment
from fulfillment.models import Shipment
from fulfillment.planning.model import Projection

HOUR: Final = dt.timedelta(hours=1)
SHORT: Final = 3  # kinds of blanks that are named


@dataclass(frozen=True, slots=True)
class Strip:
    counts: tuple[Count, ...]
    blanks: tuple[str, ...]  # «DVD blanks in Writer 2 run out at 14:20.»


def strip(
    orders: Sequence[Order], projection: Projection | None, writers: Mapping[str, str], now: dt.datetime
) -> Strip:
    late = sum(order.standing == Standing.LATE for order in orders)
    risk = sum(order.standing == Standing.RISK for order in orders)
    shipped, on_time = _shipped_today(now)
    counts = (
        Count("open orders", len(orders), None, ""),
        Count("late", late, None, "bad" if late else ""),
        Count("at risk", risk, None, "watch" if risk else ""),
        Count("shipped on time today", on_time, shipped, ""),
        Count("discs in the last hour", _discs(now), None, ""),
    )
    return Strip(counts, _blanks(projection, writers, now) if projection else ())


def _shipped_today(now: dt.datetime) -> tuple[int, int]:
    today = dates.local_date(now)
    begins = dt.datetime.combine(today, dt.time(), dates.shop_zone())
    held = Q(hand_over_by=None) | Q(hand_over_by__gte=today)
    found = Shipment.objects.filter(state=Shipment.State.SHIPPED, shipped_at__gte=begins)
    sums = found.aggregate(all=models.Count("pk"), on_time=models.Count("pk", filter=held))
    return sums["all"], sums["on_time"]


def _discs(now: dt.datetime) -> int:
    return Disc.objects.filter(state=DiscState.GOOD, final_at__gt=now - HOUR).count()


def _blanks(projection: Projection, writers: Mapping[str, str], now: dt.datetime) -> tuple[str, ...]:
    ends = sorted(
        (at, writers[writer], format_)
        for writer, until in projection.blanks_until.items()
        for format_, at in until.items()
        if writer in writers
    )
    return tuple(
        f"{format_name(format_)} blanks in {writer} run out at {moment(dt.datetime.fromtimestamp(at, dt.UTC), now)}."
        if at > now.timestamp()
        else f"{format_name(format_)} blanks in {writer} have run out."
        for at, writer, format_ in ends[:SHORT]
    )
