"""A writer of the peer "next free": drives, cache (what was used longest ago goes first), blanks, and one fetch."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from fulfillment.simulation.workload import Image, Writer


@dataclass(slots=True)
class Task:
    """Copies of an order's line; the lower `place` came first."""

    place: tuple[int, int]
    order: str
    image: str
    copies: int


class WriterState:
    def __init__(self, writer: Writer, images: Mapping[str, Image]) -> None:
        self.writer, self.id, self.formats, self._images = writer, writer.id, writer.formats, images
        self.free = list(range(1, writer.drives + 1))
        self.claims: list[Task] = []  # discs for which a drive is kept, until their image is there
        self.line: Task | None = None  # what is left of the line that it took whole
        self.held: OrderedDict[str, None] = OrderedDict.fromkeys(writer.cached)  # used last at the end
        self.room = writer.cache_bytes - sum(images[name].bytes for name in writer.cached)
        self.used: Counter[str] = Counter()  # drives under way by image
        self.blanks: dict[str, float] = {name: writer.blanks.get(name, math.inf) for name in writer.formats}
        self.out = False
        self.fetching: str | None = None
        self.fetch_left = self.fetch_ends = 0.0
        self.attempt = 0  # a fetch that was paused ends by a later attempt

    @property
    def unclaimed_drives(self) -> int:
        return len(self.free) - len(self.claims)

    def has_blank(self, format_: str) -> bool:
        return self.blanks[format_] > sum(self._images[task.image].format == format_ for task in self.claims)

    def refill(self, format_: str, count: int) -> None:
        self.blanks[format_] += count

    def next_of_line(self) -> Task | None:
        line = self.line
        if line is None:
            return None
        line.copies -= 1
        if not line.copies:
            self.line = None
        return Task(line.place, line.order, line.image, 1)

    def claim(self, task: Task) -> bool:
        """Whether a drive has to be kept for the disc because its image is still to come."""
        if task.image in self.held:
            return False
        self.claims.append(task)
        return True

    def claims_of(self, image: str) -> list[Task]:
        taken = [task for task in self.claims if task.image == image]
        self.claims = [task for task in self.claims if task not in taken]
        return taken

    def begin(self, image: str) -> int:
        self.used[image] += 1
        self.held.move_to_end(image)
        self.blanks[self._images[image].format] -= 1
        return self.free.pop(0)

    def release(self, drive: int, image: str) -> None:
        self.free.append(drive)
        self.used[image] -= 1
        self.held.move_to_end(image)

    def wants(self) -> str | None:
        """The image to fetch next: of the disc that was taken first."""
        if self.fetching is not None:
            return None
        return next((task.image for task in self.claims if task.image not in self.held), None)

    def make_room(self, image: str) -> list[str] | None:
        """What was purged, or nothing changed and None where what is in use leaves no room."""
        wanted = {task.image for task in self.claims}
        needed, victims = self._images[image].bytes - self.room, []
        for name in self.held:
            if needed <= 0:
                break
            if not self.used[name] and name not in wanted:
                victims.append(name)
                needed -= self._images[name].bytes
        if needed > 0:
            return None
        for name in victims:
            del self.held[name]
            self.room += self._images[name].bytes
        return victims

    def fetch(self, image: str) -> None:
        self.fetching, self.fetch_left = image, self._images[image].bytes / self.writer.link_rate
        self.room -= self._images[image].bytes

    def pause(self, now: float) -> None:
        self.out = True
        self.attempt += 1
        self.fetch_left = self.fetch_ends - now

    def fetched(self) -> str:
        image = self.fetching
        assert image is not None
        self.held[image] = None
        self.fetching = None
        self.attempt += 1
        return image
