"""The stand-in's ledger: one SQLite file that outlives the program, also a `kill -9`.

Charges that took money have status `succeeded`, and the file itself refuses a second one for a payment.
No card number, security code or expiry date is ever written here: brand and last four digits at most.
"""

from __future__ import annotations

import secrets
import sqlite3
import string
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Row = sqlite3.Row

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sessions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'complete', 'expired')),
    payment_status TEXT NOT NULL CHECK (payment_status IN ('unpaid', 'paid')),
    amount_total INTEGER NOT NULL CHECK (amount_total > 0),
    currency TEXT NOT NULL,
    client_reference_id TEXT,
    payment_intent TEXT,
    email TEXT,
    name TEXT,
    asked TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS payment_intents (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    session TEXT NOT NULL UNIQUE REFERENCES sessions (id),
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('requires_payment_method', 'requires_action', 'processing', 'succeeded', 'canceled')
    ),
    method TEXT NOT NULL DEFAULT 'card',
    brand TEXT,
    last4 TEXT,
    error TEXT
);
CREATE TABLE IF NOT EXISTS charges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    payment_intent TEXT NOT NULL REFERENCES payment_intents (id),
    amount INTEGER NOT NULL,
    amount_refunded INTEGER NOT NULL DEFAULT 0 CHECK (amount_refunded BETWEEN 0 AND amount),
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'pending', 'failed')),
    method TEXT NOT NULL,
    brand TEXT,
    last4 TEXT,
    error TEXT,
    settle_at REAL,
    settles INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS one_charge ON charges (payment_intent) WHERE status IN ('succeeded', 'pending');
CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    charge TEXT NOT NULL REFERENCES charges (id),
    payment_intent TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    reason TEXT,
    metadata TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS disputes (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    charge TEXT NOT NULL UNIQUE REFERENCES charges (id),
    payment_intent TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    body TEXT NOT NULL,
    sends_left INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL
);
CREATE INDEX IF NOT EXISTS due_events ON events (next_at) WHERE sends_left > 0;
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL
);
"""

ALPHABET: Final = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(length))}"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Short connections, one per piece of work; writers queue behind SQLite's own lock."""

    path: Path

    def create(self) -> None:
        """Makes the tables. Raises sqlite3.Error or OSError when the path is no ledger or not writable."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._open()) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(SCHEMA)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; everything in it happens, or nothing."""
        with closing(self._open()) as connection:
            # IMMEDIATE, because a deferred transaction that turns from reading to writing fails at once.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view."""
        with closing(self._open()) as connection:
            connection.execute("BEGIN")
            yield connection


def one(ledger: sqlite3.Connection, sql: str, *values: object) -> Row | None:
    """The first row, or None."""
    row: Row | None = ledger.execute(sql, values).fetchone()
    return row


def changed(ledger: sqlite3.Connection, sql: str, *values: object) -> bool:
    """Whether the UPDATE found its row in the state it names."""
    return ledger.execute(sql, values).rowcount == 1
