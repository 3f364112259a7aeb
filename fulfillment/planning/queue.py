"""The jobs that wait, in rank order, with those of the same image together. Mutable; knows no writer."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import count
from typing import Final

from fulfillment.planning.model import JobView

BINS: Final = 8  # sizes of one format are told apart so finely when writers are compared

Rank = tuple[float, ...]
Bin = tuple[str, int]


@dataclass(slots=True, eq=False)
class Entry:
    """A job in the queue. `left`: its discs that are neither made nor given out."""

    job: JobView
    rank: Rank
    left: int
    group: Group
    number: int = 0
    """Settles equal ranks, and spares the rest of a comparison."""

    def is_made(self, now: float) -> bool:
        """Whether its image is."""
        return self.job.image_ready_at is not None and self.job.image_ready_at <= now

    def __lt__(self, other: Entry) -> bool:
        return self.rank < other.rank


@dataclass(slots=True, eq=False)
class Group:
    """The waiting jobs of one image in one format, in rank order."""

    image: str
    format: str
    bytes: int
    bin: Bin
    entries: list[Entry] = field(default_factory=list)
    left: int = 0

    @property
    def rank(self) -> Rank:
        return self.entries[0].rank


@dataclass(slots=True)
class Waiting:
    """The discs of one bin: how many, of how many bytes together, and of how many images."""

    discs: int = 0
    bytes: int = 0
    images: int = 0


class Queue:
    """`largest`: by format, the bytes of the largest image there may be; sizes are binned by it."""

    def __init__(self, largest: Mapping[str, int]) -> None:
        self._largest = largest
        self.groups: dict[tuple[str, str], Group] = {}
        self.entries: dict[str, Entry] = {}
        self.waiting: dict[Bin, Waiting] = defaultdict(Waiting)
        self.discs = 0
        self.changed: dict[Group, None] = {}
        """Groups with a new first job since the last look."""
        self._by_format: dict[str, list[tuple[Rank, int, Entry]]] = defaultdict(list)
        self._numbers = count()

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, job: JobView, rank: Rank) -> None:
        group = self._group(job)
        entry = Entry(job, rank, job.copies, group, next(self._numbers))
        self.entries[job.id] = entry
        insort(group.entries, entry)
        insort(self._by_format[job.format], (rank, entry.number, entry))
        if group.entries[0] is entry:
            self.changed[group] = None
        self._count(group, job.copies)

    def take(self, entry: Entry, copies: int) -> None:
        """These discs of the job are given out."""
        entry.left -= copies
        self._count(entry.group, -copies)
        if entry.left <= 0:
            self.remove(entry)

    def remove(self, entry: Entry) -> None:
        self._count(entry.group, -entry.left)
        entry.left = 0
        del self.entries[entry.job.id]
        row = self._by_format[entry.job.format]
        del row[bisect_left(row, (entry.rank, entry.number))]
        group = entry.group
        if group.entries[0] is entry:
            self.changed[group] = None
        group.entries.remove(entry)
        if not group.entries:
            self.changed.pop(group, None)
            del self.groups[group.image, group.format]
            self.waiting[group.bin].images -= 1

    def head(self, most: Mapping[str, int]) -> Iterator[Entry]:
        """In rank order, the first jobs of each format: as many as `most` says."""
        rows = (self._by_format[format_][:most_jobs] for format_, most_jobs in sorted(most.items()))
        return (entry for _, _, entry in merge(*rows))

    def first(self) -> list[Entry]:
        """The first job of each format."""
        return [row[0][2] for row in self._by_format.values() if row]

    def formats(self) -> list[str]:
        return sorted(format_ for format_, entries in self._by_format.items() if entries)

    def _group(self, job: JobView) -> Group:
        key = job.image, job.format
        group = self.groups.get(key)
        if group is None:
            bin_ = job.format, min(BINS - 1, job.bytes * BINS // max(1, self._largest.get(job.format, job.bytes)))
            group = self.groups[key] = Group(job.image, job.format, job.bytes, bin_)
            self.waiting[bin_].images += 1
        return group

    def _count(self, group: Group, copies: int) -> None:
        group.left += copies
        self.discs += copies
        waiting = self.waiting[group.bin]
        waiting.discs += copies
        waiting.bytes += copies * group.bytes
