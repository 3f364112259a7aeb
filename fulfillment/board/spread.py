"""A bar from when work is made in half of all cases to when in nearly all, against its due. Pure geometry."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 120.0
LEAST: Final = 3.0  # so wide at least, to be seen
MARGIN: Final = 0.06  # of the span, beside what is shown


@dataclass(frozen=True, slots=True)
class Spread:
    """In units of WIDTH. `due` is None where none is known; the mark of nine in ten cases lies between the ends."""

    start: float
    width: float
    nine: float
    due: float | None
    tone: str
    half_at: dt.datetime
    nine_at: dt.datetime
    nearly_all_at: dt.datetime


def spread(
    levels: tuple[dt.datetime, dt.datetime, dt.datetime], due: dt.datetime | None, now: dt.datetime, tone: str
) -> Spread:
    half, nine, nearly_all = levels
    first = min(now, half, due or half)
    last = max(nearly_all, due or nearly_all)
    whole = max((last - first).total_seconds(), 1.0)

    def at(instant: dt.datetime) -> float:
        share = (instant - first).total_seconds() / whole
        return round(WIDTH * (MARGIN + (1 - 2 * MARGIN) * share), 1)

    start = at(half)
    width = round(max(at(nearly_all) - start, LEAST), 1)
    return Spread(start, width, at(nine), at(due) if due else None, tone, half, nine, nearly_all)
