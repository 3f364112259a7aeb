"""Which writers may be given new work: one answer for everybody above. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from devices.compiled import Compiled
from devices.models import Writer
from devices.states import BLOCKING, Keyword, WriterState


@dataclass(frozen=True, slots=True, eq=False)
class WillingWriter:
    """A writer that nobody took out of work, under its row's names: a turn has no time for hundreds of objects."""

    pk: int
    uuid: UUID
    name: str
    reasons: list[dict[str, str]]
    disk_capacity: int | None
    disk_free: int | None
    blank_wait: float | None
    take_out_wait: float | None

    def __str__(self) -> str:
        return self.name

    @property
    def takes_work(self) -> bool:
        return not _blocks(self.reasons)


COLUMNS: Final = ("pk", "uuid", "name", "reasons", "disk_capacity", "disk_free", "blank_wait", "take_out_wait")


def at_work() -> list[WillingWriter]:
    """Writers that take new work now, by name."""
    return read().working


@dataclass(frozen=True, slots=True)
class Fleet:
    """Writers at work, and those that would be but for a silence that may end any moment. Both by name.

    Nothing new is sent to suspects, and what is planned for them stays theirs until they are offline. While the server
    doubts itself, none gets there.
    """

    working: list[WillingWriter]
    suspects: list[WillingWriter]


def read() -> Fleet:
    """One query."""
    willing = [WillingWriter(*row) for row in _willing()]
    working = [writer for writer in willing if writer.takes_work]
    return Fleet(working, [writer for writer in willing if _is_suspect(writer.reasons)])


@Compiled
def _willing() -> QuerySet[Writer, Any]:
    """Of those that nobody took out of work; what their reasons say of them is not looked at."""
    rows = Writer.objects.filter(
        state__in=[WriterState.IDLE, WriterState.BUSY], enabled=True, draining=False, maintenance=False
    )
    return rows.order_by("name").values_list(*COLUMNS)


def _is_suspect(reasons: Iterable[Mapping[str, str]]) -> bool:
    return _blocks(reasons) == {Keyword.SUSPECT.value}


def _blocks(reasons: Iterable[Mapping[str, str]]) -> set[str]:
    return {reason["keyword"] for reason in reasons} & BLOCKING
