"""The values that planning takes and returns. Pure data: no clock, no database, no settings, no log.

Instants are seconds (since the epoch in the shop, since 0 in a simulation), sizes bytes, rates bytes a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Wait(StrEnum):
    """Why a job has no disc under way; the keyword is what rows keep and pages explain."""

    DRIVE = "waiting-for-drive"
    IMAGE = "image-mastering"
    BLANKS = "media-needed"
    WRITER = "no-writer"


@dataclass(frozen=True, slots=True)
class JobView:
    """A job that still needs discs. `copies` are those neither made nor under way."""

    id: str
    image: str
    bytes: int
    format: str
    copies: int
    received_at: float
    sequence: int
    priority: int = 0
    due: float | None = None
    image_ready_at: float | None = 0.0
    """When the image is (expected to be) made; None while nobody knows."""
    avoid: frozenset[str] = frozenset()
    """Writers where a disc of this job went wrong: the next try goes elsewhere, if it can."""


@dataclass(frozen=True, slots=True)
class DriveView:
    """A drive that may be given work. `free_at` is when the discs already given to it are done."""

    id: str
    formats: frozenset[str]
    free_at: float


@dataclass(frozen=True, slots=True)
class Rates:
    """How long things take on a writer."""

    write: Mapping[str, float]
    verify: Mapping[str, float]
    link: float
    load: float = 15.0
    print: float = 0.0


@dataclass(frozen=True, slots=True)
class WriterView:
    """A writer that takes work. `blanks` has no entry for a format it can't count: then it has enough."""

    id: str
    drives: tuple[DriveView, ...]
    rates: Rates
    cached: frozenset[str] = frozenset()
    blanks: Mapping[str, int] = field(default_factory=dict)
    link_free_at: float = 0.0
    outstanding: int = 0
    """Discs sent to it and not finished, over all its drives."""

    @property
    def formats(self) -> frozenset[str]:
        return frozenset().union(*(drive.formats for drive in self.drives))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The queue's head and the fleet. `under_way`: when the discs already given out for a job will be done."""

    jobs: tuple[JobView, ...]
    writers: tuple[WriterView, ...]
    under_way: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """One disc on one drive: when it starts and when it is verified."""

    job: str
    image: str
    writer: str
    drive: str
    start: float
    finish: float


@dataclass(frozen=True, slots=True)
class Share:
    job: str
    copies: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """One command for one writer, now: one image, and for whom how many discs."""

    writer: str
    image: str
    format: str
    shares: tuple[Share, ...]

    @property
    def copies(self) -> int:
        return sum(share.copies for share in self.shares)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send now, and why each of the other jobs waits."""

    assignments: tuple[Assignment, ...]
    waits: Mapping[str, Wait]


@dataclass(frozen=True, slots=True)
class Projection:
    """One roll-forward: when each job will be made (jobs that can't be placed are absent), and what is left."""

    finishes: Mapping[str, float]
    writers: tuple[WriterView, ...]
