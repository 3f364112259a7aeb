"""How the board says spans of time and numbers of things. Pure: it knows no clock."""

from __future__ import annotations

import datetime as dt
from typing import Final

HOUR: Final = dt.timedelta(hours=1)
DAY: Final = dt.timedelta(days=1)
IN_HOURS: Final = 2 * DAY  # up to here a span is said in hours


def span(length: dt.timedelta) -> str:
    """«20 minutes», «3 hours», «4 days»: one unit, rounded down."""
    length = abs(length)
    if length < dt.timedelta(minutes=1):
        return "less than a minute"
    if length < HOUR:
        return plural(int(length / dt.timedelta(minutes=1)), "minute")
    return plural(int(length / HOUR), "hour") if length < IN_HOURS else plural(length.days, "day")


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def slack(length: dt.timedelta | None) -> str:
    """What is left between being made, in nine of ten cases, and having to be."""
    if length is None:
        return ""
    return f"{span(length)} {'to spare' if length >= dt.timedelta(0) else 'short'}"


def percent(share: float) -> str:
    """Never quite none and never quite all: a forecast knows neither."""
    return f"{min(max(round(100 * share), 1), 99)} %"
