"""The fleet's copiers as planning reads them: plain columns of hundreds of drives, read in one query each turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from devices.agent import wire
from devices.compiled import Compiled
from devices.models import Drive
from devices.states import DriveState
from devices.wear import Counted, Level, Limits, judge


class Copier(NamedTuple):
    """A drive that can write, under its row's names."""

    is_worn_out: bool
    ident: str
    feed: str
    formats: list[str]
    state: str
    held_for: str
    wants: str
    wants_since: datetime | None

    @property
    def is_usable(self) -> bool:
        return self.state in {DriveState.IDLE, DriveState.BUSY}

    @property
    def takes_work(self) -> bool:
        """As the row says it."""
        return self.is_usable and not self.held_for and not self.is_worn_out

    @property
    def is_hand_fed(self) -> bool:
        return self.feed == wire.Feed.HAND


OF_THE_ROW: Final = ("ident", "feed", "formats", "state", "held_for", "wants", "wants_since")
THRESHOLDS: Final = ("block_discs", "block_failures", "block_hours")
COUNTERS: Final = ("discs", "discs_at_service", "failures", "failures_at_service", "seconds", "seconds_at_service")

NO_LIMITS: Final = [None] * len(THRESHOLDS)


def formats(there: Mapping[int, Sequence[Copier]] | None = None) -> set[str]:
    """All that some copier of an enabled writer takes, however that one stands now: it may be back in a minute.

    there: if they have been read already.
    """
    if there is not None:
        return {format_ for copiers in there.values() for copier in copiers for format_ in copier.formats}
    return {format_ for (taken,) in _formats() for format_ in taken}


def read() -> dict[int, list[Copier]]:
    """By writer, the copiers that are there, by name: of all enabled writers, for nearly all of them take work, and a
    list of hundreds of keys is slow to read."""
    found: dict[int, list[Copier]] = defaultdict(list)
    for writer, *row in _copiers():
        about, limits, counted = row[: len(OF_THE_ROW)], row[len(OF_THE_ROW) : -len(COUNTERS)], row[-len(COUNTERS) :]
        found[writer].append(Copier(_is_worn_out(limits, counted), *about))
    return found


@Compiled
def _formats() -> QuerySet[Drive, Any]:
    there = Drive.objects.filter(role=wire.Role.COPIER, gone=False, writer__enabled=True).order_by()
    return there.values_list("formats").distinct()


@Compiled
def _copiers() -> QuerySet[Drive, Any]:
    rows = Drive.objects.filter(role=wire.Role.COPIER, gone=False, writer__enabled=True)
    return rows.order_by("writer", "ident").values_list("writer", *OF_THE_ROW, *THRESHOLDS, *COUNTERS)


def _is_worn_out(limits: Sequence[int | None], counted: Sequence[int]) -> bool:
    if limits == NO_LIMITS:
        return False
    discs, discs_then, failures, failures_then, seconds, seconds_then = counted
    since = Counted(discs - discs_then, failures - failures_then, (seconds - seconds_then) / 3600)
    return judge(since, Limits(), Limits(*limits)).level is Level.BLOCK
