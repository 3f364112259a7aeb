"""Images that come from elsewhere and whose digest is known beforehand: kept over breaks until they are whole.

Where the bytes come from is none of its business.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

from archive import making
from archive.discimage import read_disc_image
from archive.errors import ArchiveError
from archive.formats import format_bytes
from archive.making import Finished
from archive.models import Image, Layout
from archive.progress import READING, Watch, unwatched
from archive.sources import Made, recipe_of_bytes
from archive.storage import Draft, free_bytes

BLOCK: Final = 1 << 20


class Arrival:
    """An image that is coming: `received` bytes of it are here. One process at a time holds it."""

    def __init__(self, sha256: str, path: Path, file: BinaryIO) -> None:
        self.sha256 = sha256
        self.received = 0
        self._draft = Draft(path, file)
        self._digest = hashlib.sha256()

    def resume(self, watch: Watch) -> None:
        """Reads what came before; the next byte to come is number `received`."""
        self._draft.file.seek(0)
        while data := self._draft.file.read(BLOCK):
            self._digest.update(data)
            self.received += len(data)
            watch(READING, self.received, 0)

    def check_room(self, size: int) -> None:
        """Raises ArchiveError when the rest of it would not fit."""
        rest, free = size - self.received, free_bytes()
        if rest > free:
            text = f"{format_bytes(rest)} more are to come, but only {format_bytes(free)} are free for images."
            raise ArchiveError("room", f"{text} Make room: it goes on by itself.")

    def take(self, data: bytes) -> None:
        """The next bytes of it."""
        self._draft.file.write(data)
        self._digest.update(data)
        self.received += len(data)

    def keep(self, size: int, layout: str, source: str, now: datetime) -> Image:
        """It is whole: now an image of the archive. If its bytes are others it is dropped: raises ArchiveError."""
        self._draft.file.flush()
        if self.received != size or self._digest.hexdigest() != self.sha256:
            self._draft.path.unlink(missing_ok=True)
            said = f"{self.received} of {size} bytes" if self.received != size else "other bytes than its digest says"
            raise ArchiveError("image", f"It came with {said}. Read the disc again.")
        os.fsync(self._draft.file.fileno())
        made = Made(recipe_of_bytes(layout, self.sha256), self.sha256)
        finished = Finished(made, size, source, _volume(self._draft.path, layout), Layout(layout))
        return making.keep(self._draft, finished, now, unwatched)


@contextmanager
def arriving(sha256: str) -> Iterator[Arrival | None]:
    """What has come of this image so far, to be gone on with. None: another process holds it."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256}.part"
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield Arrival(sha256, path, file)


def sweep(wanted: Collection[str]) -> int:
    """Removes what came of images that nobody waits for any more. Returns how many they were."""
    swept = 0
    for path in _folder().glob("*.part"):
        if path.stem in wanted:
            continue
        with suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody is at it, and stops by itself
            path.unlink()
            swept += 1
    return swept


def _folder() -> Path:
    return Path(settings.SPINDLE_IMAGES).absolute() / "arriving"


def _volume(path: Path, layout: str) -> str:
    try:
        return read_disc_image(path).volume[:32] if layout == Layout.ISO else ""
    except ArchiveError:  # whatever is on the disc, it is copied as it is
        return ""
