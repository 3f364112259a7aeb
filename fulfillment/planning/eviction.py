"""Which images a writer drops to make room for one that it needs. Pure: values in, names out.

Never dropped: what is being written there, and what the writer's own queue wants. Of the rest the least worth goes
first, and no more than is needed. What an image is worth has two parts, the first before the second:

1. Whether anybody wants it. An image that is still on its way and that nobody here waits for goes first: each byte
   that does not come is saved as well. What the head of the queue wants, on whatever writer, goes after what nobody
   wants. What can't be fetched again (a disc that was read here and lies nowhere else) goes last of all.
2. The fetching that it is likely to save, for each byte that it occupies: seconds to fetch it again, by its size, by
   how long it was not used. The longer something lay unused, the longer it will lie: its chance of being wanted soon
   falls about as one by that time. Of two images as old as each other the smaller one stays, because a fetch costs a
   little time whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fulfillment.planning.cost import PRIOR_LINK

FETCH_OVERHEAD: Final = 2.0  # seconds that each fetch costs beside its bytes: to be asked for, announced and checked
YOUNGEST: Final = 1.0  # seconds; what was used this instant is not worth without end


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
    link: float = PRIOR_LINK


def make_room(disk: Disk, size: int, now: float) -> tuple[str, ...] | None:
    """The images to drop so that `size` bytes fit, in the order in which to drop them; None if they can't fit."""
    missing = size - disk.free
    if missing <= 0:
        return ()
    if size > disk.capacity:
        return None
    chosen: list[StoredImage] = []
    freed = 0
    for stored in _least_worth_first(disk, now):
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


def _least_worth_first(disk: Disk, now: float) -> Iterator[StoredImage]:
    kept = disk.in_use | disk.queue
    yield from sorted(
        (stored for stored in disk.images if stored.image not in kept and stored.bytes > 0),
        key=lambda stored: (_wanted(stored, disk.head), _saving(stored, disk.link, now), stored.image),
    )


def _wanted(stored: StoredImage, head: frozenset[str]) -> int:
    if not stored.elsewhere:
        return 3
    if stored.image in head:
        return 2
    return 1 if stored.whole else 0


def _saving(stored: StoredImage, link: float, now: float) -> float:
    """Seconds of fetching saved, by byte and by second of lying unused."""
    if stored.used_at is None:
        return 0.0
    age = max(now - stored.used_at, YOUNGEST)
    return (FETCH_OVERHEAD + stored.bytes / link) / (stored.bytes * age)
