"""How long work says how far it is. Knows nobody who listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# Called often (each megabyte) with the stage, the bytes done and the bytes there are; may raise to stop the work.
Watch = Callable[[str, int, int], None]

READING: Final = "reading"  # what came earlier is read again, for its digest
WRITING: Final = "writing"  # the source is read, hashed and laid down
WAITING: Final = "waiting"  # another process keeps the same image


def unwatched(stage: str, done: int, total: int) -> None:
    """Nobody listens."""
