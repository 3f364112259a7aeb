"""Reads what the fleet pages show, in a number of queries that does not grow with the fleet. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef

from devices import resource_file
from devices.models import Disc, Write, Writer
from devices.resource_file import WriterFile
from devices.states import WRITE_AT_AGENT, DiscState
from fulfillment import blanks_outlook
from fulfillment.fleet.cards import Card, Known, card, in_order
from fulfillment.fleet.rings import DiscFact


def cards(now: datetime) -> list[Card]:
    """All writers, those in trouble first."""
    files = resource_file.of_all(now, images=False)
    known = _known(files, now)
    return in_order(card(file, known, now) for file in files)


def one(writer: Writer, now: datetime) -> Card:
    files = resource_file.of_these(Writer.objects.filter(pk=writer.pk), now)
    return card(files[0], _known(files, now), now)


def _known(files: Collection[WriterFile], now: datetime) -> Known:
    drives = [(file.pk, drive) for file in files for drive in file.drives if drive.wants]
    serials = {drive.serial for _, drive in drives if drive.serial}
    rows = Disc.objects.filter(serial__in=serials).values_list("serial", "state", "write__format", "write__title")
    discs = {serial: DiscFact(state, format_, title) for serial, state, format_, title in rows} if serials else {}
    waiting = [(pk, drive) for pk, drive in drives if drive.wants == "blank" and drive.serial not in discs]
    next_formats = _next_formats({(pk, drive.ident): drive.formats for pk, drive in waiting})
    return Known(discs, next_formats, blanks_outlook.outlook(now))


def _next_formats(drives: dict[tuple[int, str], tuple[str, ...]]) -> dict[tuple[int, str], str]:
    """For drives that want a blank and name no disc: the format of the oldest write that waits for them."""
    if not drives:
        return {}
    to_begin = Exists(Disc.objects.filter(write=OuterRef("pk"), state=DiscState.PLANNED))
    writes = Write.objects.filter(to_begin, writer__in={pk for pk, _ in drives}, state__in=WRITE_AT_AGENT)
    found: dict[tuple[int, str], str] = {}
    for pk, drive, format_ in writes.order_by("id").values_list("writer", "drive", "format"):
        for key, formats in drives.items():
            if key[0] == pk and drive in {"", key[1]} and format_ in formats:
                found.setdefault(key, format_)
    return found
