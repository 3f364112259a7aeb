"""Runs xorriso for one disc and follows what it says: progress, faults, and whether it still gets on.

Must never judge the disc: it says how the program ended.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from devices.agent.drivers import process
from devices.agent.drivers.base import Burner, Watch

WRITTEN: Final = re.compile(r"UPDATE :\s+(\d+) of\s+(\d+) MB written")
# Blanking and formatting may show the same percentage for an hour.
PREPARING: Final = re.compile(r"UPDATE : (?:Blanking|Formatting)\b")
FAULT: Final = re.compile(r"(?:xorriso|libburn|libisofs|libisoburn) : (?:FATAL|FAILURE|SORRY) : (.+)")
KEPT: Final = 16_384


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. A disc may take as long as it likes while it gets on."""

    stall: float = 180.0
    # Fixating a real disc takes minutes and shows no progress.
    closing: float = 900.0
    # Formatting a DVD-RAM or a BD-RE with certification takes more than an hour.
    preparing: float = 7200.0
    probe: float = 90.0
    orphan: float = 30.0
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Burn:
    """How the program ended: its exit code, what it complained of, and whether we ended it."""

    code: int
    faults: tuple[str, ...]
    stopped: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Burning:
    """One run: its command, and the file that takes what it says."""

    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    limits: Limits

    def run(self, watch: Watch, progress: Callable[[float], None]) -> Burn:
        # Into a file, not a pipe: a burner that outlives the agent would die of its first line.
        with self.log.open("wb") as out:
            running = subprocess.Popen(  # noqa: S603 — an argument list; serial and digest have checked forms
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                start_new_session=True,
            )
        try:
            watch.burner(Burner(running.pid, process.mark_of(running.pid), self.argv))
            return self._follow(running, watch, progress)
        finally:
            if running.poll() is None:
                process.end(running)

    def _follow(self, running: subprocess.Popen[bytes], watch: Watch, progress: Callable[[float], None]) -> Burn:
        last, since = (-1, 0), monotonic()
        with self.log.open("rb") as source:
            text = ""
            while True:
                code = running.poll()
                # The end is enough: a slow disc makes a line a second, for an hour.
                text = (text + source.read().decode(errors="replace"))[-KEPT:]
                if code is not None:
                    return Burn(code, faults_in(text))
                seen = progress_in(text)
                if seen is not None and seen != last:
                    last, since = seen, monotonic()
                    progress(min(1.0, seen[0] / max(1, seen[1])))
                if watch.stop.is_set() or monotonic() - since > self._patience(text, last):
                    process.end(running)
                    stopped = watch.stop.is_set()
                    return Burn(running.returncode, faults_in(text), stopped=stopped, stalled=not stopped)
                watch.stop.wait(0.1)

    def _patience(self, text: str, last: tuple[int, int]) -> float:
        if last[1] > 0:
            return self.limits.closing if last[1] <= last[0] else self.limits.stall
        return self.limits.preparing if PREPARING.search(text) else self.limits.stall


def progress_in(text: str) -> tuple[int, int] | None:
    """MiB written and MiB in all, of the last such line; None before the first."""
    found = WRITTEN.findall(text)
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def faults_in(text: str) -> tuple[str, ...]:
    """What xorriso and its libraries complained of, in their order."""
    return tuple(found.strip() for found in FAULT.findall(text))
