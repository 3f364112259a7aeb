"""Hits of Spindle's own eviction, as a share of what Belady's better rule hits of the same requests knowing them all.

Titles are asked for by Zipf's law, and every so often one of them jumps: it changes places with one that is asked for
at that moment. The next requests of the queue are known to eviction, as a writer's queue is; no more than that.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from archive.formats import FORMATS, SECTOR
from fulfillment.planning.demand import NEVER, asked
from fulfillment.planning.eviction import Disk, StoredImage, make_room
from tests.bench.planning.belady import Hits, Request, hits

TITLES: Final = 10_000
CACHED: Final = 0.05  # of all bytes
KNOWN: Final = 100  # requests ahead
MIX: Final = (("cd", 0.4), ("dvd", 0.5), ("bd", 0.1))


@dataclass(frozen=True, slots=True)
class Compared:
    """Hits of each, as shares of the requests. `best` is the better of Belady's two rules."""

    ours: float
    best: float
    lru: float
    lfu: float


def compare(seed: int, requests: int, jumps_every: int | None) -> Compared:
    """The first 30 % of the requests warm the cache and are not counted."""
    asked_for, capacity = _requests(seed, requests, jumps_every)
    after = int(0.3 * requests)
    limits = {name: found.ratio for name, found in hits(asked_for, capacity, after=after).items()}
    return Compared(
        ours=spindle(asked_for, capacity, after=after).ratio,
        best=max(limits["belady"], limits["belady-size"]),
        lru=limits["lru"],
        lfu=limits["lfu"],
    )


def spindle(requests: Sequence[Request], capacity: int, *, after: int) -> Hits:
    """What `make_room` hits."""
    held: dict[str, StoredImage] = {}
    demand: dict[str, float] = {}
    queue = Counter(image for image, _ in requests[:KNOWN])
    free, hit, hit_bytes = capacity, 0, 0
    for number, (image, size) in enumerate(requests):
        demand[image] = asked(demand.get(image, NEVER), number)
        if image in held:
            hit += number >= after
            hit_bytes += size if number >= after else 0
        else:
            disk = Disk(capacity, free, tuple(held.values()), queue=frozenset(queue))
            for name in make_room(disk, size) or ():
                free += held.pop(name).bytes
            free -= size
        held[image] = StoredImage(image, size, float(number), demand=demand[image])
        queue[image] -= 1
        if not queue[image]:
            del queue[image]
        if number + KNOWN < len(requests):
            queue[requests[number + KNOWN][0]] += 1
    counted = requests[after:]
    return Hits(len(counted), hit, sum(size for _, size in counted), hit_bytes)


def _requests(seed: int, count: int, jumps_every: int | None) -> tuple[list[Request], int]:
    """The requests, and the bytes of a cache."""
    chance = random.Random(seed)
    sizes = [_size(chance) for _ in range(TITLES)]
    ranks = list(accumulate(1 / rank for rank in range(1, TITLES + 1)))
    titles = list(range(TITLES))

    def draw() -> int:
        return bisect_left(ranks, chance.random() * ranks[-1])

    requests = []
    for number in range(count):
        if jumps_every and number % jumps_every == 0:
            risen, fallen = chance.randrange(TITLES), draw()
            titles[risen], titles[fallen] = titles[fallen], titles[risen]
        title = titles[draw()]
        requests.append((str(title), sizes[title]))
    return requests, int(CACHED * sum(sizes))


def _size(chance: random.Random) -> int:
    format_ = chance.choices([name for name, _ in MIX], [weight for _, weight in MIX])[0]
    return int(chance.uniform(0.3, 1.0) * FORMATS[format_].capacity_sectors * SECTOR)
