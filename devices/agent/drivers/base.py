"""What a driver is asked and may answer; the agent alone decides what follows from it.

A driver must never know a write, the server or the journal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, Final, Self

from devices.agent.config import Drive
from devices.agent.wire import Blame, BlankFact, DiscState, Layout, PrinterFact, Verified

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DiscJob:
    """One disc to write. `size` in bytes; `image` is a checked file of this digest."""

    serial: str
    image: Path
    sha256: str
    size: int
    format: str
    speed: str | None
    verify: bool
    layout: Layout = Layout.ISO
    face: Path | None = None  # a checked PDF or PNG to print on the disc, for a machine that prints


class Fitness(Enum):
    """May this drive begin? Asked before a blank is touched."""

    READY = "ready"
    # Something is to be changed at the drive, and then the disc can be written there: it waits.
    WAIT = "wait"
    # The drive is unfit: another one may take the disc.
    BROKEN = "broken"
    # This disc can't be written, by any drive.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Readiness:
    """`reason` is a keyword for the drive (as IPP has them), `detail` a sentence, `blame` for REFUSED."""

    fitness: Fitness = Fitness.READY
    reason: str = ""
    detail: str = ""
    blame: Blame | None = None

    @classmethod
    def wait(cls, reason: str, detail: str) -> Self:
        return cls(Fitness.WAIT, reason, detail)

    @classmethod
    def broken(cls, detail: str) -> Self:
        return cls(Fitness.BROKEN, "writer-failure", detail)

    @classmethod
    def refused(cls, blame: Blame, detail: str) -> Self:
        return cls(Fitness.REFUSED, detail=detail, blame=blame)


READY: Final = Readiness()


@dataclass(frozen=True, slots=True)
class Result:
    """How a started disc ended."""

    state: DiscState
    verified: Verified = Verified.NONE
    blame: Blame | None = None
    reason: str | None = None
    spoilt: int = 0  # blanks that the machine's own retries threw away on the way


STOPPED: Final = Result(
    DiscState.UNKNOWN, reason="the agent was stopped while this disc was being written; how far it got is not known"
)
"""What `write` answers when `watch.stop` ended it."""
NOT_COPIED: Final = "the agent was stopped while this disc was being read"


@dataclass(frozen=True, slots=True)
class Copied:
    """How a read ended: `size` bytes in the target; without a size it failed, and `reason` says why."""

    size: int | None = None
    layout: Layout = Layout.ISO
    reason: str | None = None


class Tray(Enum):
    """What a drive knows of its tray without touching it."""

    UNKNOWN = "unknown"  # it can't tell: a person says it by a button
    OPEN = "open"
    EMPTY = "empty"
    LOADED = "loaded"


@dataclass(frozen=True, slots=True)
class Burner:
    """A process that writes: `mark` tells it from a later one of the same pid; null where unknown."""

    pid: int | None
    mark: str | None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """What a driver tells while it writes, and hears: `stop` set means end at once, the disc is unknown."""

    progress: Callable[[float], None]
    burner: Callable[[Burner], None]
    stop: Event


class Driver(ABC):
    """One drive. Any exception counts against it.

    Called from one thread at a time, save `blanks` and `printers`: those are asked by any thread, at any time and
    often, so they answer from memory.
    """

    layouts: ClassVar[frozenset[Layout]] = frozenset({Layout.ISO})
    """What it can write; an image of another layout is refused at the door."""

    def __init__(self, drive: Drive, workspace: Path, options: Options) -> None:
        """options: the table [driver.options]; raise ConfigError("driver.options.KEY: …") for what is wrong there."""
        self.drive = drive
        self.workspace = workspace

    @classmethod
    def machine(cls, drives: Sequence[Drive], workspace: Path, options: Options) -> dict[str, Self]:
        """The drivers of all drives, by drive id. A robot overrides this: its drives share bins and printer."""
        return {drive.id: cls(drive, workspace, options) for drive in drives}

    # -- before ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def examine(self) -> Readiness:
        """Is the drive itself fit?"""

    @abstractmethod
    def check(self, job: DiscJob) -> Readiness:
        """Can this disc begin now? Spends nothing. `write` follows at once, or never."""

    def command(self, job: DiscJob) -> tuple[str, ...]:
        """The command line that will write it, where there is one: kept to find it after a crash."""
        return ()

    # -- while -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def write(self, job: DiscJob, watch: Watch) -> Result:
        """Write and verify; `job.face` is printed, or left to others by a machine that can't.

        Returns STOPPED within 4 seconds of `watch.stop`, with no process left.
        """

    def read(self, target: Path, watch: Watch) -> Copied:
        """Copy the disc in this source drive into `target`, which is there and empty.

        Write it from front to back: it is hashed while it grows, and what was hashed isn't looked at again. Stops
        like `write`. What is wrong with the disc is a `reason`, not an exception.
        """
        return Copied(reason=f"the driver {type(self).__name__} can't read discs in")

    def outlive(self, burner: Burner, stop: Event) -> None:
        """A burner may have outlived an earlier agent: return when it is surely gone (or `stop` is set)."""
        return

    # -- tray, bins, printer -----------------------------------------------------------------------------------------

    def tray(self) -> Tray:
        """Looks without moving anything: asked every second or so while a person is waited for."""
        return Tray.UNKNOWN

    def eject(self) -> None:
        """Hand the disc out, where there is a tray."""
        return

    def blanks(self) -> tuple[BlankFact, ...] | None:
        """Bins that the machine counts itself; None: the agent counts `blanks` of the configuration down."""
        return None

    def printers(self) -> tuple[PrinterFact, ...]:
        """Disc printers of the machine; drives that share one name the same id."""
        return ()
