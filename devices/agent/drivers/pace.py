"""Simulated time of one disc: passes it on a clock of its own rate and tells how far the disc is.

Must never sleep longer than a tenth of a second without looking whether the agent stops.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from devices.agent.drivers.base import Watch

STEP: Final = 0.1
# One-fold speed in bytes a second; a bare number is a DVD's, as xorriso takes it.
UNITS: Final = {"c": 153_600, "d": 1_385_000, "b": 4_495_625}


class RunBrokenOffError(Exception):
    """The agent stops."""


class Run:
    """`total` simulated seconds, of which `clock` pass in a real one."""

    def __init__(self, total: float, clock: float, watch: Watch) -> None:
        self._total = total
        self._clock = clock
        self._watch = watch
        self._done = 0.0

    def spend(self, seconds: float) -> None:
        """Raises RunBrokenOffError."""
        self.spend_until(self._done + seconds)

    def spend_until(self, until: float) -> None:
        """Raises RunBrokenOffError."""
        while True:
            step = min(STEP, max(0.0, until - self._done) / self._clock)
            if self._watch.stop.wait(step):
                raise RunBrokenOffError
            if step < STEP:
                break
            self._reach(self._done + step * self._clock)
        self._reach(until)

    @contextmanager
    def hold(self, one: Lock) -> Iterator[None]:
        """There is one of it, and other drives want it too. Raises RunBrokenOffError."""
        while not one.acquire(timeout=STEP):
            if self._watch.stop.is_set():
                raise RunBrokenOffError
        try:
            yield
        finally:
            one.release()

    def _reach(self, done: float) -> None:
        self._done = done
        self._watch.progress(min(1.0, done / self._total) if self._total else 1.0)


def bytes_a_second(speed: str) -> float:
    """What `52c`, `16d`, `6b` or `8` means."""
    unit = speed[-1]
    return float(speed[:-1]) * UNITS[unit] if unit in UNITS else float(speed) * UNITS["d"]
