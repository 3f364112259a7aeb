"""Counts the blanks in each drive's bins down, durably.

`blanks = N` in agent.toml is one load of N blanks of each format the drive takes. It is counted down as discs
start; another number in the file is a new load, which begins in full. Must never guess a number.
"""

from __future__ import annotations

from devices.agent.config import Drive
from devices.agent.journal import Journal
from devices.agent.wire import BlankFact


class Blanks:
    def __init__(self, journal: Journal, drives: tuple[Drive, ...]) -> None:
        self._journal = journal
        self._drives = drives

    def load(self) -> None:
        """Take the loads over from the configuration; what is used stays used while the number stays."""
        with self._journal.transaction() as connection:
            for drive in self._drives:
                for format_ in drive.formats:
                    connection.execute(
                        "INSERT INTO blanks (drive, format, loaded) VALUES (?, ?, ?)"
                        " ON CONFLICT (drive, format) DO UPDATE SET loaded = excluded.loaded, used = 0"
                        " WHERE loaded IS NOT excluded.loaded",
                        (drive.id, format_, drive.blanks),
                    )

    def facts(self) -> tuple[BlankFact, ...]:
        left = self._left()
        return tuple(
            BlankFact(
                format=format_,
                kind=drive.kind_of(format_),
                bin=drive.id,
                remaining=left[drive.id, format_],
            )
            for drive in self._drives
            for format_ in drive.formats
        )

    def empty(self, drive: Drive) -> tuple[str, ...]:
        """The formats whose blanks are known to be used up."""
        left = self._left()
        return tuple(format_ for format_ in drive.formats if left[drive.id, format_] == 0)

    def _left(self) -> dict[tuple[str, str], int | None]:
        rows = self._journal.rows("SELECT drive, format, loaded - used AS remaining FROM blanks")
        return {(row["drive"], row["format"]): row["remaining"] for row in rows}
