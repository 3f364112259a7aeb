"""A file that somebody else writes, hashed in a thread of its own while it grows.

It has to be written from front to back: what was hashed once isn't looked at again. Must never write into it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final

BLOCK: Final = 1 << 20
LOOK: Final = 0.2  # seconds between two looks at its size


class GrowingFile:
    """`grown` hears its size now and then. `finish()` once it is written."""

    def __init__(self, path: Path, grown: Callable[[int], None]) -> None:
        self._grown = grown
        self._file = path.open("w+b", buffering=0)
        self._hash = sha256()
        self._hashed = 0
        self._over = Event()
        self._fault: Exception | None = None
        self._thread = Thread(target=self._run, name="hash-read", daemon=True)
        self._thread.start()

    def finish(self) -> tuple[str, int]:
        """Digest and size of the whole file, which is on the disk now. Raises OSError, and what `grown` raised."""
        self._end()
        if self._fault is not None:
            raise self._fault
        size = os.fstat(self._file.fileno()).st_size
        if size < self._hashed:  # cut off at its end
            self._hash, self._hashed = sha256(), 0
        self._take(size)
        os.fsync(self._file.fileno())
        return self._hash.hexdigest(), size

    def _run(self) -> None:
        try:
            while not self._over.wait(LOOK):
                size = os.fstat(self._file.fileno()).st_size
                self._grown(size)
                self._take(size)
        except Exception as fault:  # raised again where it is waited for
            self._fault = fault

    def _take(self, size: int) -> None:
        buffer = memoryview(bytearray(BLOCK))
        self._file.seek(self._hashed)
        while self._hashed < size and (got := self._file.readinto(buffer[: size - self._hashed])):
            self._hash.update(buffer[:got])
            self._hashed += got

    def _end(self) -> None:
        self._over.set()
        self._thread.join()

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._file.close()
