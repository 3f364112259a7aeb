"""The values that planning takes and returns. Pure data: no clock, no database, no settings, no log.

Instants are seconds (since the epoch in the shop, since 0 in a simulation), sizes bytes, rates bytes a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fulfillment.planning.forecast import Forecast


class Wait(StrEnum):
    """Why a job has no disc under way; the keyword is what rows keep and pages explain."""

    DRIVE = "waiting-for-drive"
    IMAGE = "image-mastering"
    BLANKS = "media-needed"
    WRITER = "no-writer"
    ROOM = "image-too-large"


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
    work: float = 0.0
    """Seconds that all its discs take one drive, as reckoned when it was ranked; 0 while nobody knows."""
    avoid: frozenset[str] = frozenset()
    """Writers where a disc of this job went wrong: the next try goes elsewhere, if it can."""
    put_first: float = 0.0
    """When an operator put it before all others; 0 if nobody did."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How long things take on a writer."""

    write: Mapping[str, float]
    verify: Mapping[str, float]
    link: float
    load: float = 15.0
    print: float = 0.0
    loads: Mapping[str, float] = field(default_factory=dict)
    """By format, where it is known apart from `load`."""


@dataclass(frozen=True, slots=True)
class DriveView:
    """A drive that may be given work. `free_at` is when the discs already given to it are done."""

    id: str
    formats: frozenset[str]
    free_at: float
    by_hand: float = 0.0
    """Seconds that each disc waits for a person, beside what the rates say."""
    rates: Rates | None = None
    """Its own, where its discs were timed; None: it is as its writer."""


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
    last_blank_at: Mapping[str, float] = field(default_factory=dict)
    """By format: when the last blank that is spoken for will be begun."""
    disk: int | None = None
    """Bytes of images that its disk can hold; None while nobody has said."""
    names_drives: frozenset[str] = frozenset()
    """Formats that a drive of it takes which is not the planner's: a command must name one that is."""
    silent: bool = False
    """Not heard of at this moment: work may be planned for it, and nothing is sent."""

    @property
    def formats(self) -> frozenset[str]:
        return frozenset().union(*(drive.formats for drive in self.drives))


@dataclass(frozen=True, slots=True)
class Coming:
    """Jobs to come, as far as those of late tell: one in so many seconds, each like one of `jobs`."""

    seconds: float
    jobs: tuple[JobView, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The queue's head and the fleet. `under_way`: when the discs already given out for a job will be done.

    `coming`: where a job may be overtaken, what is to be expected.
    """

    jobs: tuple[JobView, ...]
    writers: tuple[WriterView, ...]
    under_way: Mapping[str, float] = field(default_factory=dict)
    coming: Coming | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """One disc on one drive: when it starts and when it is verified."""

    job: str
    image: str
    format: str
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
    drive: str | None = None
    """None: the agent chooses."""

    @property
    def copies(self) -> int:
        return sum(share.copies for share in self.shares)


@dataclass(frozen=True, slots=True)
class Ahead:
    """An image that a writer will need after what it is sent now, and the job that needs it there first."""

    writer: str
    image: str
    job: str
    start: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send now, why each of the other jobs waits, and what comes after it (soonest first)."""

    assignments: tuple[Assignment, ...]
    waits: Mapping[str, Wait]
    ahead: tuple[Ahead, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """Discs of one job that follow each other on one drive, as they are planned."""

    job: str
    writer: str
    drive: str
    start: float
    finish: float
    copies: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the queue: the rank (as text) of the job that stands there, and how those before it leave the fleet.

    `free`: for each writer of the projection, when each of its drives is free. `ahead`: as the projection's, up to it.
    """

    rank: str
    free: tuple[tuple[float, ...], ...]
    ahead: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Projection:
    """One roll-forward: when each job will be made (jobs that can't be placed are absent), and what is left."""

    finishes: Mapping[str, float]
    writers: tuple[WriterView, ...]
    blanks_until: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By writer and format: when the work that is planned takes the last blank. What lasts longer has no entry."""
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    """The same finishes, with what chance adds to them."""
    ahead: Mapping[str, float] = field(default_factory=dict)
    """By format: how much all of this work adds to the doubt about what comes after it (`forecast.doubt_of`)."""
    load: Mapping[str, float] = field(default_factory=dict)
    """By format: discs under way or waiting for each drive that takes it."""
    bars: tuple[Bar, ...] = ()
    """What is planned for the next hours (`projection.SHOWN`), writer by writer, soonest first."""
    waits: Mapping[str, Wait] = field(default_factory=dict)
    """Why each job that has discs left waits."""
    marks: tuple[Mark, ...] = ()
    """Where jobs may overtake others: places in the queue, in order of rank."""
    coming: Coming | None = None
    """As it was seen."""
