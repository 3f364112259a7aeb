"""A file that is hashed in a second thread while it is written, from where it stood on.

Must never be read by others before its digest was compared.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Final

BLOCK: Final = 1 << 20
BUFFERS: Final = 4
WRITE_BACK: Final = 16 << 20  # bytes after which the disk is to begin; else it idles, and all wait for it afterwards


class HashingFile:
    """Fill `room()`, then `take(count)` it (or `give_back()`); `digest()` once everything is in."""

    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._hash = sha256()
        self._free: Queue[memoryview] = Queue()
        self._full: Queue[tuple[memoryview, int] | None] = Queue()
        for _ in range(BUFFERS):
            self._free.put(memoryview(bytearray(BLOCK)))
        self._current: memoryview | None = None
        self._thread: Thread | None = None
        self._on_its_way = 0  # bytes that the disk was told of
        self.length = 0
        try:
            self._reread(size)
        except BaseException:
            self._file.close()
            raise
        self._begin()

    def _reread(self, size: int) -> None:
        """What an earlier try left is hashed again; more than `size` bytes can't be ours."""
        if self._file.seek(0, os.SEEK_END) > size:
            self._file.truncate(0)
        self._file.seek(0)
        buffer = memoryview(bytearray(BLOCK))
        while self.length < size and (got := self._file.readinto(buffer)):
            self._hash.update(buffer[:got])
            self.length += got

    def _begin(self) -> None:
        self._thread = Thread(target=self._work, name="hash", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (item := self._full.get()) is not None:
            view, count = item
            self._hash.update(view[:count])
            self._free.put(view)

    def _finish(self) -> None:
        if self._thread is not None:
            self._full.put(None)
            self._thread.join()
            self._thread = None

    def room(self) -> memoryview:
        self._current = self._free.get()
        return self._current

    def take(self, count: int) -> None:
        view = self._current
        assert view is not None  # noqa: S101 — room() comes first
        self._current = None
        left = view[:count]
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._free.put(view)
            raise
        self._full.put((view, count))
        self.length += count
        if self.length - self._on_its_way >= WRITE_BACK:
            self._begin_writing_back()

    def _begin_writing_back(self) -> None:
        """Linux begins to write what it is told not to keep, and keeps what is not written yet."""
        if hasattr(os, "posix_fadvise"):
            there, length = self._on_its_way, self.length - self._on_its_way
            os.posix_fadvise(self._file.fileno(), there, length, os.POSIX_FADV_DONTNEED)
        self._on_its_way = self.length

    def give_back(self) -> None:
        if self._current is not None:
            self._free.put(self._current)
            self._current = None

    def restart(self) -> None:
        """The source begins anew: so do file and digest."""
        self._finish()
        self._file.seek(0)
        self._file.truncate(0)
        self._hash = sha256()
        self.length = self._on_its_way = 0
        self._begin()

    def digest(self) -> str:
        """The sha256 of the whole file, which is on the disk now."""
        self._finish()
        os.fsync(self._file.fileno())
        return self._hash.hexdigest()

    def __enter__(self) -> HashingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        self._file.close()
