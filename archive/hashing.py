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
MOST_HEAD: Final = 32 << 20  # bytes of folders that are kept; what lies behind is written at once
AHEAD: Final = 4  # chunks that may wait to be hashed; more would only take memory


class Digest(Protocol):
    def update(self, data: bytes, /) -> object: ...


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

    At first, bytes may come in any order and anywhere: folders, in thousands of small pieces, which are kept until they
    are whole. From the first `place` on each byte comes behind the one before; what is passed over is zero, or was
    written ahead.
    """

    mode: ClassVar = "r+b"  # by which pycdlib knows that it takes bytes

    def __init__(self, descriptor: int, thread: HashThread) -> None:
        self._descriptor, self._thread = descriptor, thread
        self._digest = sha256()
        self._head = bytearray()
        self._ahead = False  # something was written behind the head
        self._in_order = False
        self._hashed = 0
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self._size()
        self._at = offset
        return self._at

    def tell(self) -> int:
        return self._at

    def place(self) -> int:
        """Where the next byte goes; from here on they come in order."""
        if not self._in_order:
            self._in_order = True
            self._put(bytes(self._head), 0)
        return self._at

    def write(self, data: bytes) -> int:
        """Raises ValueError for a second write at a place that was hashed already."""
        end = self._at + len(data)
        if self._in_order:
            if self._at < self._hashed:
                raise ValueError(f"byte {self._at} was written before; the image's digest would be wrong")
            self._hash_to(self._at)
            self._thread.feed(self._digest, data)
            self._hashed = end
            if self._ahead or data != b"\0":  # the padding behind each file is there by itself
                self._put(data, self._at)
        elif end <= MOST_HEAD:
            self._head.extend(bytes(max(0, end - len(self._head))))
            self._head[self._at : end] = data
        else:
            self._ahead = True
            self._put(data, self._at)
        self._at = end
        return len(data)

    def hexdigest(self) -> str:
        """The sha256 of the whole file. Ends the thread's work."""
        self.place()
        self._hash_to(self._size())
        os.truncate(self._descriptor, self._hashed)
        self._thread.finish()
        return self._digest.hexdigest()

    def _put(self, data: bytes, at: int) -> None:
        left = memoryview(data)
        while left:
            count = os.pwrite(self._descriptor, left, at)
            left = left[count:]
            at += count

    def _size(self) -> int:
        return max(len(self._head), self._hashed, os.fstat(self._descriptor).st_size)

    def _hash_to(self, end: int) -> None:
        """Bring the digest up to `end` by what is in the file; behind its end it is going to be zeros."""
        while self._hashed < end:
            wanted = min(CHUNK, end - self._hashed)
            if self._ahead or self._hashed < len(self._head):
                piece = os.pread(self._descriptor, wanted, self._hashed) or bytes(wanted)
            else:
                piece = bytes(wanted)
            self._thread.feed(self._digest, piece)
            self._hashed += len(piece)
