"""What a driver is asked and may answer; the agent alone decides what follows from it.

A driver must never know a write, the server or the journal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Event

from devices.agent.config import Drive
from devices.agent.wire import Blame, DiscState, Verified


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


@dataclass(frozen=True, slots=True)
class Result:
    """How a started disc ended."""

    state: DiscState
    verified: Verified = Verified.NONE
    blame: Blame | None = None
    reason: str | None = None


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
    """One drive. Its methods are called from one thread; any exception counts against the drive."""

    def __init__(self, drive: Drive, workspace: Path) -> None:
        self.drive = drive
        self.workspace = workspace

    @abstractmethod
    def examine(self) -> Readiness:
        """Is the drive itself fit?"""

    @abstractmethod
    def check(self, job: DiscJob) -> Readiness:
        """Can this disc begin now? Spends nothing."""

    def command(self, job: DiscJob) -> tuple[str, ...]:
        """The command line that will write it, where there is one: kept to find it after a crash."""
        return ()

    @abstractmethod
    def write(self, job: DiscJob, watch: Watch) -> Result:
        """Write and verify. Returns within 4 seconds of `watch.stop`, with no process left."""

    def outlive(self, burner: Burner, stop: Event) -> None:
        """A burner may have outlived an earlier agent: return when it is surely gone (or `stop` is set)."""
        return
