"""Thresholds carried out: a worn drive is drained until somebody has serviced it, and takes work again afterwards.

The order to its agent is given once for each change of mind, and once more to an agent that started anew without it.
Must never call an agent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from devices import lifecycle
from devices.agent.wire import DriveVerb
from devices.log import log
from devices.models import Drive, Writer
from devices.wear import Level

ACTOR: Final = "thresholds"
PAUSED: Final = "paused"  # what a drained drive says of itself


def keep_up(writer: Writer, drives: Iterable[Drive], now: datetime, *, started: bool) -> None:
    """Brings drives to what their thresholds say. started: the agent is a new process. In the report's transaction."""
    for drive in drives:
        blocked = drive.wear.level is Level.BLOCK
        if blocked and drive.blocked_at is None:
            _block(writer, drive, now)
        elif blocked and started and PAUSED not in drive.reasons:
            lifecycle.open_drive_order(writer, drive.ident, DriveVerb.DRAIN, actor=ACTOR, now=now)
        elif not blocked and drive.blocked_at is not None:  # somebody raised the threshold
            unblock(writer, drive, ACTOR, now)


def _block(writer: Writer, drive: Drive, now: datetime) -> None:
    if Drive.objects.filter(pk=drive.pk, blocked_at=None).update(blocked_at=now):
        drive.blocked_at = now
        text = f"{drive.ident}: {drive.wear.text}"
        log(writer.pk, "drive-blocked", now=now, actor=ACTOR, new=drive.ident, text=text)
        lifecycle.open_drive_order(writer, drive.ident, DriveVerb.DRAIN, actor=ACTOR, now=now)


def unblock(writer: Writer, drive: Drive, who: str, now: datetime) -> None:
    """It takes work again, and its agent is told."""
    if Drive.objects.filter(pk=drive.pk, blocked_at__isnull=False).update(blocked_at=None):
        drive.blocked_at = None
        log(writer.pk, "drive-blocked", now=now, actor=who, old=drive.ident, text=f"{drive.ident} takes work again.")
        lifecycle.open_drive_order(writer, drive.ident, DriveVerb.RESUME, actor=who, now=now)
