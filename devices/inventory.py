"""What a writer has, as its agent says: drives, printers, images, blanks. Writes only differences.

Must be called inside a transaction that holds the writer's row.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import models

from devices import blanks, lifecycle
from devices.agent import wire
from devices.bookings import as_utc
from devices.models import BlankBin, CachedImage, Drive, ImageRequest, Printer, Writer
from devices.states import DriveState, Keyword, ReadState, RequestState, WriteState
from devices.text import clean
from devices.wear import Limits

logger = logging.getLogger(__name__)

FETCHING: Final = "Its agent is fetching it."  # the reason of a request meanwhile
_NO_LIMITS: Final = Limits()
_MOST_WORDS: Final = 50  # kinds, and reasons, of one drive
_FIELDS: Final = [
    "role",
    "feed",
    "formats",
    "kinds",
    "state",
    "reasons",
    "progress",
    "serial",
    "wants",
    "wants_since",
    "gone",
]
# A drive that its agent no longer names. What it takes and what was counted of it stays for its return.
_GONE: Final[dict[str, Any]] = {
    "state": DriveState.OFFLINE.value,
    "reasons": [],
    "progress": None,
    "serial": "",
    "wants": "",
    "gone": True,
}


def take_drives(writer: Writer, facts: Collection[wire.DriveFact], now: datetime) -> tuple[list[Drive], bool]:
    """The drives as rows, and whether one of them became free. Those it does not name are gone: their counters stay."""
    said = {clean(fact.id, 64): _drive_values(fact) for fact in facts}
    rows = {drive.ident: drive for drive in writer.drives.all()}
    freed = any(
        values["state"] == DriveState.IDLE and (ident not in rows or rows[ident].state != DriveState.IDLE)
        for ident, values in said.items()
    )
    _warn_of_formats(writer, facts, rows)
    changed = []
    for ident, drive in rows.items():
        values = said.get(ident, _GONE)
        wants_since = drive.wants_since if values["wants"] == drive.wants else now if values["wants"] else None
        if _differs(drive, values | {"wants_since": wants_since}):
            changed.append(drive)
    Drive.objects.bulk_update(changed, _FIELDS)
    new = [
        Drive(writer=writer, ident=ident, wants_since=now if said[ident]["wants"] else None, **said[ident])
        for ident in sorted(said.keys() - rows.keys())
    ]
    Drive.objects.bulk_create(new)
    return [*(drive for ident, drive in rows.items() if ident in said), *new], freed


def take_printers(writer: Writer, facts: Iterable[wire.PrinterFact]) -> list[Printer]:
    said: dict[str, dict[str, Any]] = {
        clean(fact.id, 64): {
            "state": clean(fact.state, 32),
            "supplies": [{"name": clean(supply.name, 64), "percent": supply.percent} for supply in fact.supplies],
        }
        for fact in facts
    }
    rows = {printer.ident: printer for printer in writer.printers.all()}
    _delete(Printer, [printer.pk for ident, printer in rows.items() if ident not in said])
    changed = [rows[ident] for ident in said.keys() & rows.keys() if _differs(rows[ident], said[ident])]
    Printer.objects.bulk_update(changed, ["state", "supplies"])
    new = [Printer(writer=writer, ident=ident, **said[ident]) for ident in sorted(said.keys() - rows.keys())]
    Printer.objects.bulk_create(new)
    return [*(rows[ident] for ident in said.keys() & rows.keys()), *new]


def _warn_of_formats(writer: Writer, facts: Iterable[wire.DriveFact], known: Mapping[str, Drive]) -> None:
    """Once, when the drive is new: a newer agent may know formats that this server does not, and it sends none."""
    for fact in facts:
        odd = [clean(format_, 16) for format_ in fact.formats if format_ not in wire.FORMATS]
        if odd and clean(fact.id, 64) not in known:
            logger.warning("%s has a drive with formats that are not known here: %s", writer, ", ".join(odd[:9]))


def counted(writer: Writer, drives: list[Drive]) -> list[Drive]:
    """The drives with what the report's discs have added to their counts, which only thresholds ask for."""
    if any((drive.warn, drive.block) != (_NO_LIMITS, _NO_LIMITS) or drive.blocked_at for drive in drives):
        for drive in drives:
            drive.refresh_from_db(fields=["discs", "failures", "seconds"])
    return drives


