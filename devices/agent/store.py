"""Images and faces on the writer's disk: announced and received, or read from a disc; checked, purged.

`ready` is set only when the whole digest was checked here. Must never fetch: it says what is to be fetched.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Final
from uuid import UUID

from devices.agent import private
from devices.agent.journal import Journal
from devices.agent.problems import RefusedError, conflict
from devices.agent.reads import Copy
from devices.agent.stored import Stored, find, is_wanted, stored_of
from devices.agent.wire import DiskFact, ImageAnswer, ImageFact, ImageOrder, ImageState, ProblemType

log = logging.getLogger("agent")

# What is left free where no limit is set: journal, logs and the system live on the same disk.
KEEP_FREE: Final = 0.05
VANISHED: Final = "the image's file on the writer's disk is gone or was changed"


class CopyGoneError(Exception):
    """What a drive has read in is not on the disk any more; the text is the read's `reason`."""


class Store:
    def __init__(self, journal: Journal, folder: Path, disk_limit: int | None) -> None:
        self._journal = journal
        self._folder = folder
        self._disk_limit = disk_limit
        self._received: dict[str, int] = {}
        self._growing: dict[str, int] = {}  # bytes of files that drives are reading in, by name
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        return self._folder / digest

    def part(self, digest: str) -> Path:
        return self._folder / f"{digest}.part"

    def read_part(self, read: UUID) -> Path:
        """What a drive reads goes here, until its digest is known."""
        return self._folder / f"read-{read}.part"

    def announce(self, digest: str, order: ImageOrder, now: datetime) -> Stored:
        """Have this file: gives its present state. Raises RefusedError (409 for other facts, 507 without room)."""
        with self._lock, self._journal.transaction() as connection:
            known = find(connection, digest)
            if known is not None and known.state is not ImageState.FAILED:
                if (known.layout, known.size) != (order.layout, order.size):
                    detail = f"{digest} was announced as {known.layout} of {known.size} bytes: purge it first."
                    raise conflict(ProblemType.DIFFERENT_BODY, detail)
                if known.state is ImageState.RECEIVING or self._is_whole(known):
                    return known
            self._check_room(connection, digest, order.size)
            connection.execute(
                "INSERT INTO images (sha256, layout, size, name, state, used_at)"
                " VALUES (?, ?, ?, ?, 'receiving', ?) ON CONFLICT (sha256) DO UPDATE SET"
                " layout = excluded.layout, size = excluded.size, name = excluded.name,"
                " state = 'receiving', reason = NULL, mtime_ns = NULL",
                (digest, order.layout, order.size, order.name, now.isoformat()),
            )
            fresh = find(connection, digest)
        assert fresh is not None  # noqa: S101 — inserted above, in the same transaction
        return fresh

    def find(self, digest: str) -> Stored | None:
        rows = self._journal.rows("SELECT * FROM images WHERE sha256 = ?", digest)
        return stored_of(rows[0]) if rows else None

    def answer(self, stored: Stored) -> ImageAnswer:
        if stored.state is ImageState.READY:
            return ImageAnswer(state=stored.state, received=stored.size)
        received = self._received.get(stored.sha256)
        if received is None:
            received = self._bytes_of(stored.sha256)
        return ImageAnswer(state=stored.state, received=received, reason=stored.reason)

    def _bytes_of(self, digest: str) -> int:
        """What is on the disk of it. A fetch may end while we look: the part is then the whole file, or gone."""
        for file in (self.part(digest), self.path(digest)):
            with suppress(FileNotFoundError):
                return file.stat().st_size
        return 0

    def received(self, digest: str, count: int) -> None:
        """How far a fetch is, in bytes."""
        self._received[digest] = count

    def settle(self, digest: str, fault: str | None) -> bool:
        """The fetch is over: ready (its part is whole and checked) or failed.

        False if it was purged meanwhile, or came from a disc.
        """
        part, path = self.part(digest), self.path(digest)
        with self._lock:
            self._received.pop(digest, None)
            stored = self.find(digest)
            if stored is None or stored.state is not ImageState.RECEIVING:
                part.unlink(missing_ok=True)
                return False
            mtime_ns = None
            if fault is None:
                part.replace(path)
                mtime_ns = path.stat().st_mtime_ns
            else:
                part.unlink(missing_ok=True)
            with self._journal.transaction() as connection:
                connection.execute(
                    "UPDATE images SET state = ?, reason = ?, mtime_ns = ? WHERE sha256 = ?",
                    ("failed" if fault else "ready", fault, mtime_ns, digest),
                )
        return True

    def adopt(self, read: UUID, copy: Copy, name: str, now: datetime) -> None:
        """What was read is whole, checked and on the disk: an image of its digest, if there is none yet.

        Raises CopyGoneError where it is not on the disk after all.
        """
        part, path = self.read_part(read), self.path(copy.sha256)
        with self._lock:
            known = self.find(copy.sha256)
            if known is not None and known.state is ImageState.READY and self._is_whole(known):
                self._unlink(part)
            elif part.exists():  # not if this is said again, because the journal could not be written
                part.replace(path)
                private.sync(self._folder)  # it can't be had again from anywhere: its name, before it is told
            self._growing.pop(part.name, None)
            mtime_ns = _written_at(path)
            with self._journal.transaction() as connection:
                connection.execute(
                    "INSERT INTO images (sha256, layout, size, name, state, used_at, mtime_ns)"
                    " VALUES (?, ?, ?, ?, 'ready', ?, ?) ON CONFLICT (sha256) DO UPDATE SET"
                    " state = 'ready', reason = NULL, layout = excluded.layout, size = excluded.size,"
                    " used_at = excluded.used_at, mtime_ns = excluded.mtime_ns",
                    (copy.sha256, copy.layout, copy.size, name, now.isoformat(), mtime_ns),
                )

    def drop_read(self, read: UUID) -> None:
        """A read made no image."""
        part = self.read_part(read)
        self._unlink(part)
        self._growing.pop(part.name, None)

    def grow(self, read: UUID, size: int) -> bool:
        """What is being read takes `size` bytes by now; False where there is no room for them."""
        self._growing[self.read_part(read).name] = size
        held, coming = self._held(self.all())
        return held <= self._disk(held, coming).capacity

    def drop_part(self, digest: str) -> None:
        """A fetch was given up: its part goes, unless the file is wanted (again)."""
        with self._lock:
            stored = self.find(digest)
            if stored is None or stored.state is not ImageState.RECEIVING:
                self.part(digest).unlink(missing_ok=True)
                self._received.pop(digest, None)

    def trusted(self, digest: str) -> Stored | None:
        """The image if it is ready and its file is the one that was checked; else it is not ready any more."""
        stored = self.find(digest)
        if stored is None or stored.state is not ImageState.READY:
            return None
        if self._is_whole(stored):
            return stored
        log.error("image %s: %s", digest, VANISHED)
        with self._journal.transaction() as connection:
            connection.execute(
                "UPDATE images SET state = 'failed', reason = ? WHERE sha256 = ? AND state = 'ready'",
                (VANISHED, digest),
            )
        return None

    def _is_whole(self, stored: Stored) -> bool:
        try:
            found = self.path(stored.sha256).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (stored.size, stored.mtime_ns)

    def purge(self, digest: str) -> bool:
        """Drop an image; False where there is none. Raises RefusedError (409) while a write wants it."""
        with self._lock:
            with self._journal.transaction() as connection:
                if find(connection, digest) is None:
                    return False
                if is_wanted(connection, digest):
                    raise conflict(ProblemType.IMAGE_IN_USE, f"Discs of {digest} are still to be written here.")
                connection.execute("DELETE FROM images WHERE sha256 = ?", (digest,))
            # A fetch under way finds its row gone and removes its part itself.
            if digest not in self._received:
                self.part(digest).unlink(missing_ok=True)
            self._unlink(self.path(digest))
        return True

    @staticmethod
    def _unlink(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:  # a disk that fails, or Windows while somebody reads it: the next start tries again
            log.warning("%s: can't be removed yet: %s", path.name, fault)

    def reconcile(self) -> list[str]:
        """At the start: drop what nobody announced, refetch what is gone. Gives the digests to be received.

        What a read made came from no server: gone it is failed, unless the server announces it.
        """
        known = {stored.sha256: stored for stored in self.all()}
        for path in self._folder.iterdir():
            if not (path.is_file() or path.is_symlink()):
                continue  # the disk's own lost+found, or somebody's folder: none of ours
            if path.name.removesuffix(".part") not in known:
                self._unlink(path)
        for stored in known.values():
            if stored.state is ImageState.READY and not self._is_whole(stored):
                if self._journal.rows("SELECT 1 FROM reads WHERE sha256 = ? LIMIT 1", stored.sha256):
                    self.trusted(stored.sha256)
                    continue
                log.warning("image %s: %s: fetching it again", stored.sha256, VANISHED)
                with self._journal.transaction() as connection:
                    connection.execute("UPDATE images SET state = 'receiving' WHERE sha256 = ?", (stored.sha256,))
        return [stored.sha256 for stored in self.all() if stored.state is ImageState.RECEIVING]

    def all(self) -> list[Stored]:
        return [stored_of(row) for row in self._journal.rows("SELECT * FROM images ORDER BY sha256")]

    def facts(self) -> tuple[ImageFact, ...]:
        return tuple(
            ImageFact(
                sha256=stored.sha256,
                layout=stored.layout,
                size=stored.size,
                state=stored.state,
                used_at=stored.used_at,
            )
            for stored in self.all()
        )

    # -- room ------------------------------------------------------------------------------------------------------

    def disk(self) -> DiskFact:
        """Bytes that images may take in all, and what is left of them."""
        held, coming = self._held(self.all())
        return self._disk(held, coming)

    def _disk(self, held: int, coming: int) -> DiskFact:
        free = shutil.disk_usage(self._folder).free
        capacity = int((held - coming + free) * (1 - KEEP_FREE))
        if self._disk_limit is not None:
            capacity = min(capacity, self._disk_limit)
        return DiskFact(capacity=max(0, capacity), free=max(0, capacity - held))

    def _held(self, images: list[Stored]) -> tuple[int, int]:
        """Bytes that images take or are going to take; of these, the bytes still to come."""
        live = [stored for stored in images if stored.state is not ImageState.FAILED]
        coming = sum(
            max(0, stored.size - self.answer(stored).received)
            for stored in live
            if stored.state is ImageState.RECEIVING
        )
        return sum(stored.size for stored in live) + sum(self._growing.values()), coming

    def check_any_room(self) -> None:
        """Something of unknown size is to come. Raises RefusedError (507) where there is no room at all."""
        disk = self.disk()
        if disk.free == 0:
            raise RefusedError(
                HTTPStatus.INSUFFICIENT_STORAGE,
                ProblemType.SPOOL_AREA_FULL,
                f"None of {disk.capacity} bytes is free. Purge images first.",
            )

    def _check_room(self, connection: sqlite3.Connection, digest: str, size: int) -> None:
        rows = connection.execute("SELECT * FROM images WHERE sha256 != ?", (digest,)).fetchall()
        disk = self._disk(*self._held([stored_of(row) for row in rows]))
        if size > disk.free:
            raise RefusedError(
                HTTPStatus.INSUFFICIENT_STORAGE,
                ProblemType.SPOOL_AREA_FULL,
                f"{size} bytes don't fit: {disk.free} of {disk.capacity} bytes are free. Purge images first.",
            )


def _written_at(path: Path) -> int:
    """In nanoseconds. Raises CopyGoneError."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError as fault:
        raise CopyGoneError("what was read in is gone from the writer's disk: ask for it again") from fault
