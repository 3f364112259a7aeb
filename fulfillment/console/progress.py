"""Finds the copies that have something to go on with, and releases what no copy needs any more. Calls no agent."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Final

from django.db.models import Q, QuerySet, Value

from devices import trouble
from devices.compiled import Compiled
from devices.drives import release_drive
from devices.models import Drive, Read, Write
from devices.reading import changed_reads, mark_read_seen, unread_reads
from fulfillment.console import lifecycle
from fulfillment.console.steps import ACTOR, step
from fulfillment.models import Copy, CopyWrite, ImageFetch

BATCH: Final = 200
READ_STEP: Final = "fulfillment.read-read"
STEP: Final = "fulfillment.step-copy"
S = Copy.State
# What these wait for has no revision of its own. There are no more of them than drives, for each holds one.
LOOKED_AT: Final = Q(state__in=[S.ASKED, S.BRINGING, S.SENDING]) | Q(state__in=Copy.OPEN) & ~Q(cancelled_by="")
WITH: Final = ("writer", "read__writer", "request", "source_writer")


def run(now: dt.datetime) -> int:
    """One turn. Returns how many rows were taken up."""
    if not _concerns():
        return 0
    reads = changed_reads(BATCH, trouble.left_alone(READ_STEP, now))
    taken = trouble.each(READ_STEP, reads, lambda read: _take_read(read, now), now)
    if Copy.objects.filter(LOOKED_AT).exists():
        copies = waiting().exclude(pk__in=trouble.left_alone(STEP, now))[:BATCH]
        taken += trouble.each(STEP, copies, lambda copy: step(copy, now), now)
    release_leftovers(now)
    return taken


@Compiled
def _concerns() -> QuerySet[Any, Any]:
    """Whether there is anything that a turn looks at: one question, for there seldom is."""
    looked_at = (
        unread_reads(), Copy.objects.filter(LOOKED_AT), Drive.objects.exclude(held_for=""),
        ImageFetch.objects.filter(state__in=ImageFetch.OPEN),
    )  # fmt: skip
    first, *others = (rows.order_by().values_list(Value(1)) for rows in looked_at)
    return first.union(*others, all=True)[:1]


def waiting() -> QuerySet[Copy]:
    return Copy.objects.filter(LOOKED_AT).select_related(*WITH).order_by("asked_at")


def follow_write(write: Write, now: dt.datetime) -> None:
    """A write changed: the copy that it is a part of goes on."""
    for pk in CopyWrite.objects.filter(write=write).values_list("copy", flat=True):
        step(Copy.objects.select_related(*WITH).get(pk=pk), now)


def _take_read(read: Read, now: dt.datetime) -> None:
    for copy in read.copies.select_related(*WITH):
        step(copy, now)
    mark_read_seen(read.pk, read.revision)


def release_leftovers(now: dt.datetime) -> None:
    """Drives held for a copy that is over, and fetches that no copy waits for."""
    held = {drive: _uuid_of(drive.held_for) for drive in Drive.objects.exclude(held_for="")}
    if held:
        over = set(
            Copy.objects.filter(pk__in=filter(None, held.values()), state__in=Copy.ENDED).values_list("pk", flat=True)
        )
        for drive, pk in held.items():
            if pk in over:
                release_drive(drive, drive.held_for, who=ACTOR, now=now)
    wanted = Copy.objects.filter(state=S.BRINGING).values("image_sha256")
    for fetch in ImageFetch.objects.filter(state__in=ImageFetch.OPEN).exclude(sha256__in=wanted):
        lifecycle.drop_fetch(fetch)


def _uuid_of(purpose: str) -> uuid.UUID | None:
    """The copy that a drive is held for; None for what others hold drives for."""
    try:
        return uuid.UUID(purpose)
    except ValueError:
        return None
