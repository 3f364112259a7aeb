"""Writes and their discs in the journal: the only module that changes a disc's state.

Every step is a compare-and-set in one transaction. Must never touch a drive: it says whether one may.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from devices.agent.answers import Planned, answer_of, body_digest
from devices.agent.drivers.base import Burner, Result
from devices.agent.journal import Journal
from devices.agent.problems import conflict
from devices.agent.trays import is_free, lay_in
from devices.agent.wire import Blame, ProblemType, WriteAnswer, WriteOrder

STOPPED_MEANWHILE: Final = "the agent stopped while this disc was being written; how far it got is not known"


class Ledger:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def accept(self, uuid: UUID, order: WriteOrder, now: datetime) -> bool:
        """Take a write on; False where the very same one is known already. Raises RefusedError (409)."""
        with self._journal.transaction() as connection:
            if self._is_known(connection, uuid, order):
                return False
            self._check_serials(connection, order)
            check_files(connection, order)
            connection.execute(
                "INSERT INTO writes (uuid, body_digest, body, image, format, drive, accepted_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    str(uuid),
                    body_digest(order),
                    order.model_dump_json(),
                    order.image,
                    order.format,
                    order.drive,
                    now.isoformat(),
                ),
            )
            connection.executemany(
                "INSERT INTO discs (serial, write_uuid, position, face) VALUES (?, ?, ?, ?)",
                [(disc.serial, str(uuid), place, disc.face) for place, disc in enumerate(order.discs)],
            )
        return True

    def knows(self, uuid: UUID, order: WriteOrder) -> bool:
        """Was this very write accepted before? Raises RefusedError (409) for another body or a cancelled uuid."""
        with self._journal.transaction() as connection:
            return self._is_known(connection, uuid, order)

    @staticmethod
    def _is_known(connection: sqlite3.Connection, uuid: UUID, order: WriteOrder) -> bool:
        row = connection.execute("SELECT body_digest FROM writes WHERE uuid = ?", (str(uuid),)).fetchone()
        if row is not None:
            if row["body_digest"] != body_digest(order):
                raise conflict(
                    ProblemType.DIFFERENT_BODY, f"Write {uuid} was accepted with another body: use a new uuid."
                )
            return True
        gone = connection.execute("SELECT 1 FROM refused_writes WHERE uuid = ?", (str(uuid),)).fetchone()
        if gone is not None:
            raise conflict(ProblemType.CANCELLED, f"Write {uuid} was cancelled before it came: use a new uuid.")
        return False

    @staticmethod
    def _check_serials(connection: sqlite3.Connection, order: WriteOrder) -> None:
        for disc in order.discs:
            row = connection.execute("SELECT write_uuid FROM discs WHERE serial = ?", (disc.serial,)).fetchone()
            if row is not None:
                raise conflict(
                    ProblemType.SERIAL_USED,
                    f"Serial {disc.serial} belongs to write {row['write_uuid']}: give this disc a new one.",
                )

    def cancel(self, uuid: UUID, now: datetime) -> None:
        """Give up what is not started; an unknown uuid is remembered, so that it can't come later."""
        with self._journal.transaction() as connection:
            if connection.execute("SELECT 1 FROM writes WHERE uuid = ?", (str(uuid),)).fetchone():
                connection.execute(
                    "UPDATE discs SET state = 'cancelled', finished_at = ? WHERE write_uuid = ? AND state = 'planned'",
                    (now.isoformat(), str(uuid)),
                )
                return
            connection.execute(
                "INSERT INTO refused_writes VALUES (?, ?) ON CONFLICT (uuid) DO NOTHING",
                (str(uuid), now.isoformat()),
            )

    def find(self, uuid: UUID) -> WriteAnswer | None:
        """The write as it stands; one cancelled before it came has no discs; None where the uuid is new."""
        rows = self._journal.rows("SELECT * FROM discs WHERE write_uuid = ? ORDER BY position", str(uuid))
        if rows or self._journal.rows("SELECT 1 FROM refused_writes WHERE uuid = ?", str(uuid)):
            return answer_of(uuid, rows)
        return None

    def unrecorded(self) -> tuple[WriteAnswer, ...]:
        """The writes whose final result the server has not confirmed, in the order of their acceptance."""
        rows = self._journal.rows(
            "SELECT discs.* FROM discs JOIN writes ON writes.uuid = discs.write_uuid"
            " WHERE writes.recorded_at IS NULL ORDER BY writes.position, discs.position"
        )
        grouped: dict[str, list[sqlite3.Row]] = {}
        for row in rows:
            grouped.setdefault(row["write_uuid"], []).append(row)
        return tuple(answer_of(UUID(uuid), discs) for uuid, discs in grouped.items())

    def record(self, uuids: Iterable[UUID], now: datetime) -> None:
        """The server has these results. A write still open stays, whatever was answered."""
        with self._journal.transaction() as connection:
            connection.executemany(
                "UPDATE writes SET recorded_at = ? WHERE uuid = ? AND recorded_at IS NULL AND NOT EXISTS ("
                "SELECT 1 FROM discs WHERE write_uuid = uuid AND state IN ('planned', 'started'))",
                [(now.isoformat(), str(uuid)) for uuid in uuids],
            )

    def planned(self) -> list[Planned]:
        """The discs that wait, oldest write first."""
        rows = self._journal.rows(
            "SELECT discs.serial, discs.face, writes.uuid, writes.body"
            " FROM discs JOIN writes ON writes.uuid = discs.write_uuid"
            " WHERE discs.state = 'planned' ORDER BY writes.position, discs.position"
        )
        orders: dict[str, WriteOrder] = {}
        for row in rows:
            if row["uuid"] not in orders:
                orders[row["uuid"]] = _order_of(row["body"])
        return [Planned(UUID(row["uuid"]), row["serial"], row["face"], orders[row["uuid"]]) for row in rows]

    def waits(self, serial: str) -> bool:
        """Is this disc still to be started?"""
        return bool(self._journal.rows("SELECT 1 FROM discs WHERE serial = ? AND state = 'planned'", serial))

    def start(
        self, disc: Planned, drive: str, command: tuple[str, ...], now: datetime, *, by_hand: bool = False
    ) -> bool:
        """planned → started, with its blank spent: on the disk before the drive may touch anything.

        False where the disc was cancelled meanwhile, the bin is empty, or (`by_hand`) an earlier disc still lies in
        the drive. This is the only way a disc starts, and it starts from `planned` only: a serial is written at most
        once. From here on it lies in a hand-fed drive, until it was taken out (`trays.py`).
        """
        with self._journal.transaction() as connection:
            if by_hand and not is_free(connection, drive):
                return False
            counted = connection.execute(
                "UPDATE blanks SET used = used + 1"
                " WHERE drive = ? AND format = ? AND (loaded IS NULL OR used < loaded)",
                (drive, disc.order.format),
            )
            if counted.rowcount == 0:
                return False
            burner = json.dumps({"pid": None, "mark": None, "command": command})
            begun = connection.execute(
                "UPDATE discs SET state = 'started', drive = ?, started_at = ?, burner = ?"
                " WHERE serial = ? AND state = 'planned'",
                (drive, now.isoformat(), burner, disc.serial),
            )
            if begun.rowcount == 0:
                connection.execute(
                    "UPDATE blanks SET used = used - 1 WHERE drive = ? AND format = ?",
                    (drive, disc.order.format),
                )
            elif by_hand:
                lay_in(connection, drive, disc.serial)
            connection.execute(
                "UPDATE images SET used_at = ? WHERE sha256 IN (?, ?)", (now.isoformat(), disc.order.image, disc.face)
            )
        return begun.rowcount == 1

    def name_burner(self, serial: str, burner: Burner) -> None:
        value = json.dumps({"pid": burner.pid, "mark": burner.mark, "command": burner.command})
        with self._journal.transaction() as connection:
            connection.execute("UPDATE discs SET burner = ? WHERE serial = ?", (value, serial))

    def finish(self, serial: str, result: Result, now: datetime) -> None:
        """started → good, bad or unknown. Blanks that the machine spoilt on the way are gone from its bin as well."""
        with self._journal.transaction() as connection:
            ended = connection.execute(
                "UPDATE discs SET state = ?, verified = ?, blame = ?, reason = ?, spoilt = ?, finished_at = ?,"
                " burner = NULL WHERE serial = ? AND state = 'started'",
                (
                    result.state,
                    result.verified,
                    result.blame,
                    result.reason,
                    result.spoilt,
                    now.isoformat(),
                    serial,
                ),
            )
            if ended.rowcount and result.spoilt:
                connection.execute(
                    "UPDATE blanks SET used = MIN(used + ?, COALESCE(loaded, used + ?)) WHERE (drive, format) IN"
                    " (SELECT discs.drive, writes.format FROM discs JOIN writes ON writes.uuid = discs.write_uuid"
                    " WHERE discs.serial = ?)",
                    (result.spoilt, result.spoilt, serial),
                )

    def give_up(self, serial: str, drive: str | None, blame: Blame, reason: str, now: datetime) -> None:
        """planned → bad: it can't be written here, and no blank was touched (it has no start)."""
        with self._journal.transaction() as connection:
            connection.execute(
                "UPDATE discs SET state = 'bad', drive = ?, blame = ?, reason = ?, finished_at = ?"
                " WHERE serial = ? AND state = 'planned'",
                (drive, blame, reason, now.isoformat(), serial),
            )

    def give_up_all(self, now: datetime) -> None:
        """planned → cancelled, for all: this journal is lost to the server, so none of them may ever start."""
        if not self._journal.rows("SELECT 1 FROM discs WHERE state = 'planned' LIMIT 1"):
            return  # said again with each refused report: nothing is to be written to the disk for it
        with self._journal.transaction() as connection:
            connection.execute(
                "UPDATE discs SET state = 'cancelled', finished_at = ? WHERE state = 'planned'", (now.isoformat(),)
            )

    def recover(self, now: datetime) -> list[str]:
        """After a start: what was begun and has no result is unknown. Gives those serials."""
        with self._journal.transaction() as connection:
            rows = connection.execute("SELECT serial FROM discs WHERE state = 'started'").fetchall()
            connection.execute(
                "UPDATE discs SET state = 'unknown', reason = ?, finished_at = ? WHERE state = 'started'",
                (STOPPED_MEANWHILE, now.isoformat()),
            )
        return [row["serial"] for row in rows]

    def burners(self, drive: str) -> list[tuple[str, Burner]]:
        """Burner processes of this drive that may have outlived an agent, with their discs' serials."""
        rows = self._journal.rows(
            "SELECT serial, burner FROM discs WHERE drive = ? AND burner IS NOT NULL AND state != 'started'", drive
        )
        found = []
        for row in rows:
            kept = json.loads(row["burner"])
            found.append((row["serial"], Burner(kept["pid"], kept["mark"], tuple(kept["command"]))))
        return found

    def forget_burner(self, serial: str) -> None:
        with self._journal.transaction() as connection:
            connection.execute("UPDATE discs SET burner = NULL WHERE serial = ?", (serial,))


def _order_of(body: str) -> WriteOrder:
    """What was accepted once is followed: an earlier agent took a speed of 0, too, for as fast as it goes."""
    try:
        return WriteOrder.model_validate_json(body)
    except ValidationError:
        return WriteOrder.model_validate(json.loads(body) | {"speed": None})


def check_files(connection: sqlite3.Connection, order: WriteOrder) -> None:
    """Image and faces have to be on this disk, checked. Raises RefusedError (409)."""
    if not _is_ready(connection, order.image):
        raise conflict(
            ProblemType.IMAGE_MISSING, f"Image {order.image} is not ready on this writer: PUT /v1/images first."
        )
    for disc in order.discs:
        if disc.face is not None and not _is_ready(connection, disc.face):
            raise conflict(
                ProblemType.FACE_MISSING, f"Face {disc.face} of disc {disc.serial} is not ready on this writer."
            )


def _is_ready(connection: sqlite3.Connection, digest: str) -> bool:
    row = connection.execute("SELECT 1 FROM images WHERE sha256 = ? AND state = 'ready'", (digest,)).fetchone()
    return row is not None
