"""Dumps the whole database to one file and loads it into an empty one, by each database's own means.

A dump is one moment of the database, taken while the shop works on. Must never change what it dumps.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, Final, cast

from django.conf import settings
from django.db import connection

SQLITE: Final = "sqlite"


class DumpFailed(Exception):
    """The database's own program failed; the text is what it said."""


def dump(path: Path) -> None:
    """The database as it is now, in a new file that its owner alone may read. Raises DumpFailed."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if connection.vendor == SQLITE:
        with contextlib.closing(sqlite3.connect(path)) as target:
            _sqlite().backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            (verdict,) = target.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise DumpFailed(f"SQLite finds its dump damaged: {verdict}")
        return
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={path}")


def load(path: Path) -> None:
    """Fills the empty database: all of it or nothing. Raises DumpFailed."""
    if connection.vendor == SQLITE:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source:
            source.backup(_sqlite())
        return
    database = str(settings.DATABASES["default"]["NAME"])
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run("pg_restore", *options, f"--dbname={database}", str(path))


def is_empty() -> bool:
    return not connection.introspection.table_names()


def _sqlite() -> sqlite3.Connection:
    connection.ensure_connection()
    return cast(sqlite3.Connection, connection.connection)


def _run(*command: str) -> None:
    """One of PostgreSQL's programs; the password goes by the environment, because everybody sees arguments."""
    try:
        done = subprocess.run(  # noqa: S603  (PostgreSQL's own programs, no shell)
            command, env=os.environ | _access(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise DumpFailed(f"{command[0]} is not installed: Debian's postgresql-client has it.") from error
    if done.returncode:
        raise DumpFailed(f"{command[0]}: {done.stderr.strip()[-1000:]}")


def _access() -> dict[str, str]:
    """libpq's variables for the database of the settings."""
    wanted: dict[str, Any] = settings.DATABASES["default"]
    found = {f"PG{name}": str(wanted.get(name) or "") for name in ("HOST", "PORT", "USER", "PASSWORD")}
    found["PGDATABASE"] = str(wanted["NAME"])
    for name, value in wanted.get("OPTIONS", {}).items():
        if name.startswith("ssl"):  # sslmode, sslrootcert …, as DATABASE_URL gave them
            found[f"PG{name.upper()}"] = str(value)
    return {name: value for name, value in found.items() if value}
