"""Where each file of an ISO 9660 image lies, by its Rock Ridge and by its Joliet name.

A reader of its own, because a maker that reads its own images back forgives its own mistakes. Reads folders only,
follows the standards' pointers, and believes no content. ECMA-119; RRIP 1.12; SUSP 1.12; Joliet 1995.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from archive.formats import SECTOR

Extents = list[tuple[int, int]]  # (offset, length) in bytes, in the order of the file

FIRST_DESCRIPTOR: Final = 16  # sector (ECMA-119 6.2.1)
PRIMARY: Final = 1
SUPPLEMENTARY: Final = 2
TERMINATOR: Final = 255
JOLIET_ESCAPES: Final = (b"%/@", b"%/C", b"%/E")
FOLDER_FLAG: Final = 0x02
MORE_EXTENTS_FLAG: Final = 0x80
MOST_FOLDERS: Final = 1 << 17  # twice what a path table can number; more is a loop


class UnreadableImageError(Exception):
    """The image's folders don't follow the standard; the text says where."""


@dataclass(frozen=True, slots=True)
class _Record:
    name: bytes
    extent: int  # sector
    size: int
    flags: int
    system_use: bytes

    @property
    def is_folder(self) -> bool:
        return bool(self.flags & FOLDER_FLAG)


@dataclass(slots=True)
class _RockRidge:
    name: bytes = b""
    moved_to: int | None = None  # CL: the sector of a folder that stands elsewhere
    moved_here: bool = False  # RE: belongs somewhere else
    is_link: bool = False


def rock_ridge_files(image: int) -> dict[str, Extents]:
    """Every regular file by its path («a/b.txt») as Rock Ridge spells it. `image` is an open descriptor.

    Raises UnreadableImageError.
    """
    root = _root(_descriptor(image, PRIMARY))
    return _collected(_walk_rock_ridge(image, root))


def joliet_files(image: int) -> dict[str, Extents] | None:
    """Every file by its Joliet path; None if the image has no Joliet tree. Raises UnreadableImageError."""
    volume = _descriptor(image, SUPPLEMENTARY)
    return None if volume is None else _collected(_walk_joliet(image, _root(volume)))


def _walk_rock_ridge(image: int, root: _Record) -> Iterator[tuple[str, _Record]]:
    waiting = [("", root)]
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        prefix, folder = waiting.pop()
        for record in _records(image, folder):
            found = _rock_ridge(image, record.system_use)
            if found.moved_here or found.is_link:
                continue
            path = prefix + found.name.decode(errors="surrogateescape")
            if found.moved_to is not None:
                waiting.append((f"{path}/", _folder_at(image, found.moved_to)))
            elif record.is_folder:
                waiting.append((f"{path}/", record))
            else:
                yield path, record
    raise UnreadableImageError("its folders lead into one another")


def _walk_joliet(image: int, root: _Record) -> Iterator[tuple[str, _Record]]:
    waiting = [("", root)]
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        prefix, folder = waiting.pop()
        for record in _records(image, folder):
            path = prefix + record.name.decode("utf-16-be", "replace").removesuffix(";1")
            if record.is_folder:
                waiting.append((f"{path}/", record))
            else:
                yield path, record
    raise UnreadableImageError("its Joliet folders lead into one another")


def _collected(found: Iterator[tuple[str, _Record]]) -> dict[str, Extents]:
    """Extents by path; the records of a file that has several follow one another (ECMA-119 9.1.6)."""
    files: dict[str, Extents] = {}
    goes_on = ""
    for path, record in found:
        if path in files and goes_on != path:
            raise UnreadableImageError(f"{path!r} is there twice")
        files.setdefault(path, []).append((record.extent * SECTOR, record.size))
        goes_on = path if record.flags & MORE_EXTENTS_FLAG else ""
    return files


def _records(image: int, folder: _Record) -> Iterator[_Record]:
    """A folder's records, save itself and its parent."""
    data = _read(image, folder.extent * SECTOR, folder.size)
    at = 0
    while at < len(data):
        length = data[at]
        if length == 0:  # the rest of this sector is empty (ECMA-119 6.8.1.1)
            at = (at // SECTOR + 1) * SECTOR
            continue
        record = _record(data[at : at + length])
        at += length
        if record.name not in {b"\0", b"\1"}:
            yield record


def _record(data: bytes) -> _Record:
    if len(data) < 34 or len(data) < 33 + data[32]:
        raise UnreadableImageError("a directory record is cut short")
    extent, size = struct.unpack_from("<I4xI", data, 2)
    length = data[32]
    return _Record(data[33 : 33 + length], extent, size, data[25], data[33 + length + (length + 1) % 2 :])


def _folder_at(image: int, sector: int) -> _Record:
    """A folder by its place alone: its first record is itself, and knows its size."""
    start = _read(image, sector * SECTOR, SECTOR)
    return _record(start[: start[0]])


def _rock_ridge(image: int, data: bytes) -> _RockRidge:
    found = _RockRidge()
    for _ in range(64):  # continuation areas may be chained
        goes_on = _take_entries(data, found)
        if goes_on is None:
            return found
        sector, offset, length = goes_on
        data = _read(image, sector * SECTOR + offset, length)
    raise UnreadableImageError("a continuation area leads into itself")


def _take_entries(data: bytes, found: _RockRidge) -> tuple[int, int, int] | None:
    """Read one system use area; returns where it goes on: sector, offset, length."""
    goes_on: tuple[int, int, int] | None = None
    at = 0
    while at + 4 <= len(data) and (length := data[at + 2]) >= 4:
        kind, entry = data[at : at + 2], data[at : at + length]
        at += length
        if kind == b"NM":
            found.name += entry[5:]
        elif kind == b"CE":
            goes_on = struct.unpack_from("<I4xI4xI", entry, 4)
        elif kind == b"CL":
            found.moved_to = struct.unpack_from("<I", entry, 4)[0]
        elif kind == b"RE":
            found.moved_here = True
        elif kind == b"SL":
            found.is_link = True
    return goes_on


def _descriptor(image: int, wanted: int) -> bytes | None:
    for number in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + 64):
        sector = _read(image, number * SECTOR, SECTOR)
        if sector[1:6] != b"CD001" or sector[0] == TERMINATOR:
            return None
        if sector[0] == wanted and (wanted == PRIMARY or sector[88:91] in JOLIET_ESCAPES):
            return sector
    return None


def _root(volume: bytes | None) -> _Record:
    if volume is None:
        raise UnreadableImageError("it has no ISO 9660 volume descriptor")
    return _record(volume[156:190])


def _read(image: int, offset: int, length: int) -> bytes:
    data = os.pread(image, length, offset)
    if len(data) < length:
        raise UnreadableImageError(f"it ends before byte {offset + length}")
    return data
