"""Whether a date the customer wants can be made, and what would make it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from fulfillment.quotes import Option


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a date can be made, said at once: a word with its tone, and the sentence."""

    tone: str
    word: str
    text: str


def verdict(wanted_on: dt.date | None, offered: Sequence[Option]) -> Verdict | None:
    """None where no date is wanted, or nobody can say yet."""
    dated = [option for option in offered if option.arrives_on]
    if wanted_on is None or not dated:
        return None
    holding = [option for option in dated if option.arrives_on and option.arrives_on <= wanted_on]
    if len(holding) == len(offered):
        return Verdict("fine", "holds", f"{spoken(wanted_on)} can be made.")
    if holding:
        cheapest = min(holding, key=lambda option: option.price_minor)
        return Verdict("watch", f"holds with {cheapest.service.name}", f"{spoken(wanted_on)} can be made.")
    soonest = min(option.arrives_on for option in dated if option.arrives_on)
    return Verdict("bad", f"not before {spoken(soonest)}", f"{spoken(wanted_on)} can't be made.")


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
