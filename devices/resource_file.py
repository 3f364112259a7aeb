"""The resource file of each writer: everything that is known of it, as one frozen tree that pages and API share.

A constant number of queries for one writer or for all. What an agent said is shown as long as it is fresh: of a writer
that was not heard for 30 s its drives are «unknown», never what they were. Changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

from devices.models import BlankBin, CachedImage, Disc, Drive, Printer, Writer
from devices.states import WRITE_AT_AGENT, DiscState, Severity, severity
from devices.wear import Counted, Level, Limits

UNKNOWN: Final = "unknown"  # the state of a drive or printer of which nothing was heard of late


@dataclass(frozen=True, slots=True)
class ReasonFile:
    """`text` says what and what next."""

    keyword: str
    text: str
    since: datetime | None
    severity: Severity


@dataclass(frozen=True, slots=True)
class FlagFile:
    """Something a person set; true while it is on. `why`, `who` and `since` are empty while it is not."""

    on: bool
    why: str
    who: str
    since: datetime | None

    def __bool__(self) -> bool:
        return self.on


@dataclass(frozen=True, slots=True)
class DriveFile:
    """`state` is «unknown» while nothing is heard, and then there is no progress, serial, reason nor want.

    held_for: the purpose (a copy's uuid) for which a person keeps it from the planner; empty: nobody does.
    """

    pk: int
    ident: str
    role: str  # copier or source
    feed: str  # robot or hand
    formats: tuple[str, ...]
    kinds: tuple[str, ...]
    state: str  # idle, busy, stopped, offline, unknown
    reasons: tuple[str, ...]  # the agent's keywords
    wants: str  # blank, take-out or empty
    wants_since: datetime | None
    progress: float | None  # 0 to 1
    serial: str  # of the disc in it
    gone: bool  # its agent no longer names it; its counters are kept
    held_for: str
    held_by: str
    held_since: datetime | None
    discs: int
    failures: int
    hours: float
    since_service: Counted
    warn: Limits
    block: Limits
    serviced_at: datetime | None
    serviced_by: str
    wear: Level
    wear_text: str
    blocked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SupplyFile:
    name: str
    percent: float | None


@dataclass(frozen=True, slots=True)
class PrinterFile:
    ident: str
    state: str
    supplies: tuple[SupplyFile, ...]


@dataclass(frozen=True, slots=True)
class BinFile:
    """`remaining` is None where nobody counts. `reserved`: those that discs sent and not started will take."""

    pk: int
    format: str
    kind: str
    bin: str
    counted: bool
    by_machine: bool
    loaded: int
    adjusted: int
    started: int
    good: int
    bad: int
    unknown: int
    reserved: int
    remaining: int | None


@dataclass(frozen=True, slots=True)
class ImageFile:
    sha256: str
    layout: str
    size: int  # bytes
    state: str  # receiving, ready, failed
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class WriterFile:
    """`fresh`: heard within 30 s, so what its agent said is of now. `takes_work`: new work may be sent to it."""

    uuid: UUID
    pk: int
    name: str
    kind: str
    address: str
    state: str  # idle, busy, stopped, offline
    reasons: tuple[ReasonFile, ...]
    draining: FlagFile
    maintenance: FlagFile
    enabled: bool
    disabled: FlagFile
    takes_work: bool
    fresh: bool
    last_seen: datetime | None
    software: str
    protocol: int
    drives: tuple[DriveFile, ...]
    printers: tuple[PrinterFile, ...]
    bins: tuple[BinFile, ...]
    images: tuple[ImageFile, ...]
    """Empty where they were not asked for."""
    images_count: int
    images_bytes: int
    low_blanks: int | None  # blanks of a format from which on it says media-low
    disk_capacity: int | None  # bytes
    disk_free: int | None


def of(writer_pk: int, now: datetime) -> WriterFile | None:
    """None: there is no such writer."""
    return next(iter(of_these(Writer.objects.filter(pk=writer_pk), now)), None)


def of_all(now: datetime, *, images: bool = True) -> tuple[WriterFile, ...]:
    """By name. images: each of them, of which a fleet's disks hold many thousand; else how many, and their bytes."""
    return of_these(Writer.objects.order_by("name"), now, images=images)


def of_these(writers: QuerySet[Writer], now: datetime, *, images: bool = True) -> tuple[WriterFile, ...]:
    rows = list(writers.prefetch_related("drives", "printers", "bins", *(["images"] if images else [])))
    reserved, stored = _reserved(rows), _stored(rows)
    return tuple(
        _writer_file(writer, reserved[writer.pk], stored.get(writer.pk, (0, 0)), now, images=images) for writer in rows
    )


def _stored(writers: Iterable[Writer]) -> dict[int, tuple[int, int]]:
    """By writer: how many images its disk holds, and their bytes."""
    rows = CachedImage.objects.filter(writer__in=[writer.pk for writer in writers]).order_by()
    sums = rows.values_list("writer").annotate(Count("pk"), Sum("size"))
    return {pk: (count, size) for pk, count, size in sums}


def _reserved(writers: Iterable[Writer]) -> dict[int, dict[str, int]]:
    """By writer and format: discs that were sent and are not started."""
    waiting = Disc.objects.filter(
        state=DiscState.PLANNED, write__state__in=WRITE_AT_AGENT, write__writer__in=[writer.pk for writer in writers]
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for pk, format_, discs in waiting.order_by().values_list("write__writer", "write__format").annotate(Count("pk")):
        found[pk][format_] = discs
    return found


def _writer_file(
    writer: Writer, reserved: Mapping[str, int], stored: tuple[int, int], now: datetime, *, images: bool
) -> WriterFile:
    fresh = writer.is_fresh(now)
    return WriterFile(
        uuid=writer.uuid,
        pk=writer.pk,
        name=writer.name,
        kind=writer.kind,
        address=writer.address,
        state=writer.state,
        reasons=tuple(_reason_file(reason) for reason in writer.reasons),
        draining=FlagFile(writer.draining, writer.draining_why, writer.draining_who, writer.draining_since),
        maintenance=FlagFile(
            writer.maintenance, writer.maintenance_why, writer.maintenance_who, writer.maintenance_since
        ),
        enabled=writer.enabled,
        disabled=FlagFile(not writer.enabled, writer.disabled_why, writer.disabled_who, writer.disabled_since),
        takes_work=writer.takes_work and fresh,
        fresh=fresh,
        last_seen=writer.last_seen,
        software=writer.software,
        protocol=writer.protocol,
        drives=tuple(_drive_file(drive, fresh) for drive in writer.drives.all()),
        printers=tuple(_printer_file(printer, fresh) for printer in writer.printers.all()),
        bins=_bin_files(list(writer.bins.all()), reserved),
        images=tuple(_image_file(image) for image in writer.images.all()) if images else (),
        images_count=stored[0],
        images_bytes=stored[1],
        low_blanks=writer.low_blanks,
        disk_capacity=writer.disk_capacity,
        disk_free=writer.disk_free,
    )


def _reason_file(reason: Mapping[str, str]) -> ReasonFile:
    since = datetime.fromisoformat(reason["since"]) if reason.get("since") else None
    return ReasonFile(reason["keyword"], reason["text"], since, severity(reason["keyword"]))


def _drive_file(drive: Drive, fresh: bool) -> DriveFile:
    wear = drive.wear
    return DriveFile(
        pk=drive.pk,
        ident=drive.ident,
        role=drive.role,
        feed=drive.feed,
        formats=tuple(drive.formats),
        kinds=tuple(drive.kinds),
        state=drive.state if fresh else UNKNOWN,
        reasons=tuple(drive.reasons) if fresh else (),
        wants=drive.wants if fresh else "",
        wants_since=drive.wants_since if fresh else None,
        progress=drive.progress if fresh else None,
        serial=drive.serial if fresh else "",
        gone=drive.gone,
        held_for=drive.held_for,
        held_by=drive.held_by,
        held_since=drive.held_since,
        discs=drive.discs,
        failures=drive.failures,
        hours=drive.seconds / 3600,
        since_service=drive.since_service,
        warn=drive.warn,
        block=drive.block,
        serviced_at=drive.serviced_at,
        serviced_by=drive.serviced_by,
        wear=wear.level,
        wear_text=wear.text,
        blocked_at=drive.blocked_at,
    )


def _printer_file(printer: Printer, fresh: bool) -> PrinterFile:
    supplies = tuple(SupplyFile(supply["name"], supply.get("percent")) for supply in printer.supplies)
    return PrinterFile(printer.ident, printer.state if fresh else UNKNOWN, supplies)


def _bin_files(bins: list[BlankBin], reserved: Mapping[str, int]) -> tuple[BinFile, ...]:
    """Which bin a disc will take is the machine's to choose: reckoned from the fullest of the format on."""
    shares = dict.fromkeys((bin_.pk for bin_ in bins), 0)
    for format_, wanted in reserved.items():
        left = wanted
        fitting = [bin_ for bin_ in bins if bin_.format == format_]
        for bin_ in sorted(fitting, key=lambda bin_: (bin_.counted, bin_.remaining), reverse=True):
            shares[bin_.pk] = min(left, max(0, bin_.remaining)) if bin_.counted else left
            left -= shares[bin_.pk]
        if fitting:  # more than there is in all of them
            shares[fitting[0].pk] += left
    return tuple(_bin_file(bin_, shares[bin_.pk]) for bin_ in bins)


def _bin_file(bin_: BlankBin, reserved: int) -> BinFile:
    return BinFile(
        pk=bin_.pk,
        format=bin_.format,
        kind=bin_.kind,
        bin=bin_.bin,
        counted=bin_.counted,
        by_machine=bin_.by_machine,
        loaded=bin_.loaded,
        adjusted=bin_.adjusted,
        started=bin_.started,
        good=bin_.good,
        bad=bin_.bad,
        unknown=bin_.unknown,
        reserved=reserved,
        remaining=bin_.remaining if bin_.counted else None,
    )


def _image_file(image: CachedImage) -> ImageFile:
    return ImageFile(image.sha256, image.layout, image.size, image.state, image.used_at)
