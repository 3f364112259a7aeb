"""What an image is made from: a folder to master, or a finished disc image to take as it is.

Reads the source and writes into the file it is given; knows no database.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from archive.discimage import DiscImage, read_disc_image
from archive.errors import ArchiveError
from archive.mastering import ImageMaker, LaidOut
from archive.progress import READING, WRITING, Watch
from archive.readback import check_image
from archive.tree import CHUNK, Tree, changed, digest_files, open_source, recipe_of, scan


class Source(Protocol):
    """Something an image can be made from."""

    path: Path
    volume: str
    files: int | None  # None when nobody has looked inside
    sha256: str  # of the image, where it is known before it is made; else empty

    @property
    def size(self) -> int:
        """Bytes the image will have, exactly."""

    def recipe(self, watch: Watch) -> str:
        """sha256 (hex) of everything the image is made from. Reads the whole source once, however often asked."""

    def write(self, target: BinaryIO, watch: Watch) -> None:
        """Write the image to an empty file."""

    def check(self, image: Path, watch: Watch) -> None:
        """Compare what is inside a written image with the source as it was when the recipe was taken."""

    def close(self) -> None: ...


class FolderSource:
    """A folder, mastered by the maker that `SPINDLE_IMAGE_MAKER` names."""

    sha256 = ""

    def __init__(self, tree: Tree, disc: LaidOut, volume: str) -> None:
        self.tree, self.disc, self.volume = tree, disc, volume
        self.path = tree.root
        self.files: int | None = sum(1 for _ in tree.files)
        self.digests: dict[str, str] = {}

    @property
    def size(self) -> int:
        return self.disc.size

    def recipe(self, watch: Watch) -> str:
        if not self.digests:
            self.digests = digest_files(self.tree, watch)
        return recipe_of(self.disc.options, self.tree, self.digests)

    def write(self, target: BinaryIO, watch: Watch) -> None:
        self.disc.write(target, watch)

    def check(self, image: Path, watch: Watch) -> None:
        check_image(image, self.tree, self.digests, watch)

    def close(self) -> None:
        self.disc.close()


class DiscImageSource:
    """A finished disc image: opaque bytes, taken as they are."""

    files: int | None = None

    def __init__(self, found: DiscImage) -> None:
        self.path, self.size, self.volume = found.path, found.size, found.volume
        self.sha256 = ""

    def recipe(self, watch: Watch) -> str:
        if not self.sha256:
            self.sha256 = self._read(None, READING, watch)
        return hashlib.sha256(json.dumps({"iso": self.sha256}).encode()).hexdigest()

    def write(self, target: BinaryIO, watch: Watch) -> None:
        self._read(target, WRITING, watch)

    def check(self, image: Path, watch: Watch) -> None:
        """Nothing more to compare than its sha256."""

    def close(self) -> None:
        """Nothing is held."""

    def _read(self, target: BinaryIO | None, stage: str, watch: Watch) -> str:
        """Read it all, into `target` or else into a digest (hex), which is returned."""
        digest, done = hashlib.sha256(), 0
        buffer = memoryview(bytearray(CHUNK))
        with open_source(self.path) as descriptor:
            while count := os.readv(descriptor, [buffer]):
                if target is None:
                    digest.update(buffer[:count])
                else:
                    target.write(buffer[:count])
                done += count
                watch(stage, done, self.size)
        if done != self.size:
            raise changed(self.path)
        return digest.hexdigest()


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
