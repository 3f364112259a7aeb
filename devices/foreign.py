"""Work that an agent reports and this server never gave: after a restore, its database is behind its agents.

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
ACKNOWLEDGED: Final = "unknown-write-acknowledged"
_ENDED: Final = {wire.WriteState.DONE, wire.WriteState.CANCELLED}


def acknowledge(writer: Writer, *, who: str, now: datetime) -> int:
    """An operator has seen to all unknown work noted so far. How many writes that were."""
    names = _noted(writer) - _acknowledged(writer)
    for name in sorted(names):
        log(writer.pk, ACKNOWLEDGED, now=now, actor=who, new=name, text="Its discs were seen to.")
    return len(names)


def split(
    writer: Writer, unknown: Collection[wire.WriteAnswer]
) -> tuple[list[wire.WriteAnswer], list[wire.WriteAnswer]]:
    """Of the reported writes that are not ours: those that nobody saw to, and those that somebody did."""
    seen = _acknowledged(writer) if unknown else set()
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
    text = f"It has {len(unseen)} writes that this server never gave, with the discs {discs}"
    return f"{clean(text, 380)}. Set them aside, then: manage.py writer acknowledge NAME."


def _noted(writer: Writer) -> set[str]:
    return set(DeviceEvent.objects.filter(writer=writer, kind=NOTED).values_list("new", flat=True))


def _acknowledged(writer: Writer) -> set[str]:
    return set(DeviceEvent.objects.filter(writer=writer, kind=ACKNOWLEDGED).values_list("new", flat=True))
