"""Which writers may be given new work: one answer for everybody above. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from devices.models import Writer
from devices.states import BLOCKING, Keyword, WriterState


def at_work() -> list[Writer]:
    """Writers that take new work now, by name."""
    return [writer for writer in _willing() if writer.takes_work]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Writers at work, and those that would be but for a silence that may end any moment. Both by name.

    Nothing new is sent to suspects, and what is planned for them stays theirs until they are offline. While the server
    doubts itself, none gets there.
    """

    working: list[Writer]
    suspects: list[Writer]


def read() -> Fleet:
    """One query."""
    willing = list(_willing())
    working = [writer for writer in willing if writer.takes_work]
    return Fleet(working, [writer for writer in willing if _is_suspect(writer.reasons)])


def _willing() -> QuerySet[Writer]:
    """Of those that nobody took out of work; what their reasons say of them is not looked at."""
    return Writer.objects.filter(
        state__in=[WriterState.IDLE, WriterState.BUSY], enabled=True, draining=False, maintenance=False
    ).order_by("name")


def _is_suspect(reasons: Iterable[Mapping[str, str]]) -> bool:
    return _blocks(reasons) == {Keyword.SUSPECT.value}


def _blocks(reasons: Iterable[Mapping[str, str]]) -> set[str]:
    return {reason["keyword"] for reason in reasons} & BLOCKING