def take_images(writer: Writer, facts: Iterable[wire.ImageFact], now: datetime) -> None:
    """The whole list: images it does not name are gone. Those that are whole end the requests to have them."""
    said: dict[str, dict[str, Any]] = {
        fact.sha256: {
            "layout": fact.layout.value,
            "size": fact.size,
            "state": fact.state.value,
            "used_at": as_utc(fact.used_at),
        }
        for fact in facts
    }
    rows = {image.sha256: image for image in writer.images.all()}
    _delete(CachedImage, [image.pk for sha256, image in rows.items() if sha256 not in said])
    changed = [rows[sha256] for sha256 in said.keys() & rows.keys() if _differs(rows[sha256], said[sha256])]
    CachedImage.objects.bulk_update(changed, ["layout", "size", "state", "used_at"])
    CachedImage.objects.bulk_create(
        CachedImage(writer=writer, sha256=sha256, **said[sha256]) for sha256 in sorted(said.keys() - rows.keys())
    )
    wanted = writer.image_requests.filter(state=RequestState.OPEN, wish=ImageRequest.Wish.HAVE)
    for request in wanted:
        state = said.get(request.sha256, {}).get("state")
        if state == wire.ImageState.READY:
            lifecycle.end_request(request, RequestState.DONE, now=now, actor="agent")
        elif state == wire.ImageState.FAILED and request.reason == FETCHING:
            ImageRequest.objects.filter(pk=request.pk).update(retry_at=None)  # the next visit asks why


def disk_full(writer: Writer) -> str:
    """The words of spool-area-full as long as nothing that waits for room would fit; empty, if it was not said."""
    said = next((each["text"] for each in writer.reasons if each["keyword"] == Keyword.SPOOL_AREA_FULL), "")
    if not said:
        return ""
    cause = wire.ProblemType.SPOOL_AREA_FULL.value
    requests = writer.image_requests.filter(state=RequestState.OPEN, wish=ImageRequest.Wish.HAVE)
    sizes = [
        *writer.writes.filter(state=WriteState.QUEUED, reason__startswith=cause).values_list("image_size", flat=True),
        *requests.filter(reason__startswith=cause).values_list("size", flat=True),
    ]
    if sizes:
        return "" if min(sizes) <= (writer.disk_free or 0) else said
    # How large a disc in a source drive is, nobody knows before it is read.
    return said if writer.reads.filter(state=ReadState.QUEUED, reason__startswith=cause).exists() else ""


def take_blanks(writer: Writer, facts: Iterable[wire.BlankFact], now: datetime) -> list[BlankBin]:
    """Corrects the ledger to the machine's own counts. Call it after the discs are booked."""
    said = {(fact.format, clean(fact.kind, 32), clean(fact.bin, 64)): fact.remaining for fact in facts}
    rows = {(bin_.format, bin_.kind, bin_.bin): bin_ for bin_ in writer.bins.all()}
    for key in sorted(said.keys() - rows.keys()):
        format_, kind, name = key
        if format_ not in wire.FORMATS:
            logger.warning("%s reports blanks of a format that is not known here: %r", writer, format_)
            continue
        rows[key] = BlankBin.objects.create(writer=writer, format=format_, kind=kind, bin=name)
    for key, bin_ in rows.items():
        if key in said:
            _recount(bin_, said[key], now)
        elif bin_.by_machine:
            _recount(bin_, 0, now, why="no longer reported by agent")
    return list(rows.values())


def _recount(bin_: BlankBin, remaining: int | None, now: datetime, why: str = "reported by agent") -> None:
    by_machine = remaining is not None
    # What a person counted stands, a zero as well; a machine that can't count any more takes its own count along.
    counted = by_machine or bin_.loaded != 0 or (bin_.counted and not bin_.by_machine)
    if (bin_.by_machine, bin_.counted) != (by_machine, counted):
        bin_.by_machine, bin_.counted = by_machine, counted
        bin_.save(update_fields=["by_machine", "counted"])
    if remaining is not None and remaining != bin_.remaining:
        blanks.adjust(bin_, remaining - bin_.remaining, by="agent", why=why, now=now)


def _drive_values(fact: wire.DriveFact) -> dict[str, Any]:
    return {
        "role": fact.role.value,
        "feed": fact.feed.value,
        "formats": [format_ for format_ in dict.fromkeys(fact.formats) if format_ in wire.FORMATS],
        "kinds": [clean(kind, 32) for kind in fact.kinds[:_MOST_WORDS]],
        "state": fact.state.value,
        "reasons": [clean(reason, 500) for reason in fact.reasons[:_MOST_WORDS]],
        "progress": fact.progress,
        "serial": fact.serial or "",
        "wants": fact.wants or "",
        "gone": False,
    }


def _delete(model: type[Printer | CachedImage], gone: list[int]) -> None:
    if gone:
        model._default_manager.filter(pk__in=gone).delete()


def _differs(row: models.Model, values: dict[str, Any]) -> bool:
    """Sets the values on the row; whether one of them was another."""
    different = {field: value for field, value in values.items() if getattr(row, field) != value}
    for field, value in different.items():
        setattr(row, field, value)
    return bool(different)
