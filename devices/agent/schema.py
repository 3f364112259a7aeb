"""The tables of the journal, version by version.

A new journal is made by the same steps as an old one is upgraded, so both have one shape. Must never change a step
that was released: add one.
"""

from __future__ import annotations

import sqlite3
from typing import Final

STEPS: Final = (
    # Version 1
    """
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
""",
    # Version 2: reads from source drives (one at a time for each), and what lies in hand-fed drives
    """
CREATE TABLE reads (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    body_digest TEXT NOT NULL,
    drive TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'writing', 'done', 'cancelled')),
    sha256 TEXT,
    layout TEXT,
    size INTEGER,
    reason TEXT,
    accepted_at TEXT NOT NULL,
    finished_at TEXT,
    recorded_at TEXT,
    CHECK ((sha256 IS NULL) = (size IS NULL) AND (sha256 IS NULL) = (layout IS NULL)),
    CHECK (state != 'done' OR sha256 IS NOT NULL OR reason IS NOT NULL)
);
CREATE UNIQUE INDEX reads_open ON reads (drive) WHERE state IN ('accepted', 'writing');
CREATE INDEX reads_images ON reads (sha256) WHERE sha256 IS NOT NULL;
CREATE TABLE refused_reads (uuid TEXT PRIMARY KEY, cancelled_at TEXT NOT NULL);
CREATE TABLE trays (
    drive TEXT PRIMARY KEY,
    loaded INTEGER NOT NULL DEFAULT 0,
    serial TEXT REFERENCES discs (serial)
);
""",
)
VERSION: Final = len(STEPS)


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """From `version` (0: nothing is there) to the newest. Within the caller's transaction."""
    for step in STEPS[version:]:
        for statement in step.split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
