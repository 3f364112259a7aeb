"""A simulated writer: its drives, its link, its cache and its blanks, moved by the engine's clock.

Does what the contract of workload files says a writer does, and keeps the planner's station in step. Never plans.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fulfillment.planning.demand import NEVER
from fulfillment.planning.eviction import Disk, StoredImage, make_room
from fulfillment.planning.model import DriveView, Rates, WriterView
from fulfillment.planning.stations import Station
from fulfillment.simulation.workload import Image, Writer


@dataclass(slots=True)
class Write:
    """Discs of one image given to a writer and not begun, for whom each of them is."""

    image: Image
    jobs: deque[str]


@dataclass(slots=True)
class Running:
    image: Image
    job: str
    began: float
    expected: float
    """When it ends, as far as the planner can know."""


@dataclass(slots=True)
class Fetch:
    image: Image
    ends: float
    paused: float | None = None
    """Seconds that were left when an outage began."""


@dataclass(slots=True, eq=False)
class Unit:
    spec: Writer
    station: Station
    images: Mapping[str, Image]
    drives: list[Running | None] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    cache: dict[str, float] = field(default_factory=dict)
    """Images that are here whole, and when they were last used."""
    used: int = 0
    fetch: Fetch | None = None
    blanks: dict[str, int] = field(default_factory=dict)
    outages: int = 0
    astray: bool = False
    """Whether what happened is not what the planner expected."""

    @property
    def is_out(self) -> bool:
        return self.outages > 0

    def take(self, image: Image, jobs: Iterator[str]) -> None:
        """A command from the planner."""
        self.writes.append(Write(image, deque(jobs)))

    def next_disc(self) -> Write | None:
        """The oldest write with its image here and a blank for it."""
        for write in self.writes:
            if write.image.id in self.cache and self.blanks.get(write.image.format, 1) > 0:
                return write
        return None

    def begin(self, drive: int, write: Write, seconds: float, now: float) -> Running:
        image = write.image
        running = self.drives[drive] = Running(image, write.jobs.popleft(), now, now + seconds)
        if not write.jobs:
            self.writes.remove(write)
        if image.format in self.blanks:
            self.blanks[image.format] -= 1
        self.cache[image.id] = now
        return running

    def end(self, drive: int, now: float) -> Running:
        running, self.drives[drive] = self.drives[drive], None
        if running is None:
            raise RuntimeError(f"{self.spec.id} ends a disc in its idle drive {drive}")
        self.station.outstanding -= 1
        self.cache[running.image.id] = now
        return running

    def next_fetch(self) -> tuple[Image, bool] | None:
        """What to fetch next, and whether a write waits for it."""
        for write in self.writes:
            if write.image.id not in self.cache:
                return write.image, True
        for name in self.ahead:
            if name not in self.cache:
                return self.images[name], False
        return None

    def make_room(
        self, image: Image, needed: bool, wanted: frozenset[str], demand: Mapping[str, float]
    ) -> tuple[str, ...] | None:
        """What is to be dropped before the image comes; None if it must not come now.

        What nobody waits for drops nothing that anybody waits for.
        """
        free = self.spec.cache_bytes - self.used
        if image.bytes <= free:
            return ()
        ahead = frozenset(self.ahead)
        disk = Disk(
            capacity=self.spec.cache_bytes,
            free=free,
            images=tuple(
                StoredImage(name, self.images[name].bytes, at, demand=demand.get(name, NEVER))
                for name, at in self.cache.items()
            ),
            in_use=self._in_use(),
            queue=ahead if needed else ahead | wanted,
            head=wanted,
        )
        return make_room(disk, image.bytes)

    def _in_use(self) -> frozenset[str]:
        running = [drive.image.id for drive in self.drives if drive is not None]
        return frozenset(running + [write.image.id for write in self.writes])

    def drop(self, name: str) -> None:
        del self.cache[name]
        self.used -= self.images[name].bytes
        self.station.cached.discard(name)

    def take_back(self) -> list[str]:
        """An outage: the discs that were not begun, for whom they were."""
        jobs = [job for write in self.writes for job in write.jobs]
        self.writes.clear()
        self.ahead = []
        self.astray = True
        return jobs

    def resync(self, now: float) -> None:
        """Tells the planner's station how things really are."""
        self._set(self.station, now)
        self.astray = False

    def seen(self, now: float) -> WriterView:
        """How things really are, for somebody else."""
        station = Station(self.station.view, now)
        station.cached = set(self.cache)
        self._set(station, now)
        return station.left()

    def _set(self, station: Station, now: float) -> None:
        station.free = [max(now, drive.expected) if drive else now for drive in self.drives]
        station.link_free, station.coming = now, {}
        if self.fetch is not None:
            station.link_free = max(now, self.fetch.ends)
            station.coming[self.fetch.image.id] = station.link_free
        station.blanks = dict(self.blanks)
        station.outstanding = sum(1 for drive in self.drives if drive is not None)
        for write in self.writes:
            image = write.image
            station.outstanding += len(write.jobs)
            station.lay(image.id, image.bytes, image.format, len(write.jobs), now)
        station.refresh()


def unit_of(spec: Writer, images: Mapping[str, Image]) -> Unit:
    verify = spec.verify_rate if spec.verify else dict.fromkeys(spec.formats, float("inf"))
    view = WriterView(
        id=spec.id,
        drives=tuple(DriveView(f"d{number + 1}", frozenset(spec.formats), 0.0) for number in range(spec.drives)),
        rates=Rates(dict(spec.write_rate), verify, spec.link_rate, spec.load_s, spec.print_s),
        cached=frozenset(spec.cached),
        blanks=dict(spec.blanks),
        disk=spec.cache_bytes,
    )
    return Unit(
        spec=spec,
        station=Station(view, 0.0),
        images=images,
        drives=[None] * spec.drives,
        cache=dict.fromkeys(spec.cached, 0.0),
        used=sum(images[name].bytes for name in spec.cached),
        blanks=dict(spec.blanks),
    )
