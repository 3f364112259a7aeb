"""Reads a made image back and compares every name and byte with what it was made from.

pycdlib writes a wrong image without a word when a source shrinks meanwhile; nothing is kept before this has passed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from archive.errors import ArchiveError
from archive.mastering import without_collector
from archive.names import Spelling, spell_tree
from archive.progress import CHECKING, Watch
from archive.tree import CHUNK, Entry, EntryKind, Tree, changed

ONE_EXTENT: Final = 0xFFFF_F800  # bytes; what is longer has several records in ISO 9660 (pycdlib, xorriso)

Extents = list[tuple[int, int]]  # (offset, length) in bytes, in the order of the file


def check_image(image: Path, tree: Tree, digests: Mapping[str, str], watch: Watch) -> None:
    """Compare the image with the tree and its sha256 by path. Raises ArchiveError naming the first difference."""
    places = _find_files(image, tree)
    total, done = tree.bytes, 0
    buffer = memoryview(bytearray(CHUNK))
    descriptor = os.open(image, os.O_RDONLY)
    try:
        # In the order of the image, because it may be far larger than the memory.
        for path in sorted(places, key=lambda path: places[path]):
            digest = hashlib.sha256()
            for start, length in places[path]:
                for offset in range(start, start + length, CHUNK):
                    wanted = min(CHUNK, start + length - offset)
                    count = os.preadv(descriptor, [buffer[:wanted]], offset)
                    digest.update(buffer[:count])
                    done += count
                    watch(CHECKING, done, total)
            if digest.hexdigest() != digests[path]:
                raise changed(tree.root / path)
    finally:
        os.close(descriptor)


def _find_files(image: Path, tree: Tree) -> dict[str, Extents]:
    spelt = spell_tree({entry.path: entry.kind is EntryKind.FOLDER for entry in tree.entries})
    disc = pycdlib.PyCdlib()
    try:
        with without_collector():
            disc.open(str(image))
        try:
            return {entry.path: _extents(disc, tree, entry, spelt[entry.path]) for entry in tree.files}
        finally:
            disc.close()
    except PyCdlibException as error:
        raise ArchiveError("source", f"the image made from {tree.root} doesn't read back: {error}.") from error


def _extents(disc: pycdlib.PyCdlib, tree: Tree, entry: Entry, spelling: Spelling) -> Extents:
    """Where the file lies. Every file system on the disc must find it at the same place."""
    extents = _joined(_by_rock_ridge(disc, f"/{entry.path}", entry.size))
    if sum(length for _, length in extents) != entry.size:
        raise changed(tree.root / entry.path)
    others = [disc.get_file_byte_extents(joliet_path=spelling.joliet)] if disc.has_joliet() else []
    if disc.has_udf():
        others.append(disc.get_file_byte_extents(udf_path=spelling.udf))
    if any(_joined(other) != extents for other in others):
        raise ArchiveError("source", f"{entry.path} lies at two places of the image; this maker can't be used.")
    return extents


def _by_rock_ridge(disc: pycdlib.PyCdlib, path: str, size: int) -> Extents:
    if size <= ONE_EXTENT:
        return list(disc.get_file_byte_extents(rr_path=path))
    # By its Rock Ridge name pycdlib finds the last record of a file that has several; by its ISO name the first.
    iso_path = disc.full_path_from_dirrecord(disc.get_record(rr_path=path))
    return list(disc.get_file_byte_extents(iso_path=iso_path))


def _joined(extents: Extents) -> Extents:
    """Neighbouring extents as one, because each file system cuts a big file at other places."""
    joined: Extents = []
    for offset, length in extents:
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        elif length:
            joined.append((offset, length))
    return joined
