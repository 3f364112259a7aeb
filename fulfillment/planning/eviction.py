"""Which images a writer drops to make room for one that it needs. Pure: values in, names out.

Never dropped: what is being written there, and what the writer's own queue wants. Of the rest the least worth goes
first, and no more than is needed. What an image is worth has two parts, the first before the second:

1. Whether anybody wants it. An image that is still on its way and that nobody here waits for goes first: each byte
   that does not come is saved as well. What the head of the queue wants, on whatever writer, goes after what nobody
   wants. What can't be fetched again (a disc that was read here and lies nowhere else) goes last of all.
2. The fetches that it is likely to save, for each byte that it occupies: how much it is asked for (planning/demand.py)
   by its bytes. Of two images asked for as much the smaller one stays; of two that nobody ever asked for the one
   used last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log2

from fulfillment.planning.demand import NEVER


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image on a writer's disk. `bytes` count whole from the moment its fetch began."""

    image: str
    bytes: int
    used_at: float | None = None
    """None: never, as far as anybody knows."""
    whole: bool = True
    """False while it is on its way."""
    elsewhere: bool = True
    """Whether it can be fetched again."""
    demand: float = NEVER
    """How much it is asked for, as planning/demand.py counts it."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A writer's disk, and who wants what of it."""

    capacity: int
    free: int
    images: tuple[StoredImage, ...]
    in_use: frozenset[str] = frozenset()
    """Images of its unfinished writes."""
    queue: frozenset[str] = frozenset()
    """Images of the writes that are planned for it next."""
    head: frozenset[str] = frozenset()
    """Images that the head of the queue wants, on whatever writer."""


def make_room(disk: Disk, size: int) -> tuple[str, ...] | None:
    """The images to drop so that `size` bytes fit, in the order in which to drop them; None if they can't fit."""
    missing = size - disk.free
    if missing <= 0:
        return ()
    if size > disk.capacity:
        return None
    chosen: list[StoredImage] = []
    freed = 0
    for stored in _least_worth_first(disk):
        if freed >= missing:
            break
        chosen.append(stored)
        freed += stored.bytes
    if freed < missing:
        return None
    # A large one that came late may have made smaller ones needless: those of most worth stay first.
    for stored in reversed(chosen[:]):
        if freed - stored.bytes >= missing:
            chosen.remove(stored)
            freed -= stored.bytes
    return tuple(stored.image for stored in chosen)


def _least_worth_first(disk: Disk) -> Iterator[StoredImage]:
    kept = disk.in_use | disk.queue
    yield from sorted(
        (stored for stored in disk.images if stored.image not in kept and stored.bytes > 0),
        key=lambda stored: (_wanted(stored, disk.head), _worth(stored), _last_used(stored), stored.image),
    )


def _wanted(stored: StoredImage, head: frozenset[str]) -> int:
    if not stored.elsewhere:
        return 3
    if stored.image in head:
        return 2
    return 1 if stored.whole else 0


def _worth(stored: StoredImage) -> float:
    """How many fetches it saves for each byte, as a logarithm."""
    return stored.demand - log2(stored.bytes)


def _last_used(stored: StoredImage) -> float:
    return -inf if stored.used_at is None else stored.used_at
