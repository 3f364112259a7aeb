"""Discs are copied whole, by their volume's length, or not at all."""

from __future__ import annotations

import errno
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.agent.drivers.base import NOT_COPIED, Watch
from devices.agent.drivers.copying import (
    BLOCK,
    HEAD,
    TRIES,
    CopyBrokenOffError,
    ReadAt,
    UnreadableError,
    copy_blocks,
    copy_disc,
    size_of_file,
    volume_size,
)
from devices.agent.wire import SECTOR
from tests.devices.agent.plant import image_of

PAYLOAD = image_of(BLOCK * 2 + 3 * SECTOR)


def watch_of(seen: list[float] | None = None, stop: Event | None = None) -> Watch:
    return Watch((seen if seen is not None else []).append, lambda _: None, stop or Event())


def descriptor(sectors: int, *, again: int | None = None, block: int = SECTOR) -> bytes:
    head = bytearray(HEAD)
    head[16 * SECTOR : 16 * SECTOR + 7] = b"\x01CD001\x01"
    head[16 * SECTOR + 80 : 16 * SECTOR + 84] = sectors.to_bytes(4, "little")
    head[16 * SECTOR + 84 : 16 * SECTOR + 88] = (sectors if again is None else again).to_bytes(4, "big")
    head[16 * SECTOR + 128 : 16 * SECTOR + 132] = block.to_bytes(2, "little") + block.to_bytes(2, "big")
    return bytes(head)


@given(st.integers(1, 2**32 - 1))
def test_a_volume_says_its_length(sectors: int) -> None:
    assert volume_size(descriptor(sectors)) == sectors * SECTOR


@pytest.mark.parametrize(
    "head",
    [b"", bytes(HEAD), descriptor(0), descriptor(5, again=6), descriptor(5, block=0), descriptor(5)[:-1]],
    ids=["nothing", "zeros", "no length", "two lengths", "no block size", "cut"],
)
def test_what_is_no_volume_has_no_length(head: bytes) -> None:
    assert volume_size(head) is None


@given(st.binary(max_size=HEAD + 10))
def test_any_bytes_are_looked_at_without_a_fault(head: bytes) -> None:
    volume_size(head)


def test_a_file_that_plays_a_disc_is_as_long_as_its_volume_or_else_as_itself(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.write_bytes(descriptor(20) + bytes(100 * SECTOR))
    assert size_of_file(disc) == 20 * SECTOR
    disc.write_bytes(image_of(10_001))
    assert size_of_file(disc) == 10_001
    disc.write_bytes(descriptor(18))
    with pytest.raises(UnreadableError, match="disc is cut off: its volume has 36864 bytes, 34816 are there"):
        size_of_file(disc)
    disc.write_bytes(b"")
    with pytest.raises(UnreadableError, match="is empty"):
        size_of_file(disc)


def test_a_disc_is_copied_up_to_its_length_and_no_further(tmp_path: Path) -> None:
    (tmp_path / "disc").write_bytes(PAYLOAD)
    seen: list[float] = []
    size = BLOCK + 5 * SECTOR + 7
    copied = copy_disc(tmp_path / "disc", size, tmp_path / "copy", watch_of(seen))
    assert (copied.size, copied.reason) == (size, None)
    assert (tmp_path / "copy").read_bytes() == PAYLOAD[:size]
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def with_faults(faults: dict[int, int], calls: list[int] | None = None) -> ReadAt:
    """A disc some of whose sectors can't be read so many times."""
    left = dict(faults)

    def read(at: int, count: int) -> bytes:
        if calls is not None:
            calls.append(at)
        for sector in range(at // SECTOR, -(-(at + count) // SECTOR)):
            if left.get(sector, 0):
                left[sector] -= 1
                raise OSError(errno.EIO, "Input/output error")
        return PAYLOAD[at : at + count]

    return read


def test_a_sector_that_is_read_at_last_makes_a_whole_copy() -> None:
    copy = BytesIO()
    copy_blocks(with_faults({3: TRIES - 1, 700: TRIES + 2}), len(PAYLOAD), copy, watch_of())
    assert copy.getvalue() == PAYLOAD


def test_a_sector_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UnreadableError, match=r"sector 700 can't be read after 4 tries \(Input/output error\)"):
        copy_blocks(with_faults({700: 1000}), len(PAYLOAD), BytesIO(), watch_of())


def test_a_disc_that_ends_too_early_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "disc").write_bytes(PAYLOAD[: 5 * SECTOR])
    copied = copy_disc(tmp_path / "disc", 9 * SECTOR, tmp_path / "copy", watch_of())
    assert (copied.size, copied.reason) == (None, "the disc ends at sector 5, before its volume does")


def test_copying_stops_between_two_tries() -> None:
    stop, calls = Event(), []

    def read(at: int, count: int) -> bytes:
        calls.append(at)
        stop.set()
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(CopyBrokenOffError):
        copy_blocks(read, len(PAYLOAD), BytesIO(), watch_of(stop=stop))
    assert calls == [0]


def test_a_stopped_copy_and_a_disk_without_room_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "disc").write_bytes(PAYLOAD)
    stop = Event()
    stop.set()
    assert copy_disc(tmp_path / "disc", SECTOR, tmp_path / "copy", watch_of(stop=stop)).reason == NOT_COPIED
    full = copy_disc(tmp_path / "disc", SECTOR, Path("/dev/full"), watch_of())
    assert (full.size, full.reason) == (
        None,
        "the copy can't be written to this writer's disk: No space left on device",
    )
    gone = copy_disc(tmp_path / "gone", SECTOR, tmp_path / "copy", watch_of())
    assert gone.reason == "the disc can't be opened: No such file or directory"
