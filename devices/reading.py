"""The door from above for source drives: have a disc read, take that back, learn what became of it.

Validates what it is given; must never call an agent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from devices import lifecycle
from devices.agent import wire
from devices.intake import NotAccepted
from devices.log import log
from devices.models import Read, Writer
from devices.tasks import nudge


def queue_read(*, uuid: UUID, writer: Writer, drive: str, actor: str, now: datetime) -> Read:
    """Has the disc in a source drive copied to that writer's disk. Raises NotAccepted.

    The same uuid again gives the read that exists, if it is the same one.
    """
    if not writer.enabled:
        raise NotAccepted("writer", f"{writer} is switched off. Enable it or choose another.")
    if not writer.drives.filter(ident=drive, role=wire.Role.SOURCE, gone=False).exists():
        raise NotAccepted("drive", f"{writer} has no source drive {drive!r}. Choose another one.")
    try:
        with transaction.atomic():
            if (known := Read.objects.filter(uuid=uuid).first()) is None:
                made = Read.objects.create(
                    uuid=uuid, writer=writer, drive=drive, asked_by=actor, queued_at=now, changed_at=now
                )
                log(writer.pk, "read", now=now, actor=actor, new=made.state, text=f"Read {uuid} of {drive}.")
                transaction.on_commit(lambda: nudge(), robust=True)
                return made
    except IntegrityError:  # somebody queued the same uuid between the look and the insert
        known = Read.objects.get(uuid=uuid)
    if (known.writer_id, known.drive) != (writer.pk, drive):
        raise NotAccepted("uuid", f"Read {uuid} exists already and is of another drive. Use a new uuid.")
    return known


def cancel_read(read: Read, actor: str, now: datetime) -> bool:
    """False: it was asked for before, or the read is final."""
    asked = lifecycle.request_cancel_read(read, now=now, actor=actor)
    if asked:
        transaction.on_commit(lambda: nudge(), robust=True)
    return asked


def changed_reads(limit: int, without: Collection[str] = ()) -> Sequence[Read]:
    """Reads that changed since they were marked, oldest change first; no more than `limit`."""
    rows = unread_reads().select_related("writer").exclude(pk__in=without)
    return list(rows.order_by("changed_at", "id")[:limit])


def unread_reads() -> QuerySet[Read]:
    return Read.objects.filter(revision__gt=F("revision_read"))


def mark_read_seen(read_pk: int, revision: int) -> bool:
    """Says that the read was looked at in this revision; what changed later stays unread."""
    rows = Read.objects.filter(pk=read_pk, revision_read__lt=revision, revision__gte=revision)
    return bool(rows.update(revision_read=revision))
