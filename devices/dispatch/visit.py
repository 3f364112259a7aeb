"""What one visit carries with it, and how it goes through its rows.

A row that its agent fails over never stops the others: it is tried three times, with pauses, and then it either ends
with the reason or is set aside. No call is made in a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from devices import errands, lifecycle, trouble
from devices.agent import wire
from devices.client import AgentClient, AgentConfused, AgentError, AgentFailed, AgentRefused
from devices.models import Writer
from devices.states import Keyword
from devices.text import clean
from devices.visits import Lease

ACTOR: Final = "tick"
MOST: Final = 50  # rows of one step that are looked at in one visit
LATER: Final = timedelta(seconds=30)  # the pause of what has to wait for something else


@dataclass(slots=True)
class Visit:
    """By step, `alone` are rows that nobody tries now, and `looked_at` those that had their turn. `images` is what
    the agent said of each in this visit."""

    writer: Writer
    client: AgentClient
    now: datetime
    lease: Lease
    ends: float  # monotonic
    alone: Mapping[str, Collection[str]]
    images: dict[str, wire.ImageAnswer | AgentRefused] = field(default_factory=dict)
    looked_at: dict[str, set[int]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.lease.lost or time.monotonic() > self.ends


class NotTaken(Exception):
    """The agent answers, but this one row fails there each time."""


class Halted(Exception):
    """The writer was stopped during the visit; nothing more is to be sent to it."""


Work = Callable[[Visit, Any], None]
GivesUp = Callable[[Visit, Any, str], None]


def each(visit: Visit, step: str, work: Work, gives_up: GivesUp | None = None) -> None:
    """`work` for one row after another while the visit lasts; what is logged meanwhile names the row.

    gives_up: ends a row over which the agent failed for the last time; without it the row is set aside.
    """

    def guarded(row: Any) -> None:
        if visit.over:
            raise trouble.NotTried
        visit.looked_at.setdefault(step, set()).add(row.pk)
        try:
            work(visit, row)
        except (AgentConfused, AgentFailed, AgentRefused) as error:
            # This row, or all that it is asked? Then asking for its state fails as well, and ends the visit.
            visit.client.state()
            text = clean(f"Its agent does not take it: {error}", 500)
            if gives_up is None or not trouble.is_last_try(step, row):
                raise NotTaken(text) from error
            gives_up(visit, row, text)

    rows = errands.ERRANDS[step].ready(visit.now).filter(writer=visit.writer).order_by("id")
    rows = rows.exclude(pk__in=visit.alone[step])[:MOST]
    trouble.each(step, rows, guarded, visit.now, not_the_rows=(Halted, AgentError))


def lose_journal(visit: Visit, text: str) -> NoReturn:
    visit.writer.refresh_from_db()
    lifecycle.lose_journal(visit.writer, text, now=visit.now, actor=ACTOR)
    raise Halted(text)


def note_full(visit: Visit, refused: AgentRefused) -> None:
    text = f"{visit.writer}'s disk has no room for the next image ({refused.detail}). Purge images or raise disk_limit."
    lifecycle.add_reason(visit.writer, Keyword.SPOOL_AREA_FULL, text, now=visit.now, actor=ACTOR)


def note_room(visit: Visit) -> None:
    if visit.writer.reasons:
        lifecycle.end_reasons(visit.writer, [Keyword.SPOOL_AREA_FULL], now=visit.now, actor=ACTOR)


OTHER_JOURNAL: Final = (
    "Its agent has another journal than the one this server knows. Inspect the discs begun, then resume."
)
