"""One row of a benchmark: what we do and what a peer does, in turns, so that the machine's moods hit both."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and `peers` in `unit`, one value a round; the ratio is the median of the rounds' ratios.

    Where there is no peer, `peers` is empty and `bound` is in `unit`. `at_least`: more is better.
    """

    what: str
    peer: str
    ours: tuple[float, ...]
    peers: tuple[float, ...]
    bound: float | None
    unit: str = "s"
    at_least: bool = False

    @property
    def value(self) -> float:
        """What the bound is held against."""
        if not self.peers:
            return statistics.median(self.ours)
        return statistics.median(mine / its for mine, its in zip(self.ours, self.peers, strict=True))

    @property
    def holds(self) -> bool:
        if self.bound is None:
            return True
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def spread(self) -> tuple[float, float]:
        values = [mine / its for mine, its in zip(self.ours, self.peers, strict=True)] if self.peers else self.ours
        return min(values), max(values)


def in_turns(rounds: int, ours: Callable[[], float], peer: Callable[[], float]) -> tuple[tuple[float, ...], ...]:
    """Seconds of both, a round each after a first one that only warms up; who begins changes.

    What one has left to be written to the disk is not the other's to wait for.
    """
    pairs: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        seconds: dict[bool, float] = {}
        for mine in (True, False) if turn % 2 else (False, True):
            os.sync()
            seconds[mine] = ours() if mine else peer()
        pairs.append((seconds[True], seconds[False]))
    mines, peers = zip(*pairs[1:], strict=True)
    return mines, peers


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def run(*command: str | os.PathLike[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_python(script: str, *arguments: str, env: dict[str, str] | None = None) -> dict[str, float]:
    """Run a module in a process of its own, so that its memory can be told; it prints `name value` lines."""
    done = subprocess.run(
        [sys.executable, "-m", script, *arguments],
        cwd=ROOT,
        env=os.environ | (env or {}),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stderr[-3000:]}")
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}


def peak_megabytes() -> float:
    """The most memory this process ever had (Linux counts in KiB), in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown."""
    lines = [
        "| what | ours | peer or limit | its value | ratio (least–most) | bound | holds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = f"{statistics.median(row.ours):.2f} {row.unit}"
        its = f"{statistics.median(row.peers):.2f} {row.unit}" if row.peers else "–"
        low, high = row.spread
        places = 3 if row.bound and 1 < row.bound < 1.1 else 2  # a bound of 1.02 wants a closer look
        ratio = f"{row.value:.{places}f} ({low:.{places}f}–{high:.{places}f})"
        ratio = ratio if row.peers else f"({low:.2f}–{high:.2f} {row.unit})"
        sign = "≥" if row.at_least else "≤"
        bound = "–" if row.bound is None else f"{sign} {row.bound:g}" + ("" if row.peers else f" {row.unit}")
        holds = "–" if row.bound is None else ("yes" if row.holds else "**no**")
        lines.append(f"| {row.what} | {ours} | {row.peer} | {its} | {ratio} | {bound} | {holds} |")
    return lines
