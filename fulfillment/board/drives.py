"""Reads what is on each drive: discs begun, work given out, and what the newest plan adds. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from devices.agent import wire
from devices.models import Disc, Drive, Writer
from devices.states import DiscState
from devices.wording import drive_name
from fulfillment import plan_runs
from fulfillment.board.reading import Planned
from fulfillment.board.timeline import Piece
from fulfillment.fleet.cards import natural
from fulfillment.models import WriteShare

Key = tuple[str, str]
KNOWN: Final = 0.02  # of a disc: from here on its progress tells when it ends
A_WHILE: Final = dt.timedelta(minutes=5)  # how long a disc is shown to last while nothing tells
MOMENT: Final = dt.timedelta(seconds=30)


def copiers() -> list[Drive]:
    """Of the writers that are switched on, as people count them."""
    rows = Drive.objects.filter(role=wire.Role.COPIER.value, gone=False, writer__enabled=True).select_related("writer")
    return sorted(rows, key=lambda drive: (natural(drive.writer.name), natural(drive.ident)))


def key(drive: Drive) -> Key:
    return str(drive.writer_id), drive.ident


def writers(drives: Sequence[Drive]) -> dict[str, str]:
    """Names by key."""
    return {str(drive.writer_id): drive.writer.name for drive in drives}


def uuid_of(writer: str) -> UUID | None:
    """By which its page is addressed."""
    return Writer.objects.filter(pk=writer).values_list("uuid", flat=True).first()


def named(drives: Sequence[Drive]) -> list[tuple[Key, str, str]]:
    return [(key(drive), drive.writer.name, drive_name(drive.ident)) for drive in drives]


def pieces(drives: Sequence[Drive], plan: Planned | None, orders: Mapping[str, str], now: dt.datetime) -> list[Piece]:
    """orders: the order's number by job."""
    free = plan_runs.busy_until(plan.run) if plan else {}
    found = list(_running(drives, free, now))
    for bar in plan.projection.bars if plan else ():
        order = orders.get(bar.job, "an order")
        found.append(
            Piece((bar.writer, bar.drive), "planned", order, bar.copies, _instant(bar.start), _instant(bar.finish))
        )
    return found


def _running(drives: Sequence[Drive], free: Mapping[Key, float], now: dt.datetime) -> Iterator[Piece]:
    begun = Disc.objects.filter(state=DiscState.STARTED)
    rows = {
        (str(writer), drive): (started_at, write, title)
        for writer, drive, started_at, write, title in begun.values_list(
            "write__writer", "drive", "started_at", "write", "write__title"
        )
        if started_at
    }
    whose = _whose([write for _, write, _ in rows.values()])
    for drive in drives:
        free_at = _instant(free[key(drive)]) if key(drive) in free else now
        ends = now
        if key(drive) in rows:
            started_at, write, title = rows[key(drive)]
            ends = max(_ends(drive, started_at, free_at, now), now)
            yield Piece(key(drive), "running", whose.get(write) or title, 1, min(started_at, now), ends)
        if free_at > ends + MOMENT and (key(drive) not in rows or (drive.progress or 0) >= KNOWN):
            yield Piece(key(drive), "given", "work that was given to it", 0, ends, free_at)


def _ends(drive: Drive, started_at: dt.datetime, free_at: dt.datetime, now: dt.datetime) -> dt.datetime:
    if drive.progress and drive.progress >= KNOWN:
        return started_at + (now - started_at) / drive.progress
    return free_at if free_at > now else now + A_WHILE


def _whose(writes: Sequence[int]) -> dict[int, str]:
    """The order's number by write: the first of those that share it."""
    found: dict[int, str] = {}
    rows = WriteShare.objects.filter(write__in=writes).order_by("write", "pk") if writes else WriteShare.objects.none()
    for write, order in rows.values_list("write", "job__shipment__reference"):
        found.setdefault(write, order)
    return found


def _instant(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
