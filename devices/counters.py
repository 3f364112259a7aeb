"""What each drive did over its life: discs begun, those that failed, the time spent on them.

Called by the one function that moves a disc, in its transaction: a disc is counted once, whatever is repeated.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import F

from devices.blanks import spends
from devices.models import Disc, Drive
from devices.states import DiscState

LONGEST: Final = timedelta(hours=24)  # of one disc; beyond it the agent's clock was set meanwhile
_RESULTS: Final = frozenset({DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN})
_FAILURES: Final = frozenset({DiscState.BAD, DiscState.UNKNOWN})


def count_disc(disc: Disc, old: str) -> None:
    """Counts what the disc's move from `old` to its present state means for the drive that it was in."""
    begins = old == DiscState.PLANNED and spends(disc)
    ends = disc.state in _RESULTS and (begins or old == DiscState.STARTED)
    changes: dict[str, Any] = {}
    if begins:
        changes["discs"] = F("discs") + 1
    if ends and disc.state in _FAILURES:
        changes["failures"] = F("failures") + 1
    if ends and (seconds := _seconds(disc)):
        changes["seconds"] = F("seconds") + seconds
    if changes and disc.drive:
        Drive.objects.filter(writer=disc.write.writer_id, ident=disc.drive).update(**changes)


def _seconds(disc: Disc) -> int:
    """By the agent's clock, which may have been set while the disc was written."""
    if disc.started_at is None or disc.finished_at is None:
        return 0
    spent = disc.finished_at - disc.started_at
    return round(spent.total_seconds()) if timedelta(0) < spent <= LONGEST else 0
