"""What lies in the hand-fed drives, in the journal: a blank that a person says is in, or a disc of ours.

A disc of ours lies there from its start until it was taken out, over restarts too, and no other begins meanwhile: it
has no mark on it yet, so a good disc that is lost sight of is worth nothing. Must never ask a drive (`hand.py` does).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from devices.agent.journal import Journal

log = logging.getLogger("agent")


@dataclass(frozen=True, slots=True)
class Held:
    """`serial`: the disc of ours in the drive; `finished`: it is to be taken out. `loaded`: a blank is said in."""

    serial: str | None = None
    finished: bool = False
    loaded: bool = False


class Trays:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def held(self, drive: str) -> Held:
        rows = self._journal.rows(
            "SELECT trays.loaded, trays.serial, discs.state FROM trays"
            " LEFT JOIN discs ON discs.serial = trays.serial WHERE trays.drive = ?",
            drive,
        )
        if not rows:
            return Held()
        row = rows[0]
        return Held(row["serial"], row["serial"] is not None and row["state"] != "started", bool(row["loaded"]))

    def load(self, drive: str, *, loaded: bool, serial: str | None = None) -> bool:
        """A blank is in, or is not after all. Nothing changes where a disc of ours lies in the drive, nor by a word
        about a disc (`serial`) that doesn't wait any more: it was said before that disc was begun.
        """
        with self._journal.transaction() as connection:
            connection.execute("INSERT INTO trays (drive) VALUES (?) ON CONFLICT (drive) DO NOTHING", (drive,))
            done = connection.execute(
                "UPDATE trays SET loaded = ? WHERE drive = ? AND loaded != ? AND serial IS NULL AND (? IS NULL"
                " OR EXISTS (SELECT 1 FROM discs WHERE discs.serial = ? AND discs.state = 'planned'))",
                (loaded, drive, loaded, serial, serial),
            )
        return done.rowcount == 1

    def take_out(self, drive: str, serial: str | None) -> bool:
        """The finished disc is out and marked. A word about another disc (null: whichever it is) changes nothing."""
        with self._journal.transaction() as connection:
            done = connection.execute(
                "UPDATE trays SET serial = NULL, loaded = 0 WHERE drive = ? AND serial IN"
                " (SELECT serial FROM discs WHERE state != 'started' AND serial = COALESCE(?, trays.serial))",
                (drive, serial),
            )
        return done.rowcount == 1

    def forget_all_but(self, drives: Collection[str]) -> None:
        """After a start: a drive that is no longer hand-fed, or no longer there, has nobody to take its disc out."""
        for row in self._journal.rows("SELECT drive, serial FROM trays"):
            if row["drive"] not in drives:
                if row["serial"] is not None:
                    log.warning(
                        "drive %s: is no hand-fed drive any more; disc %s may still lie there, without its mark",
                        row["drive"],
                        row["serial"],
                    )
                with self._journal.transaction() as connection:
                    connection.execute("DELETE FROM trays WHERE drive = ?", (row["drive"],))


def is_free(connection: sqlite3.Connection, drive: str) -> bool:
    """Does no disc of ours lie in this drive?"""
    row = connection.execute("SELECT 1 FROM trays WHERE drive = ? AND serial IS NOT NULL", (drive,)).fetchone()
    return row is None


def lay_in(connection: sqlite3.Connection, drive: str, serial: str) -> None:
    """Its blank becomes this disc. Within the transaction that starts it."""
    connection.execute(
        "INSERT INTO trays (drive, serial) VALUES (?, ?)"
        " ON CONFLICT (drive) DO UPDATE SET loaded = 0, serial = excluded.serial",
        (drive, serial),
    )
