"""The blanks of each drive: as the machine counts its bins, else counted down here, durably.

`blanks = N` in agent.toml is one load of N blanks of each format the drive takes. It is counted down as discs
start; another number in the file is a new load, which begins in full. Must never guess a number.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from devices.agent.config import Drive
from devices.agent.drivers.base import Driver
from devices.agent.journal import Journal
from devices.agent.wire import BlankFact, Role

log = logging.getLogger("agent")

Bins = tuple[BlankFact, ...]


class Blanks:
    def __init__(
        self, journal: Journal, drives: tuple[Drive, ...], drivers: Mapping[str, Driver] | None = None
    ) -> None:
        self._journal = journal
        self._drives = tuple(drive for drive in drives if drive.role is Role.COPIER)
        self._drivers = drivers or {}
        self._said: dict[str, Bins | None] = {}
        self._silent: set[str] = set()

    def load(self) -> None:
        """Take the loads over from the configuration; what is used stays used while the number stays.

        Where the machine counts its bins, its word alone says whether there is a blank: a second count here would
        keep a drive from starting for ever, once it came to its end.
        """
        loads = {drive.id: None if self._is_counted_by_machine(drive) else drive.blanks for drive in self._drives}
        with self._journal.transaction() as connection:
            for drive in self._drives:
                for format_ in drive.formats:
                    connection.execute(
                        "INSERT INTO blanks (drive, format, loaded) VALUES (?, ?, ?)"
                        " ON CONFLICT (drive, format) DO UPDATE SET loaded = excluded.loaded, used = 0"
                        " WHERE loaded IS NOT excluded.loaded",
                        (drive.id, format_, loads[drive.id]),
                    )

    def _is_counted_by_machine(self, drive: Drive) -> bool:
        """One that can't answer just now is one: who counts nothing has no line that could be dead."""
        return self._ask(drive) is not None or drive.id in self._silent

    def facts(self) -> Bins:
        """Every bin once, though several drives take from it."""
        found: dict[tuple[str, str], BlankFact] = {}
        for drive in self._drives:
            said = self._ask(drive)
            for fact in self._counted(drive) if said is None else said:
                found.setdefault((fact.bin, fact.kind), fact)
        return tuple(found.values())

    def empty(self, drive: Drive) -> tuple[str, ...]:
        """The formats whose blanks are known to be used up."""
        if drive not in self._drives:
            return ()
        said = self._ask(drive)
        bins = self._counted(drive) if said is None else said
        left = {fact.format for fact in bins if fact.kind in drive.kinds and fact.remaining != 0}
        return tuple(format_ for format_ in drive.formats if format_ not in left)

    def _counted(self, drive: Drive) -> Bins:
        rows = self._journal.rows("SELECT format, loaded - used AS remaining FROM blanks WHERE drive = ?", drive.id)
        left = {row["format"]: row["remaining"] for row in rows}
        return tuple(
            BlankFact(format=format_, kind=drive.kind_of(format_), bin=drive.id, remaining=left[format_])
            for format_ in drive.formats
        )

    def _ask(self, drive: Drive) -> Bins | None:
        """What the machine says of the bins this drive takes from; None where it counts none.

        Drives look several times a second, so that a load, or a bin that a person emptied, is reported at once.
        """
        driver = self._drivers.get(drive.id)
        before = self._said.get(drive.id)
        try:
            now = driver.blanks() if driver is not None else None
        except Exception:
            # A state without it would stop all reports: the last that is known stands. Told once, not each second.
            if drive.id not in self._silent:
                log.exception("drive %s: the machine can't say what is in its bins", drive.id)
            self._silent.add(drive.id)
            return before
        self._silent.discard(drive.id)
        self._said[drive.id] = now
        if now != before:
            self._journal.changes.note()
        return now
