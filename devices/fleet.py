"""Which writers may be given new work: one answer for everybody above. Reads only."""

from __future__ import annotations

from devices.models import Writer
from devices.states import BLOCKING, Keyword, WriterState


def at_work() -> list[Writer]:
    """Writers that take new work now, by name."""
    return [writer for writer in _willing() if writer.takes_work]


def suspects() -> list[Writer]:
    """Writers that would be at work but for a silence that may end any moment, by name.

    Nothing new is sent to them, and what is planned for them stays theirs until they are offline. While the server
    doubts itself, none gets there.
    """
    return [writer for writer in _willing() if _blocks(writer) == {Keyword.SUSPECT.value}]


def _willing() -> list[Writer]:
    rows = Writer.objects.filter(
        state__in=[WriterState.IDLE, WriterState.BUSY], enabled=True, draining=False, maintenance=False
    )
    return list(rows.order_by("name"))


def _blocks(writer: Writer) -> set[str]:
    return {reason["keyword"] for reason in writer.reasons} & BLOCKING
