"""Agents on their way in, as pages show them: those seen on the network, and what became of a code. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from devices.models import EnrolmentCode, Sighting, Writer

SEEN_OF_LATE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An agent that is no writer of this shop. Nobody has checked what it says of itself."""

    name: str
    address: str
    kind: str
    has: str
    elsewhere: bool  # it says that it is a writer of another server


def seen(now: datetime) -> list[Newcomer]:
    """Not heard for an hour: it may be gone, and is not offered."""
    ours = Writer.objects.values("uuid")
    rows = Sighting.objects.filter(Q(writer_uuid=None) | ~Q(writer_uuid__in=ours), last_seen__gt=now - SEEN_OF_LATE)
    return [
        Newcomer(
            name=row.name or "An agent without a name",
            address=row.address,
            kind=row.kind,
            has=_has(row),
            elsewhere=row.writer_uuid is not None,
        )
        for row in rows
    ]


def _has(row: Sighting) -> str:
    counts = ((row.disks, "disk"), (row.copiers, "copier"), (row.sources, "source drive"))
    return " · ".join(f"{number} {name}{'' if number == 1 else 's'}" for number, name in counts)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a code."""

    pk: int
    writer: Writer | None
    used: bool
    expired: bool
    expires_at: datetime

    @property
    def over(self) -> bool:
        return self.used or self.expired


def arrival(code: EnrolmentCode, now: datetime) -> Arrival:
    used = code.used_at is not None
    return Arrival(code.pk, code.writer, used, not used and now >= code.expires_at, code.expires_at)
