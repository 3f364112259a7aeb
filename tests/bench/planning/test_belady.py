"""The heaps of the caching rules decide as plain scans do, and no rule beats the future known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.planning.belady import Farthest, Request, hits, replay

SIZES = dict(zip("abcdefgh", (1, 2, 3, 5, 8, 13, 21, 34), strict=True))
sequences = st.lists(st.sampled_from("abcdefgh"), max_size=60)


class Scan:
    """Belady's rules by looking at all that is held."""

    def __init__(self, images: Sequence[str], sizes: dict[str, int], *, by_size: bool) -> None:
        self.images, self.sizes, self.by_size = images, sizes, by_size
        self.held: set[str] = set()

    def use(self, number: int, image: str, size: int) -> None:
        self.held.add(image)

    def victim(self, number: int) -> str:
        def distance(image: str) -> float:
            later = self.images[number + 1 :]
            return 1 + later.index(image) if image in later else math.inf

        def worth(image: str) -> tuple[float, int]:
            size = self.sizes[image]
            return (distance(image) * size if self.by_size else distance(image), size)

        gone = max(self.held, key=worth)
        self.held.remove(gone)
        return gone


@pytest.mark.parametrize("by_size", [False, True])
@given(sequences, st.integers(34, 80))
def test_the_heap_decides_as_a_scan_does(by_size: bool, images: list[str], cache_bytes: int) -> None:
    requests = [(image, SIZES[image]) for image in images]
    heap = replay(requests, cache_bytes, Farthest(requests, by_size=by_size))
    assert heap == replay(requests, cache_bytes, Scan(images, SIZES, by_size=by_size))


@given(sequences, st.integers(1, 8))
def test_of_equal_sizes_nothing_beats_the_farthest_next_use(images: list[str], cache_bytes: int) -> None:
    found = hits([(image, 1) for image in images], cache_bytes)
    assert found["belady"].hits == max(each.hits for each in found.values())
    assert found["belady-size"] == found["belady"]


def test_lru_and_lfu_part_ways_over_what_was_wanted_often() -> None:
    requests: list[Request] = [(image, 1) for image in "aaabca"]
    found = hits(requests, 2)
    assert found["lru"].hits == 2  # b and c drove a out
    assert found["lfu"].hits == 3


def test_requests_that_warm_the_cache_are_not_counted() -> None:
    found = hits([("a", 5), ("a", 5), ("a", 5)], 10, after=2)["lru"]
    assert (found.requests, found.hits, found.bytes, found.hit_bytes) == (1, 1, 5, 5)
    assert (found.ratio, found.byte_ratio) == (1.0, 1.0)


def test_an_image_larger_than_the_cache_is_never_hit_and_drives_nothing_out() -> None:
    found = hits([("a", 5), ("b", 50), ("b", 50), ("a", 5)], 10)["belady"]
    assert found.hits == 1
