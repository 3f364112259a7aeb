"""Why discs that are given out do not go on: what a person is waited for, or room on a disk. Reads only.

A job's own reason says why it has no disc under way; this says what those wait for that it has.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models import Exists, OuterRef

from devices.agent import wire
from devices.hand_waits import BLANK
from devices.models import Disc, Drive, Write
from devices.serials import spoken
from devices.states import WRITE_OPEN, DiscState, WriteState
from devices.wording import drive_name, format_name
from fulfillment import caching
from fulfillment.models import WriteShare


def of_jobs(jobs: Collection[UUID], now: dt.datetime) -> dict[UUID, tuple[str, ...]]:
    """By job, in plain sentences; a job of which nothing waits has no entry."""
    waiting = Disc.objects.filter(write=OuterRef("pk"), state=DiscState.PLANNED)
    writes = Write.objects.filter(Exists(waiting), state__in=WRITE_OPEN, shares__job__in=jobs).distinct()
    said = _of_writes(list(writes.select_related("writer")), now)
    found: dict[UUID, list[str]] = defaultdict(list)
    shares = WriteShare.objects.filter(write__in=said, job__in=jobs).order_by("write")
    for job, write in shares.values_list("job", "write"):
        found[job] += (text for text in said[write] if text not in found[job])
    return {job: tuple(texts) for job, texts in found.items()}


def _of_writes(writes: Sequence[Write], now: dt.datetime) -> dict[int, list[str]]:
    queued = any(write.state == WriteState.QUEUED for write in writes)
    full = {(writer.pk, need.image.sha256) for writer, need in caching.without_room(now)} if queued else set()
    wanting = Drive.objects.filter(writer__in={write.writer_id for write in writes}).exclude(wants="").order_by("ident")
    drives = [drive for drive in wanting if drive.takes_work]
    said: dict[int, list[str]] = {}
    for write in writes:
        texts = [_asks(write, drive) for drive in drives if _is_for(write, drive)]
        if (write.writer_id, write.image_sha256) in full:
            texts.append(f"{write.writer}'s disk has no room for its image, and nothing on it may be dropped now.")
        if texts:
            said[write.pk] = texts
    return said


def _is_for(write: Write, drive: Drive) -> bool:
    return drive.writer_id == write.writer_id and write.format in drive.formats and write.drive in {"", drive.ident}


def _asks(write: Write, drive: Drive) -> str:
    where = f"{drive_name(drive.ident)} of {write.writer}"
    if drive.wants != BLANK:
        disc = f"disc {spoken(drive.serial)}" if drive.serial else "the disc"
        return f"{where} waits for somebody to take out {disc} and mark it."
    kinds = [kind for kind in wire.KINDS[write.format] if kind in drive.kinds]
    return f"{where} waits for somebody to insert a {' or '.join(kinds) or format_name(write.format)}."
