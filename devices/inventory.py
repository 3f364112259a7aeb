"""What a writer has, as its agent says: drives, printers, images, blanks. Writes only differences.

Must be called inside a transaction that holds the writer's row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models

from devices import blanks
from devices.agent import wire
from devices.bookings import as_utc
from devices.models import BlankBin, CachedImage, Drive, Printer, Writer
from devices.text import clean

logger = logging.getLogger(__name__)


def take_drives(writer: Writer, facts: Iterable[wire.DriveFact]) -> list[Drive]:
    """The drives as rows; those it does not name are gone (discs keep the drive's name)."""
    said = {clean(fact.id, 64): _drive_values(fact) for fact in facts}
    rows = {drive.ident: drive for drive in writer.drives.all()}
    _delete(Drive, [drive.pk for ident, drive in rows.items() if ident not in said])
    kept = [drive for ident, drive in rows.items() if ident in said]
    changed = [drive for drive in kept if _differs(drive, said[drive.ident])]
    fields = ["role", "feed", "formats", "kinds", "state", "reasons", "progress", "serial", "wants"]
    Drive.objects.bulk_update(changed, fields)
    new = [Drive(writer=writer, ident=ident, **said[ident]) for ident in sorted(said.keys() - rows.keys())]
    Drive.objects.bulk_create(new)
    return [*kept, *new]


def take_printers(writer: Writer, facts: Iterable[wire.PrinterFact]) -> None:
    said: dict[str, dict[str, Any]] = {
        clean(fact.id, 64): {
            "state": clean(fact.state, 32),
            "supplies": [supply.model_dump() for supply in fact.supplies],
        }
        for fact in facts
    }
    rows = {printer.ident: printer for printer in writer.printers.all()}
    _delete(Printer, [printer.pk for ident, printer in rows.items() if ident not in said])
    changed = [rows[ident] for ident in said.keys() & rows.keys() if _differs(rows[ident], said[ident])]
    Printer.objects.bulk_update(changed, ["state", "supplies"])
    Printer.objects.bulk_create(
        Printer(writer=writer, ident=ident, **said[ident]) for ident in sorted(said.keys() - rows.keys())
    )


def take_images(writer: Writer, facts: Iterable[wire.ImageFact]) -> None:
    """The whole list: images it does not name are gone."""
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
    counted = by_machine or bin_.loaded != 0
    if (bin_.by_machine, bin_.counted) != (by_machine, counted):
        bin_.by_machine, bin_.counted = by_machine, counted
        bin_.save(update_fields=["by_machine", "counted"])
    if remaining is not None and remaining != bin_.remaining:
        blanks.adjust(bin_, remaining - bin_.remaining, by="agent", why=why, now=now)


def _drive_values(fact: wire.DriveFact) -> dict[str, Any]:
    return {
        "role": fact.role.value,
        "feed": fact.feed.value,
        "formats": [clean(format_, 16) for format_ in fact.formats],
        "kinds": [clean(kind, 32) for kind in fact.kinds],
        "state": fact.state.value,
        "reasons": [clean(reason, 500) for reason in fact.reasons],
        "progress": fact.progress,
        "serial": fact.serial or "",
        "wants": fact.wants or "",
    }


def _delete(model: type[Drive | Printer | CachedImage], gone: list[int]) -> None:
    if gone:
        model._default_manager.filter(pk__in=gone).delete()


def _differs(row: models.Model, values: dict[str, Any]) -> bool:
    """Sets the values on the row; whether one of them was another."""
    different = {field: value for field, value in values.items() if getattr(row, field) != value}
    for field, value in different.items():
        setattr(row, field, value)
    return bool(different)
