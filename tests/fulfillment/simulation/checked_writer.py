"""One writer's part of a run, as its events tell it: drives, cache, blanks and outages, each held to the contract."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from fulfillment.simulation.workload import Image, Outage, Writer

Span = tuple[float, float]


def spans(outages: Iterable[Outage]) -> dict[str, list[Span]]:
    """By writer, from when to when it is out; what overlaps or touches as one."""
    found: dict[str, list[Span]] = defaultdict(list)
    for outage in sorted(outages, key=lambda outage: outage.begins):
        own = found[outage.writer]
        if own and outage.begins <= own[-1][1]:
            own[-1] = (own[-1][0], max(own[-1][1], outage.ends))
        else:
            own.append((outage.begins, outage.ends))
    return found


def ends_at(start: float, seconds: float, outages: Sequence[Span]) -> float:
    """When work of so many seconds ends that stands still in outages."""
    end = start + seconds
    for begins, ends in outages:
        if ends > start and begins < end:
            end += ends - max(begins, start)
    return end


def same(one: float, other: float) -> bool:
    """Equal but for the rounding of sums that were made in another order."""
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)


class WriterLog:
    def __init__(
        self, writer: Writer, cached: Sequence[Image], outages: list[Span], tell: Callable[[str], None], *, noisy: bool
    ) -> None:
        self.writer, self.outages, self.noisy = writer, outages, noisy
        self._told = tell
        self.held = {image.id for image in cached}
        self.used = sum(image.bytes for image in cached)
        self.fetching: dict[str, float] = {}
        self.discs: dict[object, tuple[float, Image]] = {}
        self.drives: set[object] = set()
        self.blanks = dict(writer.blanks)
        self.out_since: float | None = None
        self.outages_seen: list[Span] = []

    def _tell(self, text: str) -> None:
        self._told(f"writer {self.writer.id}: {text}")

    def fetch_start(self, now: float, image: Image) -> None:
        if image.id in self.held or image.id in self.fetching:
            self._tell(f"fetches {image.id}, which it has or is fetching")
            return
        if self.fetching:
            self._tell(f"fetches {image.id} while it fetches {', '.join(self.fetching)}: one at a time")
        self.fetching[image.id] = now
        self.used += image.bytes
        if self.used > self.writer.cache_bytes:
            self._tell(f"its cache overflows: {self.used} of {self.writer.cache_bytes} bytes")

    def fetch_end(self, now: float, image: Image) -> None:
        if image.id not in self.fetching:
            self._tell(f"ends a fetch of {image.id} that it never began")
            return
        end = ends_at(self.fetching.pop(image.id), image.bytes / self.writer.link_rate, self.outages)
        if not same(now, end):
            self._tell(f"the fetch of {image.id} ends at {end}, not {now}")
        self.held.add(image.id)

    def purge(self, image: Image) -> None:
        if any(image.id == written.id for _, written in self.discs.values()):
            self._tell(f"purges {image.id}, which is in use")
        if image.id not in self.held:
            self._tell(f"purges {image.id}, which it does not hold")
            return
        self.held.discard(image.id)
        self.used -= image.bytes

    def disc_start(self, now: float, drive: object, image: Image) -> None:
        self._begin_on(drive, image.id)
        if image.format not in self.writer.formats:
            self._tell(f"does not write {image.format}, the format of {image.id}")
        if image.id not in self.held:
            self._tell(f"begins a disc of {image.id}, which is not wholly in its cache")
        if self.out_since is not None or any(begins < now < ends for begins, ends in self.outages):
            self._tell("begins a disc during an outage")
        if image.format in self.blanks:  # the others never run out
            self.blanks[image.format] -= 1
            if self.blanks[image.format] < 0:
                self._tell(f"has no blank {image.format} left")
        self.discs[drive] = (now, image)

    def _begin_on(self, drive: object, image: str) -> None:
        if drive in self.discs:
            self._tell(f"drive {drive} begins {image} while it writes {self.discs[drive][1].id}")
        self.drives.add(drive)
        if len(self.drives) > self.writer.drives:
            self._tell(f"uses drive {drive}, one more than its {self.writer.drives}")

    def disc_end(self, now: float, drive: object, image: Image, ok: object) -> None:
        start, written = self.discs.pop(drive, (None, None))
        if start is None or written != image:
            self._tell(f"drive {drive} ends a disc of {image.id} that it never began")
            return
        if not isinstance(ok, bool):
            self._tell(f"ok must be true or false, is {ok!r}")
        if ok is False and self.writer.bad_disc_probability == 0:
            self._tell("makes a bad disc, and never should")
        if self.noisy and now <= start:
            self._tell(f"drive {drive} takes no time for a disc of {image.id}")
        if not self.noisy and not same(now, start + self._disc_seconds(image)):
            self._tell(f"a disc of {image.id} takes {self._disc_seconds(image)} s, not {now - start}")

    def _disc_seconds(self, image: Image) -> float:
        if image.format not in self.writer.write_rate:
            return math.nan  # told at its start
        write = image.bytes / self.writer.write_rate[image.format]
        verify = image.bytes / self.writer.verify_rate[image.format] if self.writer.verify else 0.0
        return self.writer.load_s + write + verify + self.writer.print_s

    def refill(self, format_: str, count: int) -> None:
        if format_ in self.blanks:
            self.blanks[format_] += count

    def outage_start(self, now: float) -> None:
        if self.out_since is not None:
            self._tell("an outage begins within another")
        self.out_since = now

    def outage_end(self, now: float) -> None:
        if self.out_since is None:
            self._tell("an outage ends that never began")
            return
        self.outages_seen.append((self.out_since, now))
        self.out_since = None

    def end(self, now: float) -> None:
        for drive, (start, image) in self.discs.items():
            self._tell(f"drive {drive} never ends the disc of {image.id} begun at {start}")
        seen = self.outages_seen
        if self.out_since is not None:
            seen = [*seen, (self.out_since, math.inf)]
        for begins, ends in self.outages:
            if begins < now and not any(begins == one and (ends == other or ends >= now) for one, other in seen):
                self._tell(f"the outage from {begins} to {ends} is not among the events")
        for begins, ends in seen:
            if not any(begins == one and ends in (other, math.inf) for one, other in self.outages):
                self._tell(f"an outage from {begins} to {ends} is among the events alone")
