"""The journal when this agent becomes another writer.

The journal stays, so that every serial that was ever written here stays used. But what the former writer was asked to
do is not the new one's: nothing of it begins any more, and nothing of it is told to the new writer's server. The log
names what the former server was not told. Must never touch the journal of a writer that stays the same.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final
from uuid import UUID

from devices.agent.journal import Journal
from devices.agent.wire import DiscState

log = logging.getLogger("agent")

WRITER: Final = "writer"
OPEN_READS: Final = "('accepted', 'writing')"


def become(journal: Journal, writer: UUID, now: datetime) -> None:
    """After `recover`: no disc is under way."""
    former = journal.meta(WRITER)
    if former == str(writer):
        return
    if former:
        log.warning("this agent is writer %s now; what writer %s asked for is given up", writer, former)
        _tell_what_is_lost(journal)
    with journal.transaction() as connection:
        if former:
            stamp = now.isoformat()
            connection.execute(
                "UPDATE discs SET state = 'cancelled', finished_at = ? WHERE state = 'planned'", (stamp,)
            )
            connection.execute(
                f"UPDATE reads SET state = 'cancelled', finished_at = ? WHERE state IN {OPEN_READS}",  # noqa: S608  (a constant)
                (stamp,),
            )
            for table in ("writes", "reads"):
                connection.execute(
                    f"UPDATE {table} SET recorded_at = ? WHERE recorded_at IS NULL",  # noqa: S608  (a constant)
                    (stamp,),
                )
        connection.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (WRITER, str(writer)),
        )


def _tell_what_is_lost(journal: Journal) -> None:
    rows = journal.rows(
        "SELECT discs.serial, discs.state FROM discs JOIN writes ON writes.uuid = discs.write_uuid"
        " WHERE writes.recorded_at IS NULL AND discs.state NOT IN (?, ?) ORDER BY discs.serial",
        DiscState.PLANNED,
        DiscState.CANCELLED,
    )
    for row in rows:
        log.warning("disc %s: %s; the former writer's server was not told: book it there by hand", *row)
