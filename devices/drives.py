"""The door for one drive: an operator's word to it, holding it for a copy by hand, and its service.

A held drive is not the planner's. Must never call an agent.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from devices import lifecycle, upkeep
from devices.agent import wire
from devices.intake import NotAccepted
from devices.log import log
from devices.models import Drive, DriveOrder, Writer
from devices.tasks import nudge
from devices.text import clean


def order_drive(
    writer: Writer, drive: str, verb: wire.DriveVerb, *, actor: str, now: datetime, serial: str = ""
) -> DriveOrder:
    """Passes an operator's word on to the drive. The same word that still waits is that one. Raises NotAccepted."""
    if not writer.drives.filter(ident=drive, gone=False).exists():
        raise NotAccepted("drive", f"{writer} has no drive {drive!r}.")
    made, new = lifecycle.open_drive_order(writer, drive, verb, actor=actor, now=now, serial=serial)
    if new:
        transaction.on_commit(lambda: nudge(), robust=True)
    return made


def hold_drive(drive: Drive, purpose: str, *, who: str, now: datetime) -> bool:
    """Takes the drive from the planner, for this purpose (a copy's uuid). False: somebody holds it for another."""
    with transaction.atomic():
        lifecycle.hold_writer(drive.writer_id)
        rows = Drive.objects.filter(pk=drive.pk, held_for__in=["", purpose], gone=False)
        if not rows.update(held_for=purpose, held_by=clean(who, 100), held_since=now):
            return False
        log(drive.writer_id, "hold", now=now, actor=who, new=drive.ident, text=f"Held for {purpose}.")
    drive.refresh_from_db()
    return True


def release_drive(drive: Drive, purpose: str, *, who: str, now: datetime) -> bool:
    """Gives the drive back to the planner. False: it is not held for this purpose."""
    with transaction.atomic():
        lifecycle.hold_writer(drive.writer_id)
        rows = Drive.objects.filter(pk=drive.pk, held_for=purpose).exclude(held_for="")
        if not rows.update(held_for="", held_by="", held_since=None):
            return False
        log(drive.writer_id, "release", now=now, actor=who, old=drive.ident, text=f"Was held for {purpose}.")
    drive.refresh_from_db()
    return True


def service_drive(drive: Drive, *, who: str, now: datetime) -> bool:
    """Somebody has cleaned it or put in another laser: its thresholds count anew, and it takes work again.

    False: somebody else said so at this moment.
    """
    with transaction.atomic():
        lifecycle.hold_writer(drive.writer_id)
        as_read = Drive.objects.filter(pk=drive.pk, serviced_at=drive.serviced_at)
        if not as_read.update(
            serviced_at=now,
            serviced_by=clean(who, 100),
            discs_at_service=F("discs"),
            failures_at_service=F("failures"),
            seconds_at_service=F("seconds"),
        ):
            return False
        was = drive.since_service
        text = (
            f"{drive.ident}: {was.discs} discs, {was.failures} failures, {was.hours:.0f} hours since the last service."
        )
        log(drive.writer_id, "service", now=now, actor=who, new=drive.ident, text=text)
        drive.refresh_from_db()
        if drive.blocked_at is not None:
            upkeep.unblock(drive.writer, drive, who, now)
            transaction.on_commit(lambda: nudge(), robust=True)
    return True
