"""The agent's durable memory: one SQLite file, written through to the disk at every commit.

Gives the journal its identity and its transactions. Must never know what a drive or a request is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import UUID, uuid4

from devices.agent.changes import Changes
from devices.agent.schema import VERSION, upgrade


class JournalError(Exception):
    """The journal can't be opened; the text says why and what to do. No disc is written without it."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """One process holds it at a time. `boot_id` is new at each opening, `journal_id` lives with the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.boot_id = uuid4()
        self._lock = RLock()
        self._guard = _hold(path.with_suffix(".lock"))
        try:
            self._connection = _connect(path)
            self.born = self._create()
            self.journal_id = UUID(self.meta("journal_id"))
            self.changes = Changes(int(self.meta("sequence")) + 1, self._reserve)
        except (sqlite3.Error, JournalError, TypeError, ValueError) as fault:
            self._guard.close()
            raise JournalError(f"{path}: {fault}") from fault

    def _create(self) -> bool:
        """Make or upgrade the tables.

        One transaction: half an upgrade, or a journal without its identity, is never seen.
        """
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise JournalError(f"has version {version}, this agent knows {VERSION}: use the agent that wrote it")
        if version == VERSION:
            return False
        self._connection.execute("BEGIN IMMEDIATE")
        upgrade(self._connection, version)
        if version == 0:
            born = [("journal_id", str(uuid4())), ("sequence", "0")]
            self._connection.executemany("INSERT INTO meta VALUES (?, ?)", born)
        self._connection.execute("COMMIT")
        return version == 0

    def _reserve(self, sequence: int) -> None:
        with self._lock:
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'sequence'", (str(sequence),))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when it returns; what it changed is noted after the lock is free.

        The order of locks is changes before journal, so nothing may be noted inside.
        """
        with self._lock:
            before = self._connection.total_changes
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where the disk is full.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            changed = self._connection.total_changes != before
        if changed:
            self.changes.note()

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def meta(self, key: str) -> str:
        """The value kept under `key`, or nothing ("")."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0]["value"]) if found else ""

    def keep(self, key: str, value: str) -> None:
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            self._guard.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.row_factory = sqlite3.Row
    # FULL: a commit is on the disk before it returns, which is what "started" rests on.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _hold(path: Path) -> sqlite3.Connection:
    """A lock that every system has and that dies with its process: an exclusive SQLite transaction."""
    guard = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as fault:
        guard.close()
        if "locked" in str(fault):
            raise JournalError(f"{path.parent}: another agent is running on this state folder") from fault
        raise JournalError(f"{path}: {fault}") from fault
    return guard
