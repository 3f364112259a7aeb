"""Counts what changes, so that reports and drives wake up, and gives the state its sequence.

Must never hold what changed: the journal and the seats do.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Final

RESERVE: Final = 1000


class Changes:
    """`sequence` rises with every change, over restarts too.

    Numbers are reserved in blocks: after a crash the rest of a block is skipped, so none is used twice and
    progress costs no fsync.
    """

    def __init__(self, first: int, reserve: Callable[[int], None]) -> None:
        self._condition = Condition()
        self._reserve = reserve
        self._sequence = first
        self._reserved = first + RESERVE
        self._reserve(self._reserved)
        self._facts = 0
        self._progress = 0

    @property
    def sequence(self) -> int:
        return self._sequence

    @property
    def facts(self) -> int:
        """How many changes there were that are more than progress."""
        return self._facts

    @property
    def progress(self) -> int:
        return self._progress

    def note(self, *, progress: bool = False) -> None:
        """A change has been made: call after it can be read. Never inside a journal transaction."""
        with self._condition:
            self._sequence += 1
            if self._sequence >= self._reserved:
                self._reserved = self._sequence + RESERVE
                self._reserve(self._reserved)
            if progress:
                self._progress += 1
            else:
                self._facts += 1
            self._condition.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition()` or until `timeout` seconds have passed; says which."""
        with self._condition:
            return self._condition.wait_for(condition, timeout)

    def wake(self) -> None:
        """Let all who wait look again, though nothing has changed (the end is near)."""
        with self._condition:
            self._condition.notify_all()
