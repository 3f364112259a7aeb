"""An open order as the board shows it: how it stands with its promise, and why it waits. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from fulfillment.board import words
from fulfillment.board.spread import Spread, spread
from fulfillment.foreseeing import Foreseen

LIKELY: Final = 0.5  # a greater chance of missing its due: it is late
NOTED: Final = 0.2  # … it is at risk
NO_TIME: Final = dt.timedelta(0)


class Standing(StrEnum):
    """How an order stands with its promise."""

    LATE = "late"
    RISK = "risk"
    ON_TIME = "on time"
    NO_DATE = "no date"
    NOT_KNOWN = "not known"  # there is no fresh plan to say it
    FREE = "no promise"


TONES: Final = {
    Standing.LATE: "bad", Standing.RISK: "watch", Standing.NO_DATE: "watch", Standing.ON_TIME: "fine",
}  # fmt: skip
WORDS: Final = {
    Standing.LATE: "Late", Standing.RISK: "At risk", Standing.ON_TIME: "On time", Standing.NO_DATE: "No date",
    Standing.NOT_KNOWN: "Not known", Standing.FREE: "No promise",
}  # fmt: skip
URGENCY: Final = {Standing.LATE: 0, Standing.RISK: 1}


@dataclass(frozen=True, slots=True)
class Outlook:
    """How it stands, with the chance of missing its due where one is foreseen, and the time left."""

    standing: Standing
    missing: float | None = None
    slack: dt.timedelta | None = None
    by_day: bool = False  # its reason names the day already

    @property
    def tone(self) -> str:
        return TONES.get(self.standing, "")

    @property
    def word(self) -> str:
        return WORDS[self.standing]

    @property
    def detail(self) -> str:
        """«30 % to miss it · 3 hours short»: the numbers behind the word."""
        chance = "" if self.missing is None else f"{words.percent(self.missing)} to miss it"
        left = "" if self.by_day else words.slack(self.slack)
        return " · ".join(filter(None, (chance, left)))


@dataclass(frozen=True, slots=True)
class Order:
    """`work`: waiting, writing, held, ready or packed. `place`: of its first job among those that wait."""

    pk: UUID
    reference: str
    name: str
    town: str
    country: str
    titles: tuple[str, ...]
    formats: tuple[str, ...]
    made: int
    copies: int
    promised_on: dt.date | None
    estimated_on: dt.date | None
    hand_over_by: dt.date | None
    due: dt.datetime | None
    outlook: Outlook
    work: str
    reason: str
    place: int | None
    writers: tuple[str, ...]
    foreseen: Foreseen | None
    now: dt.datetime

    @property
    def standing(self) -> Standing:
        return self.outlook.standing

    @property
    def spread(self) -> Spread | None:
        """Drawn of the rows that are shown alone: the board knows many more."""
        if self.foreseen is None:
            return None
        half, nine, nearly_all = self.foreseen.levels()
        return spread((half, nine, nearly_all), self.due, self.now, self.outlook.tone)

    @property
    def titles_words(self) -> str:
        shown, more = self.titles[:2], len(self.titles) - 2
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

    @property
    def writers_words(self) -> str:
        shown, more = self.writers[:2], len(self.writers) - 2
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

    @property
    def can_change(self) -> bool:
        """Whether it has discs to be made still, so that asking «what if» has a point."""
        return self.work in {"waiting", "writing"}


def of_made(hand_over_by: dt.date | None, today: dt.date) -> Outlook:
    """Of an order whose discs are made: it is late once it should have left."""
    if hand_over_by is None:
        return Outlook(Standing.FREE)
    left = dt.timedelta(days=(hand_over_by - today).days)
    return Outlook(Standing.LATE if left < NO_TIME else Standing.ON_TIME, slack=left, by_day=True)


def of_due(
    due: dt.datetime | None,
    made_by_due: float | None,
    nearly_surely_made_at: dt.datetime | None,
    now: dt.datetime,
    *,
    planned: bool,
) -> Outlook:
    """Of an order with discs to make. planned: there is a fresh plan, so what it does not foresee has no date."""
    if due is not None and now > due:
        return Outlook(Standing.LATE, slack=due - max(nearly_surely_made_at or now, now))
    if made_by_due is None or nearly_surely_made_at is None:
        return Outlook(Standing.NO_DATE if planned else Standing.NOT_KNOWN)
    if due is None:
        return Outlook(Standing.FREE)
    missing = 1 - made_by_due
    standing = Standing.LATE if missing > LIKELY else Standing.RISK if missing > NOTED else Standing.ON_TIME
    return Outlook(standing, missing, due - nearly_surely_made_at)


def in_order(orders: Iterable[Order], now: dt.datetime) -> list[Order]:
    """Late ones, then those at risk, then the rest; of each, what has least time to spare first."""

    def urgency(order: Order) -> tuple[int, dt.timedelta, str]:
        slack = order.outlook.slack
        if slack is None:  # what it has at most, while nobody can say when it is made
            slack = order.due - now if order.due else dt.timedelta.max
        return URGENCY.get(order.standing, len(URGENCY)), slack, order.reference

    return sorted(orders, key=urgency)
