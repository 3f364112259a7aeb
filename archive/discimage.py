"""Looks whether a file is a whole disc image: ISO 9660 or UDF. Reads a few sectors; unpacks and believes nothing."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from archive.errors import ArchiveError
from archive.formats import SECTOR, format_bytes

FIRST_DESCRIPTOR: Final = 16  # sector; ECMA-119 6.2.1 and ECMA-167 2/8.1
ANCHOR: Final = 256  # sector of UDF's anchor (ECMA-167 3/8.4.2.1)
MAX_DESCRIPTORS: Final = 64


@dataclass(frozen=True, slots=True)
class DiscImage:
    """A file that is a disc image of `size` bytes. `volume` may be empty."""

    path: Path
    size: int
    volume: str


def read_disc_image(path: Path) -> DiscImage:
    """Check a file. Raises ArchiveError when it is empty, no disc image, or shorter than it says itself."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise ArchiveError("source", f"{path} is empty.")
            primary, is_udf = _descriptors(file)
            if primary is None and not is_udf:
                raise ArchiveError("source", f"{path} is neither a folder nor a disc image (ISO 9660 or UDF).")
            claimed = max(_iso_size(primary), _udf_size(file) if is_udf else 0)
    except OSError as error:
        raise ArchiveError("source", f"{path} can't be read: {error.strerror}.") from error
    if size < claimed:
        raise ArchiveError(
            "source",
            f"{path} is cut short: it has {format_bytes(size)} of {format_bytes(claimed)}; fetch it again.",
        )
    if size % SECTOR:
        raise ArchiveError("source", f"{path} is not made of whole sectors of {SECTOR} bytes; fetch it again.")
    return DiscImage(path, size, _volume(primary))


def is_disc_image(path: Path) -> bool:
    """Whether the file says that it is one; that it is whole, `read_disc_image` tells."""
    with path.open("rb") as file:
        primary, is_udf = _descriptors(file)
    return primary is not None or is_udf


def _sector(file: BinaryIO, number: int) -> bytes:
    file.seek(number * SECTOR)
    return file.read(SECTOR).ljust(SECTOR, b"\0")


def _descriptors(file: BinaryIO) -> tuple[bytes | None, bool]:
    """The primary volume descriptor of ISO 9660, if any, and whether there is UDF."""
    primary, is_udf = None, False
    for number in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + MAX_DESCRIPTORS):
        sector = _sector(file, number)
        if sector[1:6] == b"CD001":
            if sector[0] == 1 and primary is None:
                primary = sector
        elif sector[1:6] in {b"NSR02", b"NSR03"}:
            is_udf = True
        elif sector[1:6] not in {b"BEA01", b"BOOT2", b"TEA01"} and any(sector):
            break
    return primary, is_udf


def _iso_size(primary: bytes | None) -> int:
    if primary is None:
        return 0
    blocks, block = struct.unpack_from("<I", primary, 80)[0], struct.unpack_from("<H", primary, 128)[0]
    return int(blocks) * int(block)


def _udf_size(file: BinaryIO) -> int:
    """Where the last partition ends, in bytes; at least the anchor."""
    end = ANCHOR + 1
    anchor = _sector(file, ANCHOR)
    length, first = struct.unpack_from("<II", anchor, 16)
    if struct.unpack_from("<H", anchor)[0] == 2:
        for number in range(first, first + min(length // SECTOR, MAX_DESCRIPTORS)):
            descriptor = _sector(file, number)
            if struct.unpack_from("<H", descriptor)[0] == 5:  # a partition descriptor (ECMA-167 3/10.5)
                start, sectors = struct.unpack_from("<II", descriptor, 188)
                end = max(end, start + sectors)
    return end * SECTOR


def _volume(primary: bytes | None) -> str:
    text = primary[40:72].decode("ascii", "replace") if primary else ""
    return "".join(character for character in text if character.isprintable()).replace("�", "_").strip()
