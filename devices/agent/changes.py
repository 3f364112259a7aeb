"""Counts what changes, so that reports and drives wake up, and gives the state its sequence.

Must never hold what changed: the journal and the seats do.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from threading import Condition
from typing import Final

log = logging.getLogger("agent")

RESERVE: Final = 1000


class Changes:
    """`sequence` rises with every change, over restarts too.

    Numbers are reserved in blocks: after a crash the rest of a block is skipped, so none is used twice and
    progress costs no fsync.
    """

    def __init__(self, first: int, reserve: Callable[[int], None]) -> None:
        self._condition = Condition()
        self._reserve = reserve
        reserve(first + RESERVE)
        self._sequence = first
        self._reserved = first + RESERVE
        self._is_stuck = False
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
        """A change has been made: call after it can be read. Never inside a journal transaction.

        Never raises: what was done is done, whether or not its number could be saved. Without one the sequence stands
        still until the next try; who waits is told all the same, and the server takes the same number again.
        """
        with self._condition:
            if self._sequence < self._reserved or self._reserve_more():
                self._sequence += 1
            if progress:
                self._progress += 1
            else:
                self._facts += 1
            self._condition.notify_all()

    def _reserve_more(self) -> bool:
        """On the disk first: the sequence must never pass what a restart would go on from."""
        more = self._sequence + RESERVE
        try:
            self._reserve(more)
        except sqlite3.Error as fault:
            if not self._is_stuck:  # told once, not at each step of a progress
                log.error("the sequence stands still, for the journal can't be written: %s", fault)
            self._is_stuck = True
            return False
        self._reserved = more
        self._is_stuck = False
        return True

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition()` or until `timeout` seconds have passed; says which."""
        with self._condition:
            return self._condition.wait_for(condition, timeout)

    def wake(self) -> None:
        """Let all who wait look again, though nothing has changed (the end is near)."""
        with self._condition:
            self._condition.notify_all()
