"""The door from above: queue and cancel writes, read what changed, add writers.

Validates what it is given; must never call an agent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, QuerySet, When

from devices import addresses, lifecycle, tokens
from devices.agent import wire
from devices.compiled import Compiled, CompiledUpdate, given, padded, places
from devices.log import log, log_queued
from devices.models import Disc, Drive, Write, Writer
from devices.serials import new_serial
from devices.tasks import nudge
from devices.text import clean
from devices.wear import Level

MAX_COPIES = 1000  # of one write; the wire takes no more discs


class NotAccepted(ValueError):
    """What was asked for can't be done; `field` names the argument, the text says why and what to do."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image as this app knows it."""

    sha256: str
    size: int  # bytes
    layout: str  # iso or audio


@dataclass(frozen=True, slots=True)
class NewWriter:
    """A writer with its report token, which is known at this moment only."""

    writer: Writer
    report_token: str


@dataclass(frozen=True, slots=True)
class NewWrite:
    """A write that is asked for. `title` and `reference` (whose it is) are for logs and labels."""

    uuid: UUID
    writer: Writer
    image: ImageRef
    format: str
    title: str
    copies: int
    drive: str | None = None
    verify: bool = True
    reference: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """What makes it the same write when it is asked for again."""
        return {
            "writer_id": self.writer.pk,
            "image_sha256": self.image.sha256,
            "image_size": self.image.size,
            "layout": self.image.layout,
            "format": self.format,
            "copies": self.copies,
            "drive": self.drive or "",
            "verify": self.verify,
        }


def queue_writes(wanted: Sequence[NewWrite], *, actor: str, now: datetime) -> list[Write]:
    """New writes with their discs and their new serials, in one transaction. Raises NotAccepted."""
    with transaction.atomic():
        return _create(wanted, _copiers_of({new.writer.pk for new in wanted}), actor, now)


def queue_write(
    *,
    uuid: UUID,
    writer: Writer,
    image: ImageRef,
    format: str,
    title: str,
    copies: int,
    actor: str,
    now: datetime,
    drive: str | None = None,
    verify: bool = True,
    reference: str = "",
) -> Write:
    """A write with its discs and their new serials, in one transaction. Raises NotAccepted.

    The same uuid again gives the write that exists, if it is the same write. `title` and `reference` (whose it is)
    are for logs and labels.
    """
    new = NewWrite(uuid, writer, image, format, title, copies, drive, verify, reference)
    try:
        (write,) = queue_writes([new], actor=actor, now=now)
    except IntegrityError:  # it was queued before
        if (known := Write.objects.filter(uuid=uuid).first()) is None:
            raise
    else:
        return write
    if any(getattr(known, field) != value for field, value in new.body.items()):
        raise NotAccepted("uuid", f"Write {uuid} exists already and asks for something else. Use a new uuid.")
    return known


def _create(
    wanted: Sequence[NewWrite], copiers: Mapping[int, Sequence[Drive]], actor: str, now: datetime
) -> list[Write]:
    for new in wanted:
        _check(new, copiers[new.writer.pk])
    writes = [
        Write(
            uuid=new.uuid,
            title=clean(new.title, 200),
            reference=clean(new.reference, 200),
            queued_at=now,
            changed_at=now,
            **new.body,
        )
        for new in wanted
    ]
    Write.objects.bulk_create(writes)
    Disc.objects.bulk_create(Disc(write=write, serial=new_serial()) for write in writes for _ in range(write.copies))
    log_queued(writes, now=now, actor=actor)
    transaction.on_commit(lambda: nudge(), robust=True)
    return writes


def cancel_write(write: Write, actor: str, now: datetime) -> bool:
    """Gives up the discs that were not started. False: it was asked for before, or the write is final."""
    asked = lifecycle.request_cancel(write, now=now, actor=actor)
    if asked:
        transaction.on_commit(lambda: nudge(), robust=True)
    return asked


def changed_writes(limit: int, without: Collection[str] = ()) -> Sequence[Write]:
    """Writes that changed since they were marked read, oldest change first; no more than `limit`.

    without: keys of rows that the reader leaves alone.
    """
    changed: list[Write] = _changed(limit, places(without), **padded(without))
    return changed


@Compiled
def _changed(limit: int, without: int) -> QuerySet[Write]:
    rows = Write.objects.filter(revision__gt=F("revision_read")).exclude(pk__in=given(without, Write._meta.pk))
    return rows.select_related("writer").order_by("changed_at", "id")[:limit]


def mark_read(writes: Iterable[Write]) -> int:
    """Says that these writes were read as they are here; what changed later stays unread. How many were not before."""
    seen = {write.pk: write.revision for write in writes}
    if not seen:
        return 0
    return _mark(places(seen), **padded(seen), **padded(list(seen.values()), "revision"))


