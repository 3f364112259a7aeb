from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.demand import NEVER, asked
from fulfillment.planning.eviction import Disk, StoredImage, make_room

NOW = 1_000_000.0
GB = 1_000_000_000


def stored(
    name: str,
    size: float = 1.0,
    hours: float | None = 1.0,
    *,
    whole: bool = True,
    elsewhere: bool = True,
    asks: int = 0,
) -> StoredImage:
    """An image of `size` GB that was last used so many hours ago, and that so many of the last writes were of."""
    used_at = None if hours is None else NOW - hours * 3600
    demand = NEVER
    for _ in range(asks):
        demand = asked(demand, 1000)
    return StoredImage(name, int(size * GB), used_at, whole, elsewhere, demand)


def disk(*images: StoredImage, free: float = 0.0, wanted: str = "", queue: str = "", head: str = "") -> Disk:
    held = sum(image.bytes for image in images)
    return Disk(
        capacity=held + int(free * GB),
        free=int(free * GB),
        images=images,
        in_use=frozenset(wanted),
        queue=frozenset(queue),
        head=frozenset(head),
    )


@pytest.mark.parametrize(
    ("what", "full", "size", "dropped"),
    [
        ("it fits", disk(stored("a"), free=2), 2.0, ""),
        ("the longest unused goes first", disk(stored("a", hours=1), stored("b", hours=9)), 0.5, "b"),
        ("never used is oldest of all", disk(stored("a", hours=99), stored("b", hours=None)), 0.5, "b"),
        ("asked for seldom goes before asked for often", disk(stored("a", asks=9), stored("b", asks=2)), 0.5, "b"),
        ("never asked for goes before long unused", disk(stored("a", hours=99, asks=1), stored("b")), 0.5, "b"),
        ("asked for as often, the larger goes", disk(stored("a", 0.7, asks=1), stored("b", 4.0, asks=1)), 0.5, "b"),
        (
            "by the byte: six asks for 9 GB are less than one for 1",
            disk(stored("a", 1, asks=1), stored("b", 9, asks=6)),
            1,
            "b",
        ),
        (
            "as many as are needed, oldest first",
            disk(stored("a", hours=2), stored("b", hours=9), stored("c", hours=5)),
            2,
            "bc",
        ),
        ("what is free counts", disk(stored("a"), stored("b", hours=9), free=1.5), 2.5, "b"),
        ("a large one makes a small one needless", disk(stored("a", 1, 9), stored("b", 4, 8)), 4, "b"),
        ("what is written stays", disk(stored("a", hours=9), stored("b"), wanted="a"), 1.0, "b"),
        ("what this writer writes next stays", disk(stored("a", hours=9), stored("b"), queue="a"), 1.0, "b"),
        ("what the queue's head wants goes late", disk(stored("a", hours=9), stored("b"), head="a"), 1.0, "b"),
        ("but it goes when nothing else helps", disk(stored("a", hours=9), stored("b"), head="a"), 2.0, "ba"),
        ("what nobody waits for comes no further", disk(stored("a", 1, 0, whole=False), stored("b", 1, 9)), 1.0, "a"),
        ("what lies nowhere else goes last", disk(stored("a", 1, 99, elsewhere=False), stored("b"), head="b"), 1, "b"),
        ("ties go by name", disk(stored("b"), stored("a")), 1.0, "a"),
        ("nothing may go", disk(stored("a"), stored("b"), wanted="a", queue="b"), 1.0, None),
        ("not even all of it is enough", disk(stored("a"), stored("b"), wanted="a"), 1.5, None),
        ("the disk is too small", disk(stored("a"), stored("b")), 2.5, None),
    ],
)
def test_what_is_dropped(what: str, full: Disk, size: float, dropped: str | None) -> None:
    assert make_room(full, int(size * GB)) == (None if dropped is None else tuple(dropped)), what


names = st.sampled_from("abcdefgh")


@st.composite
def disks(draw: st.DrawFn) -> Disk:
    images = tuple(
        StoredImage(
            name,
            draw(st.integers(0, 9)),
            draw(st.none() | st.floats(0, 2 * NOW)),  # a clock that is ahead says the future
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.just(NEVER) | st.floats(-1e6, 1e6)),
        )
        for name in sorted(draw(st.sets(names)))
    )
    free = draw(st.integers(0, 9))
    some = st.frozensets(names, max_size=3)
    capacity = sum(image.bytes for image in images) + free
    return Disk(capacity, free, images, draw(some), draw(some), draw(some))


sizes = st.integers(1, 60)


@given(disks(), sizes)
def test_what_is_in_use_or_wanted_here_is_never_dropped(full: Disk, size: int) -> None:
    dropped = make_room(full, size) or ()
    assert not set(dropped) & (full.in_use | full.queue)
    assert len(set(dropped)) == len(dropped)
    assert set(dropped) <= {image.image for image in full.images}


@given(disks(), sizes)
def test_what_is_dropped_is_enough_and_none_of_it_is_too_much(full: Disk, size: int) -> None:
    dropped = make_room(full, size)
    if dropped is None:
        return
    bytes_of = {image.image: image.bytes for image in full.images}
    room = full.free + sum(bytes_of[name] for name in dropped)
    assert size <= room <= full.capacity
    assert all(room - bytes_of[name] < size for name in dropped)


@given(disks(), sizes)
def test_room_is_refused_only_where_dropping_all_that_may_go_is_not_enough(full: Disk, size: int) -> None:
    droppable = [image for image in full.images if image.image not in full.in_use | full.queue]
    possible = full.free + sum(image.bytes for image in droppable) >= size
    assert (make_room(full, size) is not None) == possible


@given(disks(), sizes, st.randoms())
def test_the_order_in_which_images_are_named_does_not_matter(full: Disk, size: int, random: object) -> None:
    shuffled = list(full.images)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own random.Random
    assert make_room(full, size) == make_room(replace(full, images=tuple(shuffled)), size)


@given(disks(), sizes)
def test_dropping_what_was_said_makes_it_fit(full: Disk, size: int) -> None:
    dropped = make_room(full, size)
    if dropped is None:
        return
    left = tuple(image for image in full.images if image.image not in dropped)
    free = full.capacity - sum(image.bytes for image in left)
    assert make_room(replace(full, images=left, free=free), size) == ()
