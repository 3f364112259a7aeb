"""Whether a date the customer wants can be made, and what would make it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fulfillment.quotes import Option


def problem(wanted_on: dt.date | None, chosen: Option, offered: Sequence[Option]) -> str | None:
    """What is wrong with wanting it by then, with the remedy; None if it holds or nobody can say yet."""
    if wanted_on is None or chosen.arrives_on is None or chosen.arrives_on <= wanted_on:
        return None
    faster = [option for option in offered if option.arrives_on and option.arrives_on <= wanted_on]
    if faster:
        cheapest = min(faster, key=lambda option: option.price_minor)
        return (
            f"{chosen.service.name} arrives {spoken(chosen.arrives_on)}. "
            f"Choose {cheapest.service.name}: it arrives {spoken(cheapest.arrives_on)}."
        )
    soonest = min(option.arrives_on for option in offered if option.arrives_on)
    return f"We can't make this date: the earliest is {spoken(soonest)}. Enter that or later, or leave this empty."


def spoken(date: dt.date | None) -> str:
    """«Thursday 26 November»."""
    return f"{date:%A} {date.day} {date:%B}" if date else ""
