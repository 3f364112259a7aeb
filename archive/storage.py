"""The folder of images by digest: a name there is a whole, checked file, or it is not there.

Knows nothing of titles or states.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

from archive.models import Image

# Left free, because a full disk stops the database as well.
SPARE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Draft:
    """An image that is being made, under a name that nobody else reads."""

    path: Path
    file: BinaryIO

    def keep(self, sha256: str) -> Path:
        """Give the finished file its place. The caller has flushed and fsynced it."""
        place = path_by_digest(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.fchmod(self.file.fileno(), 0o444)  # nothing changes an image any more
        self.path.rename(place)
        for folder in (place.parent, place.parent.parent):
            _sync_folder(folder)
        return place


def path_by_digest(sha256: str) -> Path:
    """Absolute path of the image with this digest, whether it is there or not."""
    return Path(settings.SPINDLE_IMAGES).absolute() / sha256[:2] / f"{sha256}.iso"


def path_of(image: Image) -> Path:
    """Absolute path of a ready image. Raises ValueError while it isn't made."""
    if image.sha256 is None:
        raise ValueError(f"Image {image.pk} is {image.state}: it has no file yet.")
    return path_by_digest(image.sha256)


def open_image(sha256: str) -> BinaryIO:
    """Open a stored image for reading. Raises FileNotFoundError."""
    return path_by_digest(sha256).open("rb")


def has_image(image: Image) -> bool:
    """Whether the file of a ready image is there, at its full size."""
    try:
        return path_of(image).stat().st_size == image.size
    except FileNotFoundError:
        return False


def free_bytes() -> int:
    """Bytes that images may still take."""
    folder = Path(settings.SPINDLE_IMAGES)
    folder.mkdir(parents=True, exist_ok=True)
    return max(shutil.disk_usage(folder).free - SPARE, 0)


@contextmanager
def draft() -> Iterator[Draft]:
    """A new file beside the images; gone at the end of the block unless it was kept."""
    folder = _drafts()
    folder.mkdir(parents=True, exist_ok=True)
    sweep()
    path = folder / f"{secrets.token_hex(8)}.part"
    with _create_locked(path) as file:
        try:
            yield Draft(path, file)
        finally:
            path.unlink(missing_ok=True)


def sweep() -> int:
    """Remove what killed processes left. Returns how many files that were."""
    swept = 0
    for path in _drafts().glob("*.part"):
        with suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its maker is alive
            path.unlink()
            swept += 1
    return swept


def _drafts() -> Path:
    return Path(settings.SPINDLE_IMAGES).absolute() / "making"


def _create_locked(path: Path) -> BinaryIO:
    """A new file whose lock says that its maker is alive; the kernel drops it even on kill -9."""
    while True:
        file = path.open("w+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()  # swept between open and lock


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
