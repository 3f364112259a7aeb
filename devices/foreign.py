"""Work that an agent reports and this server never gave, or gave up as never sent: after a restore, its database is
behind its agents.

It stays a reason of the writer until an operator has seen to its discs and says so; only then may it leave the
agent's state. Must never book it: nobody here knows for whom it was.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from devices.agent import wire
from devices.log import log
from devices.models import DeviceEvent, Writer
from devices.text import clean

NOTED: Final = "unknown-write"
OVER: Final = "unknown-write-over"
ACKNOWLEDGED: Final = "unknown-write-acknowledged"
_ENDED: Final = {wire.WriteState.DONE, wire.WriteState.CANCELLED}


def acknowledge(writer: Writer, *, who: str, now: datetime) -> tuple[int, int]:
    """An operator has seen to all unknown work that is over. How many writes that were; how many still go on.

    Of a write that goes on, nobody has seen the discs that are still to be made.
    """
    noted, over = _named(writer, NOTED), _named(writer, OVER)
    seen = _named(writer, ACKNOWLEDGED)
    names = over - seen
    for name in sorted(names):
        log(writer.pk, ACKNOWLEDGED, now=now, actor=who, new=name, text="Its discs were seen to.")
    return len(names), len(noted - over - seen)


def note(writer: Writer, answers: Collection[wire.WriteAnswer], now: datetime) -> None:
    """One event when a write of unknown work is first reported, and one when it is over."""
    if not answers:
        return
    for kind, names, said in (
        (NOTED, {str(answer.uuid) for answer in answers}, "this server never gave or gave up before it was sent"),
        (OVER, {str(uuid) for uuid in ended(answers)}, "is over; its discs are to be seen to"),
    ):
        for name in sorted(names - _named(writer, kind, names)):
            text = f"The agent of {writer} reports write {name}, which {said}."
            log(writer.pk, kind, now=now, actor="agent", new=name, text=text)


def split(
    writer: Writer, unknown: Collection[wire.WriteAnswer]
) -> tuple[list[wire.WriteAnswer], list[wire.WriteAnswer]]:
    """Of the reported unknown work: the writes that nobody saw to, and those that somebody did."""
    seen = _named(writer, ACKNOWLEDGED, {str(answer.uuid) for answer in unknown}) if unknown else set()
    return (
        [answer for answer in unknown if str(answer.uuid) not in seen],
        [answer for answer in unknown if str(answer.uuid) in seen],
    )


def ended(answers: Collection[wire.WriteAnswer]) -> list[UUID]:
    return [answer.uuid for answer in answers if answer.state in _ENDED]


def reason(writer: Writer, unseen: Collection[wire.WriteAnswer]) -> str:
    """What the writer says of it; empty where there is none."""
    if not unseen:
        return ""
    discs = ", ".join(f"{disc.serial} {disc.state}" for answer in unseen for disc in answer.discs)
    text = f"It has {len(unseen)} writes that this server never gave or gave up unsent, with the discs {discs}"
    return f"{clean(text, 380)}. Set them aside once they are over, then: manage.py writer acknowledge NAME."


def _named(writer: Writer, kind: str, among: Collection[str] | None = None) -> set[str]:
    events = DeviceEvent.objects.filter(writer=writer, kind=kind)
    if among is not None:
        events = events.filter(new__in=among)
    return set(events.values_list("new", flat=True))
