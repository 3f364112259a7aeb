"""The digest of a file that is written out of order at its beginning, with holes, and in order behind."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.hashing import CHUNK, HashedFile, HashThread


@given(
    start=st.integers(0, 5_000),
    head=st.lists(st.tuples(st.integers(0, 5_000), st.binary(max_size=900)), max_size=6),
    body=st.lists(st.tuples(st.integers(0, 3_000), st.binary(min_size=1, max_size=3_000)), max_size=6),
)
def test_the_digest_is_that_of_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    start: int,
    head: list[tuple[int, bytes]],
    body: list[tuple[int, bytes]],
) -> None:
    path = tmp_path_factory.mktemp("hashed") / "file"
    with path.open("w+b") as raw, HashThread() as thread:
        file = HashedFile(raw.fileno(), thread)
        for offset, data in head:  # some of it where files go later, or behind them
            file.seek(offset)
            file.write(data)
        file.seek(start)
        assert file.place() == start
        for gap, data in body:
            file.seek(gap, os.SEEK_CUR)
            file.write(data)
        digest = file.hexdigest()

    assert digest == sha256(path.read_bytes()).hexdigest()


def test_large_data_goes_through_in_chunks(tmp_path: Path) -> None:
    data = os.urandom(3 * CHUNK + 17)
    with (tmp_path / "file").open("w+b") as raw, HashThread() as thread:
        file = HashedFile(raw.fileno(), thread)
        file.place()
        file.seek(2 * CHUNK + 5)  # a hole first
        file.write(data)

        assert file.hexdigest() == sha256(bytes(2 * CHUNK + 5) + data).hexdigest()


def test_writing_at_a_place_that_was_hashed_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as raw, HashThread() as thread:
        file = HashedFile(raw.fileno(), thread)
        file.place()
        file.write(b"in order")
        file.seek(5)

        with pytest.raises(ValueError, match="byte 5 was written before"):
            file.write(b"again")


def test_one_thread_keeps_many_digests_apart() -> None:
    digests = [sha256() for _ in range(50)]
    with HashThread() as thread:
        for turn in range(40):
            for number, digest in enumerate(digests):
                thread.feed(digest, bytes([number]) * (turn + 1))

    assert [digest.hexdigest() for digest in digests] == [
        sha256(bytes([number]) * (40 * 41 // 2)).hexdigest() for number in range(50)
    ]
