"""Takes writes back that an agent has not begun: their jobs are planned anew, or want no disc any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from devices import trouble
from devices.agent import wire
from devices.compiled import Compiled
from devices.fleet import Fleet
from devices.intake import cancel_write
from devices.models import Disc, Drive, Write
from devices.states import WRITE_OPEN, DiscState, WriteState
from fulfillment.models import Job, Shipment, WriteShare

BATCH: Final = 200
ACTOR: Final = "tick"


def recall_writes(there: Fleet, now: dt.datetime) -> None:
    """Takes back what a writer that fell out was never sent: its jobs go to another one."""
    willing = {writer.pk for writer in (*there.working, *there.suspects)}
    movable = _not_sent_or_named()
    stranded = [pk for pk, state, writer, *_ in movable if state == WriteState.QUEUED and writer not in willing]
    astray = _astray([(pk, writer, drive) for pk, _, writer, drive, waits in movable if drive and waits])
    if not stranded and not astray:
        return
    step = "fulfillment.recall-write"
    writes = _shared().filter(Q(pk__in=stranded, state=WriteState.QUEUED) | Q(pk__in=astray))
    writes = writes.exclude(pk__in=trouble.left_alone(step, now))
    trouble.each(step, writes[:BATCH], lambda write: cancel_write(write, ACTOR, now), now)


def _shared() -> QuerySet[Write]:
    """Writes for jobs that may be taken back."""
    ours = Exists(WriteShare.objects.filter(write=OuterRef("pk")))
    return Write.objects.filter(ours, state__in=WRITE_OPEN, cancel_requested=False)


def _has_planned() -> Exists:
    return Exists(Disc.objects.filter(write=OuterRef("pk"), state=DiscState.PLANNED))


@Compiled
def _not_sent_or_named() -> QuerySet[Write, Any]:
    rows = _shared().filter(Q(state=WriteState.QUEUED) | ~Q(drive="")).order_by()
    return rows.values_list("pk", "state", "writer", "drive", _has_planned())


@Compiled
def _held() -> QuerySet[Drive, Any]:
    copiers = Drive.objects.filter(role=wire.Role.COPIER, gone=False).order_by()
    return copiers.exclude(held_for="").values_list("writer", "formats")


def _astray(named: Sequence[tuple[int, int, str]]) -> list[int]:
    """Writes with discs to begin that might go into a drive that somebody holds, or must go into one that is not ours
    any more: planned anew, they go elsewhere. named: those that must go into one drive, with their writer and it."""
    usable: set[tuple[int, str]] = set()
    if named:
        drives = Drive.objects.filter(role=wire.Role.COPIER, gone=False, writer__in={writer for _, writer, _ in named})
        usable = {(drive.writer_id, drive.ident) for drive in drives if drive.takes_work}
    astray = [pk for pk, writer, drive in named if (writer, drive) not in usable]
    if not (held := _held()):
        return astray
    free = _shared().filter(_has_planned(), drive="", writer__in={writer for writer, _ in held})
    return astray + [
        pk
        for pk, writer, format_ in free.values_list("pk", "writer", "format")
        if any(writer == holder and format_ in formats for holder, formats in held)
    ]


def recall_cancelled(shipment: Shipment, *, actor: str, now: dt.datetime) -> None:
    """Takes back the writes that were for this shipment alone; one shared with open jobs is finished for them."""
    writes = Write.objects.filter(state__in=WRITE_OPEN, cancel_requested=False, shares__job__shipment=shipment)
    # In the order in which reports are booked: two transactions in two orders would be a deadlock.
    for write in writes.exclude(shares__job__state__in=Job.OPEN).order_by("pk").distinct():
        cancel_write(write, actor, now)
