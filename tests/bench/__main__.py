"""`make bench`: measures and prints a table; with `--full` it goes to docs/benchmarks.md. Exit 1 for a missed bound."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bench import dispatching, fetching, mastering, recovering, reporting, sending, ticking, writing
from tests.bench.measuring import ROOT, Row, table
from tests.bench.promising import measured

PAGE: Final = ROOT / "docs" / "benchmarks.md"


def _planning(folder: Path, rounds: int) -> list[Row]:
    """Solvers are its alone: loaded only when it is asked for."""
    from tests.bench.planning import measured as planned  # noqa: PLC0415 -- ortools and scipy are installed by `make bench` alone

    return planned.measure(folder, rounds)


BENCHES: Final[dict[str, Callable[[Path, int], list[Row]]]] = {
    "mastering": mastering.measure,
    "fetching": fetching.measure,
    "sending": sending.measure,
    "writing": writing.measure,
    "recovering": recovering.measure,
    "reporting": reporting.measure,
    "dispatching": dispatching.measure,
    "ticking": ticking.measure,
    "planning": _planning,
    "promising": measured.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Spindle against its peers.", prog="make bench ARGS=…")
    parser.add_argument("--full", action="store_true", help="more rounds, and write the table to docs/benchmarks.md")
    parser.add_argument("--rounds", type=int, help="how often each is measured (3, or 9 with --full)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHES)} (all)")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHES):
        parser.error(f"{', '.join(sorted(unknown))} is unknown; there are {', '.join(BENCHES)}")
    rounds = chosen.rounds or (9 if chosen.full else 3)
    missed = 0
    for name in chosen.names or BENCHES:
        # On the disk that the shop would use; /tmp may be memory.
        with tempfile.TemporaryDirectory(prefix="spindle-bench-", dir=ROOT / "build") as folder:
            rows = BENCHES[name](Path(folder), rounds)
        lines = [f"## {name.capitalize()}", "", _machine(rounds), "", *table(rows)]
        print("\n".join([*lines, ""]), flush=True)  # noqa: T201  (told to whoever runs it)
        missed += sum(not row.holds for row in rows)
        if chosen.full:
            _publish(name, lines)
    return 1 if missed else 0


def _machine(rounds: int) -> str:
    load = os.getloadavg()[0]
    day = dt.datetime.now(dt.UTC).date()
    return (
        f"{day}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"medians of {rounds} rounds in turns, load at the end {load:.1f}."
    )


def _publish(name: str, lines: list[str]) -> None:
    """Each bench has its part of the page: what was measured on another day stays as it is."""
    begin, end = f"<!-- {name}: written by `make bench ARGS=--full` -->", f"<!-- end of {name} -->"
    text = PAGE.read_text()
    before, after = (text.split(begin)[0], text.split(end)[1]) if begin in text else (f"{text}\n", "\n")
    PAGE.write_text("\n".join([before + begin, "", *lines, "", end + after]))


if __name__ == "__main__":
    (ROOT / "build").mkdir(exist_ok=True)
    sys.exit(main())
