"""Looks at a written image through each of its file systems: every file must lie where its bytes were laid.

pycdlib has written wrong folders without a word before; nothing is kept before this has passed. The files' bytes
were hashed on their way into the image and are not read again here.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from archive.errors import ArchiveError
from archive.isofiles import Extents, UnreadableImageError, joliet_files, rock_ridge_files
from archive.mastering import without_collector
from archive.tree import Tree

ANCHOR: Final = 256  # sector of UDF's anchor (ECMA-167 3/8.4.2.1)


def check_image(image: Path, tree: Tree, places: Mapping[str, Extents]) -> None:
    """Compare what the image's folders say with the tree and the `places` (bytes) of its files.

    Raises ArchiveError naming the first difference.
    """
    spelt = tree.spelt
    descriptor = os.open(image, os.O_RDONLY)
    try:
        _compare("Rock Ridge", rock_ridge_files(descriptor), {entry.path: entry.path for entry in tree.files}, places)
        joliet = joliet_files(descriptor)
        if joliet is not None:
            names = {spelt[entry.path].joliet[1:]: entry.path for entry in tree.files}
            _compare("Joliet", joliet, names, places)
    except UnreadableImageError as error:
        raise _unreadable(tree, error) from error
    finally:
        os.close(descriptor)
    try:
        if (udf := _udf_files(image, tree)) is not None:
            _compare("UDF", udf, {entry.path: entry.path for entry in tree.files}, places)
    except PyCdlibException as error:
        raise _unreadable(tree, error) from error


def _compare(
    system: str, found: Mapping[str, Extents], names: Mapping[str, str], places: Mapping[str, Extents]
) -> None:
    """`names` gives the source's path for each name that this file system must have."""
    if found.keys() != names.keys():
        name = min(found.keys() ^ names.keys())
        raise ArchiveError("source", f"{name} is {'not ' * (name in names)}on the made disc ({system}); {_UNUSABLE}")
    for name, path in names.items():
        if found[name] != places[path] and _joined(found[name]) != _joined(places[path]):
            raise ArchiveError("source", f"{path} lies elsewhere on the made disc than {system} says; {_UNUSABLE}")


_UNUSABLE: Final = "this image maker can't be used"


def _unreadable(tree: Tree, error: Exception) -> ArchiveError:
    return ArchiveError("source", f"the image made from {tree.root} doesn't read back: {error}.")


def _udf_files(image: Path, tree: Tree) -> dict[str, Extents] | None:
    """Every file of the tree as UDF finds it; None without UDF."""
    with image.open("rb") as file:
        file.seek(ANCHOR * 2048)
        if file.read(2) != b"\x02\x00":
            return None
    gc.collect()  # the maker's records hold one another, and are as many as those that come now
    disc = pycdlib.PyCdlib()
    with without_collector():
        disc.open(str(image))
        try:
            spelt = tree.spelt
            return {
                entry.path: list(disc.get_file_byte_extents(udf_path=spelt[entry.path].udf)) for entry in tree.files
            }
        finally:
            disc.close()


def _joined(extents: Extents) -> Extents:
    """Neighbouring extents as one, because each file system cuts a big file at other places."""
    joined: Extents = []
    for offset, length in extents:
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        elif length:
            joined.append((offset, length))
    return joined
