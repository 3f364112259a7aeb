"""The folder where uploads lie until they are images: one folder for each, named by its id. Knows no states.

Its paths were checked when the upload was begun; nothing here follows a link, and nothing makes one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from archive.models import Upload, UploadFile
from archive.storage import SPARE


class BusyError(Exception):
    """Another request is sending this very file."""


@dataclass(slots=True)
class Part:
    """A file that is coming, open for more; `size` is the offset of the next byte."""

    file: BinaryIO
    size: int

    def write(self, block: bytes) -> None:
        self.file.write(block)
        self.size += len(block)

    def cut(self, size: int) -> None:
        """Takes back what came behind that offset."""
        self.file.flush()
        self.file.truncate(size)
        self.size = size

    def finish(self, modified: float | None) -> None:
        """All of it is here: on the disk, with its owner's date."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if modified is not None:
            os.utime(self.file.fileno(), (modified, modified))


def root() -> Path:
    return Path(settings.SPINDLE_UPLOADS).absolute()


def folder_of(upload: Upload) -> Path:
    return root() / str(upload.pk)


def path_of(file: UploadFile) -> Path:
    return folder_of(file.upload) / file.path


def size_of(file: UploadFile) -> int:
    """Bytes that are here."""
    try:
        return path_of(file).stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


@contextmanager
def opened(file: UploadFile) -> Iterator[Part]:
    """The file, to be gone on with by one at a time. Raises BusyError. A kill releases it."""
    path = path_of(file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+b") as opened_file:
        try:
            fcntl.flock(opened_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError from None
        yield Part(opened_file, os.fstat(descriptor).st_size)


def date_folders(folder: Path) -> int:
    """Gives each folder the date of the newest file in it: the same files sent twice are the same image."""
    newest = 1
    for entry in list(os.scandir(folder)):
        is_folder = entry.is_dir(follow_symlinks=False)
        date = date_folders(Path(entry.path)) if is_folder else int(entry.stat(follow_symlinks=False).st_mtime)
        newest = max(newest, date)
    os.utime(folder, (newest, newest))
    return newest


def remove(pk: UUID) -> None:
    shutil.rmtree(root() / str(pk), ignore_errors=True)


def folders() -> set[UUID]:
    """The uploads that have a folder. What is not named like one is not ours."""
    found = set()
    with suppress(FileNotFoundError):
        for entry in os.scandir(root()):
            with suppress(ValueError):
                found.add(UUID(entry.name))
    return found


def free_bytes() -> int:
    """Bytes that uploads may still take."""
    root().mkdir(mode=0o700, parents=True, exist_ok=True)
    return max(shutil.disk_usage(root()).free - SPARE, 0)


def shares_the_images_disk() -> bool:
    """Whether an upload and the image that is made of it take room on the same file system."""
    images = Path(settings.SPINDLE_IMAGES).absolute()
    for folder in (images, root()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root().stat().st_dev == images.stat().st_dev
