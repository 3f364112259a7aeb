"""Everything the board's page shows, put together. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from fulfillment import dates
from fulfillment.board import drives, reading
from fulfillment.board.board import Asked, Board, asked, board
from fulfillment.board.strip import Strip, strip
from fulfillment.board.timeline import Timeline, timeline


@dataclass(frozen=True, slots=True)
class Page:
    want: Asked
    board: Board
    strip: Strip
    timeline: Timeline
    has_plan: bool
    today: dt.date


def page(address: Mapping[str, str], now: dt.datetime) -> Page:
    want, today = asked(address), dates.local_date(now)
    plan, jobs, there = reading.planned(now), reading.jobs_by_shipment(), drives.copiers()
    names = drives.writers(there)
    orders = reading.open_orders(jobs, plan, names, now)
    by_job = {str(job.pk): job.order for each in jobs.values() for job in each}
    return Page(
        want=want,
        board=board(orders, want, today, reading.with_disc(want.q) if want.q else ()),
        strip=strip(orders, plan.projection if plan else None, names, now),
        timeline=timeline(drives.named(there), drives.pieces(there, plan, by_job, now), now),
        has_plan=plan is not None,
        today=today,
    )
