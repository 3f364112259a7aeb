"""The console's door: start a copy, take it back, say «seen»; and for the floor above, learn what became of it.

Validates what it is given; must never call an agent.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from devices import resource_file
from devices.drives import hold_drive
from devices.intake import ImageRef, NotAccepted
from devices.models import Drive, Writer
from devices.states import WriterState
from devices.text import clean
from devices.trouble import NotTried
from devices.wording import drive_name
from fulfillment.console import choices, fitting, lifecycle
from fulfillment.console.steps import step
from fulfillment.models import Copy, CopyEvent
from fulfillment.tasks import nudge

GIVEN_UP = (
    "Given up while its writer was offline. Check the disc: nobody knows whether it was written, or how far it got."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A copy as an operator chose it. `key` is made with the form, `what` is the choice in the form's words.

    `image` is None for a disc still to be read, and then `source` is the writer and the drive it lies in.
    """

    key: UUID
    writer: Writer
    what: str
    drives: tuple[str, ...]
    format: str
    copies: int
    title: str
    origin: Copy.Origin
    image: ImageRef | None
    source: tuple[Writer, str] | None = None


def started(key: UUID, *, unit: str, what: str, drives: tuple[str, ...], format: str, copies: int) -> Copy | None:
    """The copy that this form has started, however often it is sent. Raises NotAccepted if it says something else."""
    copy = Copy.objects.select_related("writer").filter(pk=key).first()
    if copy is None:
        return None
    said = (unit, what, drives, format, copies)
    if said != (str(copy.writer.uuid), copy.what, tuple(copy.drives), copy.format, copy.copies):
        raise NotAccepted("copy", "This form has started another copy already. Open the console anew.")
    return copy


def start(wanted: Wanted, *, actor: str, email: str, now: dt.datetime) -> Copy:
    """The copy, with its drives held, once for each key: asking twice starts one. Raises NotAccepted."""
    if known := _started(wanted):
        return known
    _check(wanted, now)
    try:
        with transaction.atomic():
            return _create(wanted, actor, email, now)
    except IntegrityError:  # the second of two clicks, between our look and our insert
        return _started(wanted) or Copy.objects.get(pk=wanted.key)


def _started(wanted: Wanted) -> Copy | None:
    return started(
        wanted.key,
        unit=str(wanted.writer.uuid),
        what=wanted.what,
        drives=wanted.drives,
        format=wanted.format,
        copies=wanted.copies,
    )


def _check(wanted: Wanted, now: dt.datetime) -> None:
    if (file := resource_file.of(wanted.writer.pk, now)) is None:
        raise NotAccepted("unit", "This writer is gone.")
    image = wanted.image
    facts = fitting.ImageFacts(image.sha256, image.size, image.layout) if image else fitting.ImageFacts()
    unit = choices.unit_facts(file, str(wanted.key))
    for field, text in fitting.faults(unit, facts, wanted.format, wanted.drives, wanted.copies).items():
        raise NotAccepted(field, text)
    if wanted.source:
        _check_source(*wanted.source, str(wanted.key), now)


def _check_source(writer: Writer, ident: str, copy: str, now: dt.datetime) -> None:
    file = resource_file.of(writer.pk, now)
    sources = choices.drives_of(file, "source") if file else []
    drive = next((drive for drive in sources if drive.ident == ident), None)
    if file is None or drive is None:
        raise NotAccepted("from", f"{writer} has no source drive {ident!r}.")
    if fault := fitting.source_fault(choices.unit_facts(file, copy), choices.drive_facts(drive, copy)):
        raise NotAccepted("from", f"{drive_name(ident)} of {writer}: {fault}")


def _create(wanted: Wanted, actor: str, email: str, now: dt.datetime) -> Copy:
    source, ident = wanted.source or (None, "")
    copy = Copy(
        id=wanted.key,
        writer=wanted.writer,
        drives=list(wanted.drives),
        format=wanted.format,
        copies=wanted.copies,
        title=clean(wanted.title, 200),
        origin=wanted.origin,
        what=wanted.what,
        image_sha256=wanted.image.sha256 if wanted.image else "",
        image_size=wanted.image.size if wanted.image else None,
        layout=wanted.image.layout if wanted.image else "",
        source_writer=source,
        source_drive=ident,
        asked_by=clean(actor, 100),
        email=email,
        asked_at=now,
    )
    copy.save(force_insert=True)
    CopyEvent.objects.create(copy=copy, at=now, actor=actor[:80], new=copy.state, text=str(copy)[:300])
    held = wanted.writer.drives.filter(ident__in=wanted.drives)
    for drive in (held | Drive.objects.filter(writer=source, ident=ident)).order_by("writer", "pk"):
        if not hold_drive(drive, str(copy.pk), who=actor, now=now):
            raise NotAccepted("drive", f"{drive}: somebody else has just taken it. Choose another one.")
    transaction.on_commit(lambda: nudge(), robust=True)
    return copy


def cancel(copy: Copy, *, actor: str, now: dt.datetime) -> bool:
    """Begins no more discs for it; one that was begun is finished. False: somebody has asked, or it is over."""
    if not lifecycle.ask_to_cancel(copy, actor=actor, now=now):
        return False
    with contextlib.suppress(NotTried):  # the tick is at it at this moment, and sees it next time
        step(copy, now)
    transaction.on_commit(lambda: nudge(), robust=True)
    return True


def may_give_up(copy: Copy) -> bool:
    """Whether it was cancelled and only its agent's word is missing, which may never come."""
    waits_at = {Copy.State.READING: copy.source_writer, Copy.State.WRITING: copy.writer}.get(Copy.State(copy.state))
    return bool(copy.cancelled_by) and waits_at is not None and waits_at.state == WriterState.OFFLINE


def give_up(copy: Copy, *, actor: str, now: dt.datetime) -> bool:
    """Ends a cancelled copy whose writer is offline, so that nothing waits for ever. Discs may be written all the same:
    devices books them whenever the agent is heard again."""
    if not may_give_up(copy):
        return False
    written = copy.state == Copy.State.WRITING
    end = Copy.State.UNKNOWN if written else Copy.State.CANCELLED
    reason = GIVEN_UP if written else "Cancelled. The drive's writer was offline; it may still read the disc."
    return lifecycle.move_copy(copy, end, actor=actor, now=now, reason=reason)


def acknowledge(copy: Copy, *, actor: str, now: dt.datetime) -> bool:
    """False: it is not over, or somebody has said so before."""
    return lifecycle.acknowledge(copy, actor=actor, now=now)


def changed_copies(limit: int = 200, without: Collection[str] = ()) -> list[Copy]:
    """Copies changed since the floor above last read them; without those (by key) that it leaves alone."""
    rows = Copy.objects.filter(revision__gt=F("revision_read")).select_related("writer").exclude(pk__in=without)
    return list(rows.order_by("asked_at")[:limit])


def mark_read(copy: Copy) -> bool:
    """Notes that it was read at its revision; False if it has changed since, and comes again."""
    return bool(Copy.objects.filter(pk=copy.pk, revision=copy.revision).update(revision_read=copy.revision))