@CompiledUpdate
def _mark(writes: int) -> tuple[QuerySet[Write], dict[str, Any]]:
    keys = given(writes, Write._meta.pk)
    revisions = given(writes, Write._meta.get_field("revision"), "revision")
    pairs = list(zip(keys, revisions, strict=True))
    unread = (Q(pk=pk, revision_read__lt=revision, revision__gte=revision) for pk, revision in pairs)
    seen = Case(*(When(pk=pk, then=revision) for pk, revision in pairs))
    return Write.objects.filter(reduce(or_, unread)), {"revision_read": seen}


def add_writer(*, name: str, address: str, kind: str = "xorriso", now: datetime) -> NewWriter:
    """A writer that is offline until its agent reports. Raises NotAccepted for name, address or kind."""
    name, kind = check_name(name), check_kind(kind)
    check_address(address)
    token = tokens.new_report_token()
    try:
        with transaction.atomic():
            writer = Writer.objects.create(
                name=name,
                address=address,
                kind=kind,
                created_at=now,
                report_token_sha256=tokens.fingerprint(token),
            )
            log(writer.pk, "writer", now=now, actor="operator", new=writer.state, text=f"Added at {address}.")
    except IntegrityError:
        raise _taken(name) from None
    return NewWriter(writer, token)


def check_name(name: str) -> str:
    """The name without spaces around it, if a new writer may have it. Raises NotAccepted for the field name."""
    name = name.strip()
    if not name or name != clean(name, 80):
        raise NotAccepted("name", "A writer needs a name of 1 to 80 printable characters.")
    if Writer.objects.filter(name=name).exists():
        raise _taken(name)
    return name


def _taken(name: str) -> NotAccepted:
    return NotAccepted("name", f"There is a writer named {name!r} already. Choose another name.")


def check_kind(kind: str) -> str:
    """The driver's name without spaces around it. Raises NotAccepted for the field kind."""
    kind = kind.strip()
    if not kind or kind != clean(kind, 64):
        raise NotAccepted("kind", "The kind is the name of the agent's driver, for example xorriso.")
    return kind


def check_address(address: str) -> addresses.Target:
    """The address resolved and checked. Raises NotAccepted for the field address."""
    try:
        return addresses.pin(address, settings.SPINDLE_AGENT_NETWORKS)
    except addresses.AddressRefused as refused:
        raise NotAccepted("address", str(refused)) from refused


def check_image(image: ImageRef) -> None:
    """Raises NotAccepted for the field image."""
    if not wire.IS_SHA256.fullmatch(image.sha256):
        raise NotAccepted("image", f"{image.sha256!r} is not a sha256 in lower-case hex.")
    if image.layout not in {wire.Layout.ISO, wire.Layout.AUDIO}:
        raise NotAccepted("image", f"An image's layout is iso or audio, not {image.layout!r}.")
    if not 1 <= image.size < 2**63:
        raise NotAccepted("image", f"An image of {image.size} bytes can't be written.")


def _check(new: NewWrite, copiers: Sequence[Drive]) -> None:
    check_image(new.image)
    _check_fit(new.writer, new.format, new.drive, {drive.ident: drive for drive in copiers})
    if not 1 <= new.copies <= MAX_COPIES:
        raise NotAccepted("copies", f"{new.copies} copies are not between 1 and {MAX_COPIES}. Ask for several writes.")


def _copiers_of(writers: Collection[int]) -> dict[int, list[Drive]]:
    found: dict[int, list[Drive]] = {pk: [] for pk in writers}
    for drive in _copiers.of(writers):
        found[drive.writer_id].append(drive)
    return found


@Compiled
def _copiers(writers: int) -> QuerySet[Drive]:
    rows = Drive.objects.filter(role=wire.Role.COPIER, gone=False).order_by("ident")
    return rows.filter(writer__pk__in=given(writers, Drive.writer.field))


def _check_fit(writer: Writer, format_: str, drive: str | None, copiers: Mapping[str, Drive]) -> None:
    if format_ not in wire.FORMATS:
        raise NotAccepted("format", f"{format_!r} is no format. There are: {', '.join(wire.FORMATS)}.")
    if not writer.enabled:
        raise NotAccepted("writer", f"{writer} is switched off. Enable it or choose another.")
    if drive is not None and drive not in copiers:
        raise NotAccepted("drive", f"{writer} has no copier drive {drive!r}. Choose another one.")
    blocked = {ident: each.wear.text for ident, each in copiers.items() if each.wear.level is Level.BLOCK}
    if drive in blocked:
        raise NotAccepted("drive", f"{drive} of {writer} takes no work: {blocked[drive]}. Service it first.")
    free = [each for each in copiers.values() if each.ident not in blocked]
    chosen: list[Drive] = free if drive is None else [copiers[drive]]
    if not any(format_ in each.formats for each in chosen):
        raise NotAccepted("format", f"No drive of {writer} that may be used takes {format_}. Choose another writer.")
