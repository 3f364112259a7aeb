"""What an image is made from: a folder to master, or a finished disc image to take as it is.

Reads the source and writes into the file it is given; knows no database.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from archive.discimage import DiscImage, read_disc_image
from archive.errors import ArchiveError
from archive.hashing import CHUNK, HashThread
from archive.isofiles import Extents
from archive.mastering import ImageMaker, LaidOut
from archive.progress import WRITING, Watch
from archive.readback import check_image
from archive.sourcefile import opened
from archive.tree import Tree, changed, recipe_of, scan


@dataclass(frozen=True, slots=True)
class Made:
    """What an image was made of, and what came out: `recipe` is the sha256 (hex) of everything that decides it."""

    recipe: str
    sha256: str


class Source(Protocol):
    """Something an image can be made from."""

    path: Path
    volume: str
    files: int | None  # None when nobody has looked inside

    @property
    def size(self) -> int:
        """Bytes the image will have, exactly."""

    def write(self, target: BinaryIO, watch: Watch) -> Made:
        """Write the image to an empty file, once; the source is read once. Raises ArchiveError."""

    def check(self, image: Path) -> None:
        """Look at a written image through its own folders. Raises ArchiveError."""

    def close(self) -> None: ...


class FolderSource:
    """A folder, mastered by the maker that `SPINDLE_IMAGE_MAKER` names."""

    def __init__(self, tree: Tree, disc: LaidOut, volume: str) -> None:
        self.tree, self.disc, self.volume = tree, disc, volume
        self.path = tree.root
        self.files: int | None = sum(1 for _ in tree.files)
        self._places: Mapping[str, Extents] = {}

    @property
    def size(self) -> int:
        return self.disc.size

    def write(self, target: BinaryIO, watch: Watch) -> Made:
        written = self.disc.write(target, watch)
        self._places = written.places
        return Made(recipe_of(self.disc.options, self.tree, written.digests), written.sha256)

    def check(self, image: Path) -> None:
        check_image(image, self.tree, self._places)

    def close(self) -> None:
        self.disc.close()


def recipe_of_bytes(layout: str, sha256: str) -> str:
    """The recipe of an image that is made of its own bytes: the same whichever way they came."""
    return hashlib.sha256(json.dumps({layout: sha256}).encode()).hexdigest()


class DiscImageSource:
    """A finished disc image: opaque bytes, taken as they are."""

    files: int | None = None

    def __init__(self, found: DiscImage) -> None:
        self.path, self.size, self.volume = found.path, found.size, found.volume

    def write(self, target: BinaryIO, watch: Watch) -> Made:
        digest, done = hashlib.sha256(), 0
        with HashThread() as thread, opened(self.path) as descriptor:
            before = os.fstat(descriptor)
            while data := os.read(descriptor, CHUNK):
                thread.feed(digest, data)
                target.write(data)
                done += len(data)
                watch(WRITING, done, max(done, self.size))
            after = os.fstat(descriptor)
        target.flush()
        if done != self.size or after.st_mtime_ns != before.st_mtime_ns:
            raise changed(self.path)
        sha256 = digest.hexdigest()
        return Made(recipe_of_bytes("iso", sha256), sha256)

    def check(self, image: Path) -> None:
        """What is inside is the customer's own: nothing to compare it with."""

    def close(self) -> None:
        """Nothing is held."""


def read_source(path: Path, volume: str) -> Source:
    """Look at a folder or disc image and lay it out. Reads no file's content yet.

    `volume` names a mastered disc; a finished one keeps its own name. Raises ArchiveError("source", …).
    """
    path = path.absolute()
    try:
        real = path.resolve(strict=True)
    except OSError as error:
        raise ArchiveError("source", f"{path} can't be read: {error.strerror}.") from error
    if real.is_dir():
        tree = scan(real)
        maker: ImageMaker = import_string(settings.SPINDLE_IMAGE_MAKER)
        return FolderSource(tree, maker(tree, volume), volume)
    if real.is_file():
        return DiscImageSource(read_disc_image(real))
    raise ArchiveError("source", f"{path} is neither a folder nor a disc image.")
