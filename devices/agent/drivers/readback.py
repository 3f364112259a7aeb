"""Reads a disc back over its image's length. Must never read beyond: the medium is padded."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Final

BLOCK: Final = 1 << 20


class ReadBrokenOffError(Exception):
    """Reading was broken off because the agent stops."""


def read_digest(source: Path, size: int, stop: Event, progress: Callable[[float], None]) -> str | None:
    """The sha256 of the first `size` bytes; None where there are fewer. Raises OSError, ReadBrokenOffError."""
    digest = sha256()
    left = size
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    with source.open("rb", buffering=0) as medium:
        while left:
            if stop.is_set():
                raise ReadBrokenOffError
            got = medium.readinto(view[: min(BLOCK, left)])
            if not got:
                return None
            digest.update(view[:got])
            left -= got
            progress(1 - left / size)
    return digest.hexdigest()
