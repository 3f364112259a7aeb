"""What a writer has left, as it is shown: blanks by bin, room on its disk, ink. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from archive.formats import format_bytes
from devices.resource_file import BinFile, WriterFile
from fulfillment.fleet.words import moment

FULL_STACK: Final = 10  # layers that are drawn at most
LAYER: Final = 10  # blanks that one layer stands for
BASE: Final = 44  # where the lowest layer is drawn
SUPPLY_LOW: Final = 10  # percent


@dataclass(frozen=True, slots=True)
class Stack:
    """The blanks of one bin."""

    pk: int
    kind: str
    bin: str
    count: str
    tone: str
    layers: tuple[int, ...]  # where a layer is drawn, from below
    lasts: str


@dataclass(frozen=True, slots=True)
class Cache:
    """The disk that images lie on, in bytes."""

    used: int
    whole: int
    words: str


@dataclass(frozen=True, slots=True)
class Supply:
    words: str
    tone: str


def stack(bin_: BinFile, low: int, empty_at: datetime | None, now: datetime) -> Stack:
    """low: blanks from which on they are few; empty_at: when the last one is taken, where that is planned."""
    left = max(0, bin_.remaining or 0)
    soon = empty_at is not None and (empty_at - now).total_seconds() < 3600
    tone = "" if not bin_.counted else "bad" if not left else "watch" if soon or left <= low else ""
    layers = min(FULL_STACK, -(-left // LAYER)) if bin_.counted else 0
    return Stack(
        pk=bin_.pk,
        kind=bin_.kind,
        bin=bin_.bin,
        count=str(left) if bin_.counted else "?",
        tone=tone,
        layers=tuple(BASE - 4 * layer for layer in range(layers)),
        lasts=_lasts(bin_, left, empty_at, now, tone),
    )


def _lasts(bin_: BinFile, left: int, empty_at: datetime | None, now: datetime, tone: str) -> str:
    if not bin_.counted:
        return "not counted"
    if not left:
        return "empty: load some"
    if empty_at is None:
        return "low: load some soon" if tone else "lasts for all that is planned"
    return f"until {moment(empty_at, now)}"


def cache(file: WriterFile, since: str) -> Cache | None:
    if file.disk_capacity is None or file.disk_free is None:
        return None
    count = file.images_count
    held = f"{count} image{'' if count == 1 else 's'}, {format_bytes(file.images_bytes)}"
    held = held if count else "no images"
    words = f"{held} · {format_bytes(file.disk_free)} of {format_bytes(file.disk_capacity)} free{_as_of(since)}"
    return Cache(max(0, file.disk_capacity - file.disk_free), file.disk_capacity, words)


def _as_of(since: str) -> str:
    """Marks what was true when the writer was heard last."""
    return f", as of {since}" if since else ""


def supplies(file: WriterFile, since: str) -> Iterable[Supply]:
    for printer in file.printers:
        for each in printer.supplies:
            if each.percent is None:
                yield Supply(f"{each.name}: not measured{_as_of(since)}", "")
            else:
                tone = "bad" if each.percent <= 0 else "watch" if each.percent <= SUPPLY_LOW else ""
                yield Supply(f"{each.name} {each.percent:.0f} %{_as_of(since)}", tone)
