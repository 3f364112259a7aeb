"""One file of a source, read once: while pycdlib copies it, it is hashed, and it must be what was laid out.

Opened when it is read and closed at its end, so that a folder may hold more files than a process may open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from blake3 import blake3

from archive.errors import ArchiveError
from archive.hashing import HashThread
from archive.isofiles import Extents
from archive.tree import Entry, changed


class SourceFile:
    """What pycdlib takes for an open file. `hash_in` comes before the first `read`."""

    __slots__ = ("_at", "_descriptor", "_digest", "_entry", "_root", "_tell", "_thread", "places")
    mode: ClassVar = "rb"  # by which pycdlib knows that it gets bytes

    def __init__(self, root: Path, entry: Entry) -> None:
        self._root, self._entry = root, entry
        self._digest = blake3()
        self._descriptor: int | None = None
        self._at = 0
        self.places: Extents = []  # where it went to in the image

    @property
    def path(self) -> str:
        return self._entry.path

    @property
    def size(self) -> int:
        return self._entry.size

    def hash_in(self, thread: HashThread, at: Callable[[], int]) -> None:
        """`at` says where in the image the next byte goes."""
        self._thread, self._tell = thread, at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """pycdlib seeks to where each extent of the file begins: never back, never over a gap."""
        if (offset, whence) != (self._at, os.SEEK_SET):
            raise ValueError(f"{self.path} is read at {offset} instead of {self._at}; its digest would be wrong")
        return offset

    def read(self, count: int) -> bytes:
        """Raises ArchiveError when the file can't be read, or is not what it was when it was laid out."""
        if self._descriptor is None:
            self._descriptor = open_source(
                f"{self._root}/{self.path}"
            )  # a Path for each would take as long as to open it
        try:
            data = os.read(self._descriptor, count)
            while len(data) < count and (more := os.read(self._descriptor, count - len(data))):
                data += more
        except OSError as error:
            raise ArchiveError("source", f"{self._root / self.path} can't be read: {error.strerror}.") from error
        if len(data) < count:
            raise changed(self._root / self.path)
        self._note_place(len(data))
        self._at += len(data)
        self._thread.feed(self._digest, data)
        if self._at == self._entry.size:
            self._compare()
            self.close()
        return data

    def check_empty(self) -> None:
        """An empty file is never read, so nothing else tells whether it was filled meanwhile. Raises ArchiveError."""
        if self._entry.size == 0:
            self._descriptor = open_source(f"{self._root}/{self.path}")
            try:
                self._compare()
            finally:
                self.close()

    def hexdigest(self) -> str:
        """By BLAKE3: it never leaves the house, and takes a third of the time of the image's sha256."""
        return self._digest.hexdigest()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _note_place(self, length: int) -> None:
        place = self._tell()
        if self.places and sum(self.places[-1]) == place:
            place, before = self.places.pop()
            length += before
        self.places.append((place, length))

    def _compare(self) -> None:
        status = os.fstat(self._descriptor if self._descriptor is not None else -1)
        if (status.st_size, status.st_mtime_ns) != (self._entry.size, self._entry.changed_ns):
            raise changed(self._root / self.path)


def open_source(path: str | Path) -> int:
    """Open a regular file for reading, as a descriptor: through no link, and never waiting for a pipe."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ArchiveError("source", f"{path} can't be read: {error.strerror}.") from error


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """`open_source`, closed at the end of the block."""
    descriptor = open_source(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
