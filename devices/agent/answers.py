"""What the journal's rows say, as the wire and the seats take it. Pure: reads nothing and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from devices.agent.wire import Blame, Command, DiscResult, DiscState, Verified, WriteAnswer, WriteOrder, WriteState

# planned → started (a drive takes a blank) · bad (no drive can take it) · cancelled
# started → good · bad · unknown
OPEN: Final = frozenset({DiscState.PLANNED, DiscState.STARTED})


@dataclass(frozen=True, slots=True)
class Planned:
    """A disc that waits for a drive."""

    write: UUID
    serial: str
    face: str | None
    order: WriteOrder


def write_state(states: Iterable[DiscState]) -> WriteState:
    """A write's state follows from its discs alone."""
    present = set(states)
    if present & OPEN:
        return WriteState.ACCEPTED if present == {DiscState.PLANNED} else WriteState.WRITING
    return WriteState.CANCELLED if DiscState.CANCELLED in present or not present else WriteState.DONE


def body_digest(order: Command) -> str:
    # Defaults are left out, so that a key added to the protocol later doesn't make old bodies different.
    return sha256(order.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def answer_of(uuid: UUID, rows: list[sqlite3.Row]) -> WriteAnswer:
    discs = tuple(
        DiscResult(
            serial=row["serial"],
            state=DiscState(row["state"]),
            drive=row["drive"],
            started_at=_time(row["started_at"]),
            finished_at=_time(row["finished_at"]),
            verified=Verified(row["verified"]),
            blame=Blame(row["blame"]) if row["blame"] else None,
            reason=row["reason"],
            spoilt=row["spoilt"],
        )
        for row in rows
    )
    return WriteAnswer(uuid=uuid, state=write_state(disc.state for disc in discs), discs=discs)


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
