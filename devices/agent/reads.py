"""Reads in the journal: copies of the disc in a source drive. The only module that changes a read's state.

A drive has one open read at most: the next one would copy the same disc. Must never touch a drive.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from devices.agent.answers import body_digest
from devices.agent.journal import Journal
from devices.agent.problems import conflict
from devices.agent.wire import Layout, ProblemType, ReadAnswer, ReadOrder, WriteState

# accepted → writing (the drive reads) · done (it can't be read, with a reason) · cancelled
# writing → done (an image, or a reason) · cancelled
OPEN: Final = "('accepted', 'writing')"
STOPPED_MEANWHILE: Final = "the agent stopped while the disc was being read: ask for it again"


@dataclass(frozen=True, slots=True)
class Copy:
    """The image that a read made."""

    sha256: str
    layout: Layout
    size: int


class Reads:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def knows(self, uuid: UUID, order: ReadOrder) -> bool:
        """Was this very read accepted before? Raises RefusedError (409) for another body or a cancelled uuid."""
        with self._journal.transaction() as connection:
            return _is_known(connection, uuid, order)

    def accept(self, uuid: UUID, order: ReadOrder, now: datetime) -> bool:
        """Take a read on; False where the very same one is known already. Raises RefusedError (409)."""
        with self._journal.transaction() as connection:
            if _is_known(connection, uuid, order):
                return False
            busy = connection.execute(
                f"SELECT uuid FROM reads WHERE drive = ? AND state IN {OPEN}",  # noqa: S608  (a constant)
                (order.drive,),
            ).fetchone()
            if busy is not None:
                raise conflict(
                    ProblemType.DRIVE_RESERVED, f"Drive {order.drive} is taken by read {busy['uuid']}: wait for it."
                )
            connection.execute(
                "INSERT INTO reads (uuid, body_digest, drive, accepted_at) VALUES (?, ?, ?, ?)",
                (str(uuid), body_digest(order), order.drive, now.isoformat()),
            )
        return True

    def cancel(self, uuid: UUID, now: datetime) -> None:
        """Give up what was not begun; an unknown uuid is remembered. One under way is stopped by its seat."""
        with self._journal.transaction() as connection:
            if connection.execute("SELECT 1 FROM reads WHERE uuid = ?", (str(uuid),)).fetchone():
                connection.execute(
                    "UPDATE reads SET state = 'cancelled', finished_at = ? WHERE uuid = ? AND state = 'accepted'",
                    (now.isoformat(), str(uuid)),
                )
                return
            connection.execute(
                "INSERT INTO refused_reads VALUES (?, ?) ON CONFLICT (uuid) DO NOTHING", (str(uuid), now.isoformat())
            )

    def find(self, uuid: UUID) -> ReadAnswer | None:
        """The read as it stands; one cancelled before it came has no drive; None where the uuid is new."""
        rows = self._journal.rows("SELECT * FROM reads WHERE uuid = ?", str(uuid))
        if rows:
            return _answer(rows[0])
        if self._journal.rows("SELECT 1 FROM refused_reads WHERE uuid = ?", str(uuid)):
            return ReadAnswer(uuid=uuid, state=WriteState.CANCELLED, drive="")
        return None

    def unrecorded(self) -> tuple[ReadAnswer, ...]:
        rows = self._journal.rows("SELECT * FROM reads WHERE recorded_at IS NULL ORDER BY position")
        return tuple(_answer(row) for row in rows)

    def record(self, uuids: Iterable[UUID], now: datetime) -> None:
        """The server has these results. A read still open stays, whatever was answered."""
        with self._journal.transaction() as connection:
            connection.executemany(
                f"UPDATE reads SET recorded_at = ? WHERE uuid = ? AND recorded_at IS NULL AND state NOT IN {OPEN}",  # noqa: S608  (a constant)
                [(now.isoformat(), str(uuid)) for uuid in uuids],
            )

    # -- for the seats -----------------------------------------------------------------------------------------------

    def waiting(self, drive: str) -> UUID | None:
        rows = self._journal.rows("SELECT uuid FROM reads WHERE drive = ? AND state = 'accepted'", drive)
        return UUID(rows[0]["uuid"]) if rows else None

    def begin(self, uuid: UUID) -> bool:
        """accepted → writing; False where it was cancelled meanwhile."""
        with self._journal.transaction() as connection:
            done = connection.execute(
                "UPDATE reads SET state = 'writing' WHERE uuid = ? AND state = 'accepted'", (str(uuid),)
            )
        return done.rowcount == 1

    def succeed(self, uuid: UUID, copy: Copy, now: datetime) -> None:
        with self._journal.transaction() as connection:
            connection.execute(
                "UPDATE reads SET state = 'done', sha256 = ?, layout = ?, size = ?, finished_at = ?"
                " WHERE uuid = ? AND state = 'writing'",
                (copy.sha256, copy.layout, copy.size, now.isoformat(), str(uuid)),
            )

    def fail(self, uuid: UUID, reason: str, now: datetime) -> None:
        self._end(uuid, WriteState.DONE, reason[:500], now)

    def stop(self, uuid: UUID, now: datetime) -> None:
        """It was cancelled while the drive was reading."""
        self._end(uuid, WriteState.CANCELLED, None, now)

    def _end(self, uuid: UUID, state: WriteState, reason: str | None, now: datetime) -> None:
        with self._journal.transaction() as connection:
            connection.execute(
                f"UPDATE reads SET state = ?, reason = ?, finished_at = ? WHERE uuid = ? AND state IN {OPEN}",  # noqa: S608  (a constant)
                (state, reason, now.isoformat(), str(uuid)),
            )

    def give_up_all(self, now: datetime) -> None:
        """accepted → cancelled, for all: this journal is lost to the server."""
        if not self._journal.rows("SELECT 1 FROM reads WHERE state = 'accepted' LIMIT 1"):
            return
        with self._journal.transaction() as connection:
            connection.execute(
                "UPDATE reads SET state = 'cancelled', finished_at = ? WHERE state = 'accepted'", (now.isoformat(),)
            )

    def recover(self, now: datetime) -> list[str]:
        """After a start: a read under way is over, with a reason. Gives the drives.

        It is not begun again by itself, though that would cost no blank: whoever asked stood at the drive then, and
        another disc may lie there now.
        """
        rows = self._journal.rows("SELECT uuid, drive FROM reads WHERE state = 'writing'")
        for row in rows:
            self.fail(UUID(row["uuid"]), STOPPED_MEANWHILE, now)
        return [row["drive"] for row in rows]


def _is_known(connection: sqlite3.Connection, uuid: UUID, order: ReadOrder) -> bool:
    row = connection.execute("SELECT body_digest FROM reads WHERE uuid = ?", (str(uuid),)).fetchone()
    if row is not None:
        if row["body_digest"] != body_digest(order):
            raise conflict(ProblemType.DIFFERENT_BODY, f"Read {uuid} was accepted with another body: use a new uuid.")
        return True
    if connection.execute("SELECT 1 FROM refused_reads WHERE uuid = ?", (str(uuid),)).fetchone():
        raise conflict(ProblemType.CANCELLED, f"Read {uuid} was cancelled before it came: use a new uuid.")
    return False


def _answer(row: sqlite3.Row) -> ReadAnswer:
    return ReadAnswer(
        uuid=UUID(row["uuid"]),
        state=WriteState(row["state"]),
        drive=row["drive"],
        sha256=row["sha256"],
        layout=Layout(row["layout"]) if row["layout"] else None,
        size=row["size"],
        reason=row["reason"],
    )
