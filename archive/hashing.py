"""Hashes data in a thread beside the work that reads and writes it, so that nothing has to be read a second time.

Knows neither discs nor the database.
"""

from __future__ import annotations

import os
from hashlib import sha256
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import ClassVar, Final, Protocol

CHUNK: Final = 1 << 20  # bytes read, written and handed over at a time
AHEAD: Final = 4  # chunks that may wait to be hashed; more would only take memory


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class HashThread:
    """Takes pieces for any number of digests and hashes them in the order they came.

    Small pieces are handed over together: waking a thread costs as much as hashing some kilobytes.
    """

    def __init__(self) -> None:
        self._queue: Queue[list[tuple[Digest, bytes]]] = Queue(AHEAD)
        self._pieces: list[tuple[Digest, bytes]] = []
        self._bytes = 0
        self._thread = Thread(target=self._work, name="hash", daemon=True)
        self._thread.start()

    def feed(self, digest: Digest, piece: bytes) -> None:
        self._pieces.append((digest, piece))
        self._bytes += len(piece)
        if self._bytes >= CHUNK:
            self._hand_over()

    def finish(self) -> None:
        """Returns when everything fed is in its digest. May be called again; nothing is fed afterwards."""
        if self._thread.is_alive():
            if self._pieces:
                self._hand_over()
            self._queue.put([])
            self._thread.join()

    def __enter__(self) -> HashThread:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def _hand_over(self) -> None:
        self._queue.put(self._pieces)
        self._pieces, self._bytes = [], 0

    def _work(self) -> None:
        while pieces := self._queue.get():
            for digest, piece in pieces:
                digest.update(piece)


class HashedFile:
    """A new file that is hashed while it is written: what pycdlib takes for the image.

    At first, bytes may come in any order and anywhere. From the first `place` on each comes behind the one before;
    what is passed over, and what was written ahead, is read back from the file.
    """

    mode: ClassVar = "r+b"  # by which pycdlib knows that it takes bytes

    def __init__(self, descriptor: int, thread: HashThread) -> None:
        self._descriptor, self._thread = descriptor, thread
        self._digest = sha256()
        self._hashed = 0
        self._at = 0
        self._in_order = False

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size()}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def place(self) -> int:
        """Where the next byte goes; from here on they come in order."""
        self._in_order = True
        return self._at

    def write(self, data: bytes) -> int:
        """Raises ValueError for a second write at a place that was hashed already."""
        if self._in_order:
            self._hash_to(self._at)
            if self._at < self._hashed:
                raise ValueError(f"byte {self._at} was written before; the image's digest would be wrong")
            self._thread.feed(self._digest, data)
            self._hashed += len(data)
        left = memoryview(data)
        while left:
            count = os.pwrite(self._descriptor, left, self._at)
            left = left[count:]
            self._at += count
        return len(data)

    def hexdigest(self) -> str:
        """The sha256 of the whole file. Ends the thread's work."""
        self._hash_to(self._size())
        self._thread.finish()
        return self._digest.hexdigest()

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _hash_to(self, end: int) -> None:
        """Bring the digest up to `end` by what is in the file; behind its end it is going to be zeros."""
        while self._hashed < end:
            wanted = min(CHUNK, end - self._hashed)
            piece = os.pread(self._descriptor, wanted, self._hashed) or bytes(wanted)
            self._thread.feed(self._digest, piece)
            self._hashed += len(piece)
