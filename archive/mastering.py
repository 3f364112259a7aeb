"""Makes a disc image of a folder with pycdlib: ISO 9660 level 3, Joliet, Rock Ridge, and UDF where they don't do.

The same tree and volume name always give the same bytes. Knows no database and no storage.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, BinaryIO, Final, Protocol

import pycdlib
from pycdlib.inode import Inode
from pycdlib.pycdlibexception import PyCdlibException

from archive.dates import dated
from archive.errors import ArchiveError
from archive.hashing import CHUNK, HashedFile, HashThread
from archive.isofiles import Extents
from archive.names import Spelling, outgrows_joliet
from archive.progress import WRITING, Watch
from archive.sourcefile import SourceFile
from archive.tree import Entry, EntryKind, Tree

# Raised when the same tree would give other bytes than before: the recipe changes with it.
REVISION: Final = 1

BIG_FILE: Final = 2**32 - 1  # bytes from which ISO 9660 needs several extents, which some readers don't follow
RR_DEPTH: Final = 8  # folders deeper than this are moved under a folder at the root (RRIP 4.1.5)

# Owners, groups and write permissions of the source mean nothing on a disc.
FOLDER_MODE: Final = 0o040555
FILE_MODE: Final = 0o100444
EXECUTABLE_MODE: Final = 0o100555


@dataclass(frozen=True, slots=True)
class Written:
    """What went into an image: its sha256 (hex), and of each file by its path a digest (hex) and the place."""

    sha256: str
    digests: Mapping[str, str]
    places: Mapping[str, Extents]


class LaidOut(Protocol):
    """A disc whose size is known and which can be written; what an image maker returns."""

    @property
    def options(self) -> dict[str, object]:
        """Whatever decides the bytes besides the tree (JSON): the maker, its version, the volume name …"""

    @property
    def size(self) -> int:
        """Bytes of the image, exactly; a multiple of 2,048."""

    def write(self, target: BinaryIO, watch: Watch) -> Written:
        """Write the image to an empty file open for reading and writing, once. Raises ArchiveError for a source
        that is not what it was when it was laid out."""

    def close(self) -> None: ...


class ImageMaker(Protocol):
    """What `SPINDLE_IMAGE_MAKER` names. Rock Ridge names of its images must be those of the tree,
    and Joliet and UDF names, where there are any, those of `archive.names`."""

    def __call__(self, tree: Tree, volume: str) -> LaidOut: ...


class FolderDisc:
    """A folder laid out by pycdlib; nothing is read or written before `write`, and each file is read once."""

    def __init__(self, tree: Tree, volume: str) -> None:
        spelt = tree.spelt
        self.volume = volume
        self.date = tree.newest
        self.udf = any(entry.size >= BIG_FILE for entry in tree.files) or any(
            outgrows_joliet(path, spelling) for path, spelling in spelt.items()
        )
        self._sources: list[SourceFile] = []
        self._iso: Any = pycdlib.PyCdlib()  # its types say less than it takes
        with without_collector(), dated(self.date) as set_date:
            self._iso.new(
                interchange_level=3,
                joliet=3,
                rock_ridge="1.09",
                udf="2.60" if self.udf else None,
                vol_ident=volume,
                app_ident_str="SPINDLE",
            )
            self._iso.set_relocated_name("RR_MOVED", _free_name("rr_moved", tree))
            for entry in tree.entries:
                set_date(entry.time)
                self._add(tree, entry, spelt[entry.path])
        self.size = int(self._iso.pvd.space_size) * int(self._iso.logical_block_size)

    @property
    def options(self) -> dict[str, object]:
        return {
            "maker": "archive.mastering.master_folder",
            "revision": REVISION,
            "pycdlib": version("pycdlib"),
            "level": 3,
            "joliet": 3,
            "rock_ridge": "1.09",
            "udf": self.udf,
            "volume": self.volume,
        }

    def write(self, target: BinaryIO, watch: Watch) -> Written:
        with HashThread() as thread, without_collector(), dated(self.date):
            file = HashedFile(target.fileno(), thread)
            for source in self._sources:
                source.hash_in(thread, at=file.place)
            self._iso.force_consistency()
            # In the order of their places, which pycdlib leaves to chance; empty ones have no place.
            self._iso.inodes = sorted(filter(Inode.get_data_length, self._iso.inodes), key=Inode.extent_location)
            self._iso.write_fp(file, blocksize=CHUNK, progress_cb=lambda done, total: watch(WRITING, done, total))
            for source in self._sources:
                source.check_empty()
            sha256 = file.hexdigest()
        self.close()
        return Written(
            sha256=sha256,
            digests={source.path: source.hexdigest() for source in self._sources},
            places={source.path: source.places for source in self._sources},
        )

    def close(self) -> None:
        if self._iso is not None:
            for source in self._sources:
                source.close()
            self._iso.close()
            self._iso = None

    def _add(self, tree: Tree, entry: Entry, spelling: Spelling) -> None:
        name = entry.path.rpartition("/")[2]
        if entry.kind is EntryKind.LINK:
            # Only in Rock Ridge: Joliet knows no links, and 7z takes no UDF that has one for UDF at all.
            self._iso.add_symlink(spelling.iso, rr_symlink_name=name, rr_path=entry.target)
            return
        paths = {"iso_path": spelling.iso, "rr_name": name, "joliet_path": spelling.joliet}
        if self.udf:
            paths["udf_path"] = spelling.udf
        if entry.kind is EntryKind.FOLDER:
            self._iso.add_directory(file_mode=FOLDER_MODE, **paths)
        else:
            mode = EXECUTABLE_MODE if entry.executable else FILE_MODE
            self._sources.append(SourceFile(tree.root, entry))
            self._iso.add_fp(self._sources[-1], entry.size, file_mode=mode, **paths)


def master_folder(tree: Tree, volume: str) -> FolderDisc:
    """Lay a folder out as a disc. Raises ArchiveError for what a disc can't hold."""
    try:
        return FolderDisc(tree, volume)
    except PyCdlibException as error:
        raise ArchiveError("source", f"{tree.root} can't be laid out on a disc: {error}.") from error


def _free_name(name: str, tree: Tree) -> str:
    taken = {entry.path for entry in tree.entries}
    while name in taken:
        name += "_"
    return name


@contextmanager
def without_collector() -> Iterator[None]:
    """pycdlib makes millions of objects that all stay: looking for garbage among them costs a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
