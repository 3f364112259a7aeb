"""What would happen if an order were put first or held, or a writer drained or added: shown before anybody does it.

Projects the newest stored snapshot anew, as it is and as it would be. Never changes anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from fulfillment import plan_runs, ranking
from fulfillment.board import reading, words
from fulfillment.board.orders import Outlook, Standing
from fulfillment.board.reading import Planned
from fulfillment.guarded import Guarded
from fulfillment.models import Job
from fulfillment.planning.model import Projection, Snapshot
from fulfillment.planning.projection import project
from fulfillment.planning.what_if import Change, Shift, changed, shifts

SHOWN: Final = 50  # of those who gain, and of those who slip


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that would gain or slip."""

    reference: str
    by: str
    before: dt.datetime | None
    after: dt.datetime | None
    was: Outlook
    becomes: Outlook

    @property
    def changes(self) -> bool:
        return self.was.standing != self.becomes.standing


@dataclass(frozen=True, slots=True)
class Answer:
    gains: tuple[Moved, ...]
    slips: tuple[Moved, ...]
    more_gains: int
    more_slips: int
    late_before: int
    late_after: int
    turns: tuple[str, ...]  # «S-00000004: late, would be on time.»


def answer(
    plan: Planned, snapshot: Snapshot, change: Change, jobs: Mapping[UUID, Sequence[Job]], now: dt.datetime
) -> Answer:
    before = _projected(plan, snapshot, now)
    after = _projected(plan, changed(snapshot, change, plan.run.at.timestamp()), now)
    making = {each[0].order: each for each in jobs.values() if any(job.state in Job.OPEN for job in each)}
    was, becomes = _outlooks(making, before, now), _outlooks(making, after, now)
    gains, slips = shifts(_instants(was), _instants(becomes))

    def moved(shift: Shift) -> Moved:
        return Moved(
            reference=shift.order,
            by=_by(shift),
            before=_instant(shift.before),
            after=_instant(shift.after),
            was=was[shift.order][0],
            becomes=becomes[shift.order][0],
        )

    every = [moved(shift) for shift in (*gains, *slips)]
    return Answer(
        gains=tuple(every[: len(gains)][:SHOWN]),
        slips=tuple(every[len(gains) :][:SHOWN]),
        more_gains=max(0, len(gains) - SHOWN),
        more_slips=max(0, len(slips) - SHOWN),
        late_before=_late(was),
        late_after=_late(becomes),
        turns=tuple(
            f"{each.reference}: {each.was.word.lower()}, would be {each.becomes.word.lower()}."
            for each in every
            if each.changes
        )[:SHOWN],
    )


_Outlooks = Mapping[str, tuple[Outlook, float | None]]


def _outlooks(making: Mapping[str, Sequence[Job]], plan: Planned, now: dt.datetime) -> _Outlooks:
    """By order: how it stands, and when it is made in nine of ten cases."""
    found = {}
    for order, jobs in making.items():
        outlook, seen = reading.outlook(jobs, plan, now)
        found[order] = outlook, seen.ready(reading.NEARLY_ALL).timestamp() if seen else None
    return found


def _instants(outlooks: _Outlooks) -> dict[str, float | None]:
    return {order: at for order, (_, at) in outlooks.items()}


def _late(outlooks: _Outlooks) -> int:
    return sum(outlook.standing == Standing.LATE for outlook, _ in outlooks.values())


def _projected(plan: Planned, snapshot: Snapshot, now: dt.datetime) -> Planned:
    """A policy that fails here is not put out of force for it: this is only a question."""
    policy = Guarded(ranking.in_force(now).policy, "", lambda _: "")
    made: Projection = project(snapshot, policy, plan.run.at.timestamp(), chance=plan.belief.chance)
    return replace(plan, projection=made)


def seen(plan: Planned) -> Snapshot:
    return plan_runs.seen(plan.run)


def _by(shift: Shift) -> str:
    if shift.after is None:
        return "has no date any more"
    if shift.before is None:
        return "gets a date"
    return f"{words.span(dt.timedelta(seconds=shift.later))} {'later' if shift.later > 0 else 'sooner'}"


def _instant(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
