"""What a cache of so many bytes can hit at best, knowing the future, and what LRU and LFU hit without knowing it.

Every image asked for is taken in, because a disc is written from the cache alone; one larger than the cache never is.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

Request = tuple[str, int]  # image, bytes
Key = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Hits:
    requests: int
    hits: int
    bytes: int
    hit_bytes: int

    @property
    def ratio(self) -> float:
        return self.hits / self.requests if self.requests else 0.0

    @property
    def byte_ratio(self) -> float:
        return self.hit_bytes / self.bytes if self.bytes else 0.0


class Rule(Protocol):
    """Which image is to go. `use` is told of every request of an image that is or comes in."""

    def use(self, number: int, image: str, size: int) -> None: ...

    def victim(self, number: int) -> str: ...


class Farthest:
    """Belady's rule: the image whose next use is farthest away goes; `by_size`: distance × bytes decides.

    The least key goes first. Distances shrink until the next use, so a key in the heap is a lower bound: the one on top
    is weighed anew, and goes if none of the others can be lower.
    """

    def __init__(self, requests: Sequence[Request], *, by_size: bool) -> None:
        self._next = _next_uses([image for image, _ in requests])
        self._by_size = by_size
        self._held: dict[str, tuple[int, int]] = {}  # number of its last use, bytes
        self._heap: list[tuple[Key, int, str]] = []

    def use(self, number: int, image: str, size: int) -> None:
        self._held[image] = (number, size)
        heapq.heappush(self._heap, (self._key(number, image), number, image))

    def victim(self, number: int) -> str:
        while True:
            _, used, image = heapq.heappop(self._heap)
            if image not in self._held or self._held[image][0] != used:
                continue  # gone, or used again since
            key = self._key(number, image)
            if not self._heap or key <= self._heap[0][0]:
                del self._held[image]
                return image
            heapq.heappush(self._heap, (key, used, image))

    def _key(self, number: int, image: str) -> Key:
        """Of images never used again the largest goes first."""
        used, size = self._held[image]
        following = self._next[used]
        return (-(following - number) * size if self._by_size else -following, -size)


class LeastRecent:
    """LRU"""

    def __init__(self) -> None:
        self._held: OrderedDict[str, None] = OrderedDict()

    def use(self, number: int, image: str, size: int) -> None:
        self._held[image] = None
        self._held.move_to_end(image)

    def victim(self, number: int) -> str:
        return self._held.popitem(last=False)[0]


class LeastFrequent:
    """LFU that never forgets a count; of equals the one used longest ago goes."""

    def __init__(self) -> None:
        self._held: dict[str, Key] = {}
        self._counts: dict[str, int] = {}
        self._heap: list[tuple[Key, str]] = []

    def use(self, number: int, image: str, size: int) -> None:
        self._counts[image] = self._counts.get(image, 0) + 1
        self._held[image] = (self._counts[image], number)
        heapq.heappush(self._heap, (self._held[image], image))

    def victim(self, number: int) -> str:
        while True:
            key, image = heapq.heappop(self._heap)
            if self._held.get(image) == key:
                del self._held[image]
                return image


RULES: Final[Mapping[str, Callable[[Sequence[Request]], Rule]]] = {
    "belady": lambda requests: Farthest(requests, by_size=False),
    "belady-size": lambda requests: Farthest(requests, by_size=True),
    "lru": lambda _: LeastRecent(),
    "lfu": lambda _: LeastFrequent(),
}


def hits(requests: Sequence[Request], cache_bytes: int, *, after: int = 0) -> dict[str, Hits]:
    """What each rule hits of a sequence of requests; the first `after` of them warm the cache and are not counted."""
    return {name: replay(requests, cache_bytes, rule(requests), after=after) for name, rule in RULES.items()}


def replay(requests: Sequence[Request], cache_bytes: int, rule: Rule, *, after: int = 0) -> Hits:
    held: dict[str, int] = {}
    free, hit, hit_bytes = cache_bytes, 0, 0
    for number, (image, size) in enumerate(requests):
        if image in held:
            hit += number >= after
            hit_bytes += size if number >= after else 0
        elif size > cache_bytes:
            continue
        else:
            while free < size:
                free += held.pop(rule.victim(number))
            held[image] = size
            free -= size
        rule.use(number, image, size)
    counted = requests[after:]
    return Hits(len(counted), hit, sum(size for _, size in counted), hit_bytes)


def _next_uses(images: Sequence[str]) -> list[float]:
    """By request: the number of the next one of the same image, infinite where there is none."""
    following: dict[str, int] = {}
    uses = [math.inf] * len(images)
    for number in range(len(images) - 1, -1, -1):
        uses[number] = following.get(images[number], math.inf)
        following[images[number]] = number
    return uses
