"""One image or face as the journal has it. Reads rows; must never touch a file."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from devices.agent.wire import ImageFact, ImageState, Layout


@dataclass(frozen=True, slots=True)
class Stored:
    sha256: str
    layout: Layout
    size: int
    state: ImageState
    reason: str | None
    used_at: datetime | None
    mtime_ns: int | None


def stored_of(row: sqlite3.Row) -> Stored:
    return Stored(
        sha256=row["sha256"],
        layout=Layout(row["layout"]),
        size=row["size"],
        state=ImageState(row["state"]),
        reason=row["reason"],
        used_at=datetime.fromisoformat(row["used_at"]) if row["used_at"] else None,
        mtime_ns=row["mtime_ns"],
    )


def find(connection: sqlite3.Connection, digest: str) -> Stored | None:
    row = connection.execute("SELECT * FROM images WHERE sha256 = ?", (digest,)).fetchone()
    return stored_of(row) if row else None


def is_wanted(connection: sqlite3.Connection, digest: str) -> bool:
    """Are discs still to be written or printed from it?"""
    row = connection.execute(
        "SELECT 1 FROM discs JOIN writes ON writes.uuid = discs.write_uuid"
        " WHERE discs.state IN ('planned', 'started') AND (writes.image = ? OR discs.face = ?) LIMIT 1",
        (digest, digest),
    ).fetchone()
    return row is not None


def images_digest(facts: tuple[ImageFact, ...]) -> str:
    text = json.dumps([fact.model_dump(mode="json") for fact in facts], sort_keys=True)
    return sha256(text.encode()).hexdigest()
