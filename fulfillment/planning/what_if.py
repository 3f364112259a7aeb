"""What would become of the queue if somebody changed something: the same snapshot, changed, for the same planner. Pure.

Nothing here carries anything out; whoever asks shows the two projections beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from fulfillment.planning.model import DriveView, Snapshot, WriterView

NEW: Final = "new"  # the key of a writer that is not there
MOMENT: Final = 60.0  # seconds: what moves by less has not moved


@dataclass(frozen=True, slots=True)
class Change:
    """`first` and `hold` are keys of jobs, `drain` and `like` of writers; empty: nothing of that kind."""

    first: frozenset[str] = frozenset()
    hold: frozenset[str] = frozenset()
    drain: str = ""
    like: str = ""

    @property
    def is_none(self) -> bool:
        return not (self.first or self.hold or self.drain or self.like)


@dataclass(frozen=True, slots=True)
class Shift:
    """One order: when it is made without and with the change; None where nobody can say."""

    order: str
    before: float | None
    after: float | None

    @property
    def later(self) -> float:
        """Seconds; negative if it gains. What loses its date slips without end, what gets one gains without end."""
        if self.before is None or self.after is None:
            return float("inf") if self.after is None else float("-inf")
        return self.after - self.before


def changed(snapshot: Snapshot, change: Change, now: float) -> Snapshot:
    """A writer that is drained finishes what it has; of what is held, discs under way are finished."""
    jobs = tuple(
        replace(job, put_first=now) if job.id in change.first else job
        for job in snapshot.jobs
        if job.id not in change.hold
    )
    writers = [writer for writer in snapshot.writers if writer.id != change.drain]
    writers += [_new(writer, now) for writer in snapshot.writers if writer.id == change.like]
    under_way = {job: at for job, at in snapshot.under_way.items() if job not in change.hold}
    return Snapshot(jobs, tuple(writers), under_way)


def shifts(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> tuple[list[Shift], list[Shift]]:
    """Who gains and who slips, the most moved first. By order: when it is made."""
    moved = [Shift(order, at, after.get(order)) for order, at in before.items() if at != after.get(order)]
    gains = [shift for shift in moved if shift.later <= -MOMENT]
    slips = [shift for shift in moved if shift.later >= MOMENT]
    return (
        sorted(gains, key=lambda shift: (shift.later, shift.order)),
        sorted(slips, key=lambda shift: (-shift.later, shift.order)),
    )


def _new(writer: WriterView, now: float) -> WriterView:
    """As it would be on its first day: free, with an empty disk, and with as many blanks as it is given."""
    drives = tuple(_idle(drive, now) for drive in writer.drives)
    return replace(
        writer, id=NEW, drives=drives, cached=frozenset(), blanks={}, link_free_at=now, outstanding=0,
        last_blank_at={}, silent=False,
    )  # fmt: skip


def _idle(drive: DriveView, now: float) -> DriveView:
    return replace(drive, free_at=now)
