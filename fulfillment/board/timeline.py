"""What each drive does and will do, as bars over hours. Pure geometry, in the units of one SVG."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format

from fulfillment.board.words import plural
from fulfillment.fleet.words import moment

HEAD: Final = 28  # the axis
ROW: Final = 30
BAR: Final = 20
LEFT: Final = 172  # the names
AN_HOUR: Final = 96  # at least
WIDE: Final = 1180  # what few hours share
NEAR: Final = 40  # to «now»: an hour's label would lie over it
BEFORE: Final = dt.timedelta(minutes=30)  # what is shown of the past
LEAST_HOURS, MOST_HOURS = 4, 12
ROWS: Final = 60  # drives: more is no picture that anybody reads
TOLD: Final = 4  # bars of each drive that the table names


@dataclass(frozen=True, slots=True)
class Piece:
    """Discs of one order on one drive, one after the other. `kind` is running, given or planned."""

    drive: tuple[str, str]
    kind: str
    order: str
    copies: int
    start: dt.datetime
    finish: dt.datetime


@dataclass(frozen=True, slots=True)
class Bar:
    kind: str
    x: float
    width: float
    label: str  # the order, where there is room for it
    says: str


@dataclass(frozen=True, slots=True)
class Row:
    writer: str
    drive: str
    y: int
    text_y: int
    bar_y: int
    bars: tuple[Bar, ...]
    says: tuple[str, ...]
    more: int

    @property
    def is_odd(self) -> bool:
        return bool((self.y - HEAD) // ROW % 2)


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    width: int
    height: int
    left: int
    head: int
    row: int
    bar: int
    now_x: float
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    hidden: int  # drives that are not shown


def timeline(drives: Sequence[tuple[tuple[str, str], str, str]], pieces: Iterable[Piece], now: dt.datetime) -> Timeline:
    """drives: key, name of the writer, name of the drive; in their order."""
    now = now.replace(second=0, microsecond=0)  # moves once a minute, and so does the page
    begins = now - BEFORE
    by_drive: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in sorted(pieces, key=lambda piece: piece.start):
        by_drive[piece.drive].append(piece)
    shown = drives[:ROWS]
    last = max((piece.finish for key, _, _ in shown for piece in by_drive[key]), default=now)
    hours = min(max(ceil((last - now) / dt.timedelta(hours=1)), LEAST_HOURS), MOST_HOURS)
    ends = now + dt.timedelta(hours=hours)
    axis = _Axis(begins, ends, now)
    rows = tuple(
        _row(number, writer, drive, by_drive[key], axis, now) for number, (key, writer, drive) in enumerate(shown)
    )
    return Timeline(
        width=round(axis.x(ends)) + 8,
        height=HEAD + ROW * len(shown),
        left=LEFT,
        head=HEAD,
        row=ROW,
        bar=BAR,
        now_x=axis.x(now),
        ticks=tuple(_ticks(axis)),
        rows=rows,
        hidden=len(drives) - len(shown),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    begins: dt.datetime
    ends: dt.datetime
    now: dt.datetime

    def x(self, instant: dt.datetime) -> float:
        inside = min(max(instant, self.begins), self.ends)
        hours = (self.ends - self.begins) / dt.timedelta(hours=1)
        return round(LEFT + max(AN_HOUR, WIDE / hours) * ((inside - self.begins) / dt.timedelta(hours=1)), 1)


def _row(number: int, writer: str, drive: str, pieces: Sequence[Piece], axis: _Axis, now: dt.datetime) -> Row:
    inside = [piece for piece in pieces if piece.finish > axis.begins and piece.start < axis.ends]
    y = HEAD + ROW * number
    says = tuple(_says(piece, now) for piece in inside[:TOLD])
    bars = tuple(_bar(piece, axis, now) for piece in inside)
    return Row(writer, drive, y, y + ROW // 2 + 5, y + (ROW - BAR) // 2, bars, says, max(0, len(inside) - TOLD))


def _bar(piece: Piece, axis: _Axis, now: dt.datetime) -> Bar:
    x = axis.x(piece.start)
    width = round(max(axis.x(piece.finish) - x - 1, 1.5), 1)
    label = piece.order if width > 9 * len(piece.order) + 8 else ""
    return Bar(piece.kind, x, width, label, _says(piece, now))


def _says(piece: Piece, now: dt.datetime) -> str:
    what = f"{plural(piece.copies, 'disc')} of {piece.order}" if piece.copies else piece.order
    if piece.kind == "running":
        return f"{what}, since {moment(piece.start, now)}, until about {moment(piece.finish, now)}"
    verb = "planned " if piece.kind == "planned" else ""
    return f"{what}, {verb}from {moment(piece.start, now)} to {moment(piece.finish, now)}"


def _ticks(axis: _Axis) -> Iterable[Tick]:
    at = timezone.localtime(axis.begins).replace(minute=0) + dt.timedelta(hours=1)
    while at <= axis.ends:
        too_near = abs(axis.x(at) - axis.x(axis.now)) < NEAR
        yield Tick(axis.x(at), "" if too_near else date_format(at, "H:i"))
        at += dt.timedelta(hours=1)
