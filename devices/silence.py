"""What follows from hearing nothing: a writer is suspected, then offline; or the server doubts its own ears.

Silence is read from the rows (`last_seen`), never from a process's memory. Must never call an agent.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction

from devices import lifecycle, trouble
from devices.models import SelfDoubt, Writer
from devices.states import OFFLINE_AFTER, SUSPECT_AFTER, Keyword, WriterState

TOGETHER: Final = timedelta(minutes=1)
# Machines share power strips and switches, so two that vanish together are no sign; of three, all have to.
AT_LEAST: Final = 3
SHARE: Final = 3  # a third of the fleet
LONGEST: Final = timedelta(minutes=10)  # after that they are offline, whoever is at fault
# After a doubt: those that are heard late get the time in which every agent reports twice.
GRACE: Final = timedelta(seconds=60)

logger = logging.getLogger(__name__)


def note(now: datetime) -> int:
    """Writers that fell silent → suspect, then offline, unless the server doubts itself. How many they were."""
    silent = list(
        Writer.objects.filter(last_seen__lt=now - SUSPECT_AFTER).exclude(state=WriterState.OFFLINE).order_by("pk")
    )
    believes = not _doubts(silent, now)

    def follow(writer: Writer) -> None:
        if believes and writer.last_seen and writer.last_seen < now - OFFLINE_AFTER:
            lifecycle.lose_sight(
                writer,
                "Nothing was heard of it for 90 seconds. Look whether it is switched on, and whether its agent runs.",
                now=now,
            )
        elif not any(reason["keyword"] == Keyword.SUSPECT for reason in writer.reasons):
            lifecycle.suspect(writer, "Nothing was heard of it for 30 seconds; it is being asked.", now=now)

    return trouble.each("devices.note-silence", silent, follow, now)


def doubt() -> SelfDoubt | None:
    """The server's doubt about itself, while there is one."""
    return SelfDoubt.objects.filter(ended_at=None).first()


def vanished_together(heard: Sequence[datetime]) -> int:
    """The most writers that were heard for the last time within one minute."""
    times = sorted(heard)
    return max((bisect_right(times, first + TOGETHER) - at for at, first in enumerate(times)), default=0)


def is_deafness(vanished: int, fleet: int) -> bool:
    """Whether so many of the fleet can't have gone at once. fleet: those that were at work, the vanished among them."""
    return vanished >= AT_LEAST and vanished * SHARE >= fleet


def _doubts(silent: Sequence[Writer], now: datetime) -> bool:
    """Whether nobody may be set offline now. Begins and ends the doubt as a row."""
    standing = doubt()
    vanished = vanished_together([writer.last_seen for writer in silent if writer.enabled and writer.last_seen])
    fleet = Writer.objects.filter(enabled=True).exclude(state=WriterState.OFFLINE).count() if vanished else 0
    if is_deafness(vanished, fleet):
        if standing is None:
            standing = _begin(vanished, fleet, now)
        return now - standing.began_at < LONGEST
    if standing is not None:
        SelfDoubt.objects.filter(pk=standing.pk, ended_at=None).update(ended_at=now)
        logger.warning("writers are heard again, or were gone for good: the server trusts its ears")
    return SelfDoubt.objects.filter(ended_at__gt=now - GRACE).exists()


def _begin(vanished: int, fleet: int, now: datetime) -> SelfDoubt:
    logger.error("%s of %s writers fell silent at once: the server suspects itself", vanished, fleet)
    try:
        with transaction.atomic():
            return SelfDoubt.objects.create(began_at=now, silent=vanished, fleet=fleet)
    except IntegrityError:  # another tick at this moment
        return SelfDoubt.objects.get(ended_at=None)
