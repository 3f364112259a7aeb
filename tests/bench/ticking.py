"""One turn of the plant, its database included: a hundred writers at work, a short queue and a very long one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from storefront.demo.commands import Commands, python
from tests.bench.measuring import ROOT, Row, in_python
from tests.production.stack import free_port
from tests.servers.postgres import running_postgres

SHORT: Final = 1_000
LONG: Final = 100_000
TICKS: Final = 60


def measure(folder: Path, rounds: int) -> list[Row]:
    rows = _on("SQLite", folder / "tick-sqlite", lambda name: "", rounds)
    with running_postgres() as postgres:

        def new_database(name: str) -> str:
            postgres.make(name)
            return postgres.url(name)

        return rows + _on("PostgreSQL", folder / "tick-postgresql", new_database, rounds)


def _on(database: str, folder: Path, new_database: Callable[[str], str], rounds: int) -> list[Row]:
    """new_database: its address, empty for a file in the folder of the run."""
    turns = range(min(rounds, 3))
    short = [_turns(folder / f"short{turn}", new_database(f"short{turn}"), SHORT) for turn in turns]
    long = [_turns(folder / f"long{turn}", new_database(f"long{turn}"), LONG) for turn in turns]
    p95 = tuple(1000 * each["p95"] for each in short)
    of_long, of_short = (tuple(1000 * each["median"] for each in found) for found in (long, short))
    return [
        Row(f"A turn with 1,000 jobs waiting for 100 writers, p95, on {database}", "–", p95, (), 50, "ms"),
        Row(f"… with 100,000 waiting, median, on {database}", "with 1,000", of_long, of_short, 2, "ms"),
        Row(f"… memory with 100,000, on {database}", "–", tuple(each["memory"] for each in long), (), 200, "MB"),
    ]


def _turns(folder: Path, url: str, jobs: int) -> dict[str, float]:
    folder.mkdir(parents=True)
    env = Commands(folder, free_port(), free_port()).environment()
    env |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "storefront.settings", "SPINDLE_LOG_LEVEL": "ERROR"}
    subprocess.run(python("manage.py", "migrate", "--verbosity", "0"), cwd=ROOT, env=env, check=True)
    return in_python("tests.bench.waiting_shop", str(jobs), str(TICKS), env=env)
