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
from typing import Any, Final
from uuid import UUID, uuid4

from devices.agent.changes import Changes

VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE writes (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    body_digest TEXT NOT NULL,
    body TEXT NOT NULL,
    image TEXT NOT NULL,
    format TEXT NOT NULL,
    drive TEXT,
    accepted_at TEXT NOT NULL,
    recorded_at TEXT
);
CREATE TABLE discs (
    serial TEXT PRIMARY KEY,
    write_uuid TEXT NOT NULL REFERENCES writes (uuid),
    position INTEGER NOT NULL,
    face TEXT,
    state TEXT NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'started', 'good', 'bad', 'unknown', 'cancelled')),
    drive TEXT,
    started_at TEXT,
    finished_at TEXT,
    verified TEXT NOT NULL DEFAULT 'none',
    blame TEXT,
    reason TEXT,
    spoilt INTEGER NOT NULL DEFAULT 0,
    burner TEXT,
    UNIQUE (write_uuid, position),
    CHECK (state != 'started' OR started_at IS NOT NULL)
);
CREATE INDEX discs_open ON discs (state) WHERE state IN ('planned', 'started');
CREATE TABLE refused_writes (uuid TEXT PRIMARY KEY, cancelled_at TEXT NOT NULL);
CREATE TABLE blanks (
    drive TEXT NOT NULL,
    format TEXT NOT NULL,
    loaded INTEGER,
    used INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (drive, format)
);
CREATE TABLE images (
    sha256 TEXT PRIMARY KEY,
    layout TEXT NOT NULL,
    size INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('receiving', 'ready', 'failed')),
    reason TEXT,
    used_at TEXT,
    mtime_ns INTEGER
);
"""


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
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version == VERSION:
            return False
        if version != 0:
            raise JournalError(f"has version {version}, this agent knows {VERSION}: use the agent that wrote it")
        # One transaction: a journal without its identity must never be seen.
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";\n"):
            self._connection.execute(statement)
        born = [("journal_id", str(uuid4())), ("sequence", "0")]
        self._connection.executemany("INSERT INTO meta VALUES (?, ?)", born)
        self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.execute("COMMIT")
        return True

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
