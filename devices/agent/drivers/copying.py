"""Copies the data disc in a drive, or a file that plays one, to a file: its volume, not the padding behind it.

Must never make up what can't be read: a copy is whole or it failed, with the sector it failed at.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

from devices.agent.drivers.base import NOT_COPIED, Copied, Watch
from devices.agent.wire import SECTOR

BLOCK: Final = 1 << 20
TRIES: Final = 4
# ECMA-119: the primary volume descriptor lies in sector 16.
DESCRIPTOR: Final = 16 * SECTOR
HEAD: Final = DESCRIPTOR + SECTOR

ReadAt = Callable[[int, int], bytes]


class UnreadableError(Exception):
    """The disc can't be read: the text is the reason."""


class CopyBrokenOffError(Exception):
    """Copying was broken off because the agent stops."""


def volume_size(head: bytes) -> int | None:
    """Bytes of the ISO 9660 volume that begins with `head`; None where it begins none."""
    descriptor = head[DESCRIPTOR:HEAD]
    if len(descriptor) < SECTOR or descriptor[:7] != b"\x01CD001\x01":
        return None
    # Both numbers stand there twice, in either byte order (ECMA-119 7.3.3, 7.2.3).
    blocks, same_blocks = int.from_bytes(descriptor[80:84], "little"), int.from_bytes(descriptor[84:88], "big")
    length, same_length = int.from_bytes(descriptor[128:130], "little"), int.from_bytes(descriptor[130:132], "big")
    if (blocks, length) != (same_blocks, same_length) or not blocks or not length:
        return None
    return blocks * length


def size_of_file(source: Path) -> int:
    """Bytes of the disc that a file plays: its ISO 9660 volume, else all of it. Raises OSError, UnreadableError."""
    with source.open("rb") as disc:
        size = volume_size(disc.read(HEAD))
    there = source.stat().st_size
    if there == 0:
        raise UnreadableError(f"{source.name} is empty: there is nothing to copy")
    if size is not None and size > there:
        raise UnreadableError(f"{source.name} is cut off: its volume has {size} bytes, {there} are there")
    return there if size is None else size


def copy_disc(source: Path, size: int, target: Path, watch: Watch) -> Copied:
    """The first `size` bytes of `source`, as a whole or with the reason why not."""
    try:
        disc = source.open("rb", buffering=0)
    except OSError as fault:
        return Copied(reason=f"the disc can't be opened: {fault.strerror}")
    try:
        with disc, target.open("wb") as copy:
            copy_blocks(lambda at, count: _read(disc, at, count), size, copy, watch)
    except UnreadableError as fault:
        return Copied(reason=str(fault))
    except CopyBrokenOffError:
        return Copied(reason=NOT_COPIED)
    except OSError as fault:
        return Copied(reason=f"the copy can't be written to this writer's disk: {fault.strerror}")
    return Copied(size)


def copy_blocks(read: ReadAt, size: int, copy: BinaryIO, watch: Watch) -> None:
    """Raises UnreadableError, CopyBrokenOffError, OSError (of `copy` alone)."""
    for at in range(0, size, BLOCK):
        copy.write(_block(read, at, min(BLOCK, size - at), watch.stop))
        watch.progress(min(size, at + BLOCK) / size)


def _block(read: ReadAt, at: int, count: int, stop: Event) -> bytes:
    """A block; where it can't be read whole, sector by sector, so that one bad sector is named."""
    try:
        return _patiently(read, at, count, stop)
    except OSError:
        sectors = range(at, at + count, SECTOR)
        return b"".join(_sector(read, first, min(SECTOR, at + count - first), stop) for first in sectors)


def _sector(read: ReadAt, at: int, count: int, stop: Event) -> bytes:
    try:
        return _patiently(read, at, count, stop)
    except OSError as fault:
        raise UnreadableError(
            f"sector {at // SECTOR} can't be read after {TRIES} tries ({fault.strerror or fault}): "
            "clean the disc, or read it in another drive"
        ) from fault


def _patiently(read: ReadAt, at: int, count: int, stop: Event) -> bytes:
    for left in reversed(range(TRIES)):
        if stop.is_set():
            raise CopyBrokenOffError
        try:
            found = read(at, count)
        except OSError:
            if not left:
                raise
            continue
        if len(found) < count:
            raise UnreadableError(f"the disc ends at sector {(at + len(found)) // SECTOR}, before its volume does")
        return found
    raise AssertionError("a range of tries is never empty")


def _read(disc: BinaryIO, at: int, count: int) -> bytes:
    """Up to `count` bytes; fewer at the end of the disc alone."""
    disc.seek(at)
    parts = []
    while count and (part := disc.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
