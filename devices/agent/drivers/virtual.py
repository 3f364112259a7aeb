"""A simulated robot: needs no hardware, and stores what it "wrote", so that all it says of a disc is true of a file.

Its time passes at a rate of its own, its faults come from dice that only seed and serial decide. Must never call a
disc good that doesn't read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import ClassVar, Final, Self

from devices.agent.config import STDIO, Drive
from devices.agent.drivers import medium
from devices.agent.drivers.audio import AUDIO_SECTOR, AudioFaultError, parts_of
from devices.agent.drivers.base import (
    NOT_COPIED,
    READY,
    STOPPED,
    Copied,
    DiscJob,
    Driver,
    Fitness,
    Options,
    Readiness,
    Result,
    Watch,
)
from devices.agent.drivers.copying import UnreadableError, copy_disc, size_of_file
from devices.agent.drivers.kinds import SECTORS, sectors_of
from devices.agent.drivers.pace import Run, RunBrokenOffError, bytes_a_second
from devices.agent.drivers.robot import Robot
from devices.agent.drivers.robot_options import VirtualOptions, read_options
from devices.agent.drivers.shelf import Shelf, Spend, face_type
from devices.agent.wire import FORMAT_OF, Blame, BlankFact, DiscState, Feed, Layout, PrinterFact, Verified

MOST_SPOILT: Final = 5
READ_SPEED: Final = "16d"


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls a disc: decided by seed and serial alone, whichever drive takes it and whenever."""

    spoilt: int
    is_bad: bool
    is_lost: bool
    drive_fails: bool
    where: float


def fate_of(serial: str, options: VirtualOptions) -> Fate:
    dice = Random(f"{options.seed}/{serial}")  # noqa: S311 — a simulation
    # All are thrown for every disc, so that one probability more or less changes nothing else.
    bad, lost, failed, where = (dice.random() for _ in range(4))
    spoilt = 0
    while spoilt < MOST_SPOILT and dice.random() < options.spoilt:
        spoilt += 1
    return Fate(spoilt, bad < options.bad, lost < options.unknown, failed < options.drive_failure, where)


class Virtual(Driver):
    layouts: ClassVar[frozenset[Layout]] = frozenset({Layout.ISO, Layout.AUDIO})

    def __init__(self, drive: Drive, workspace: Path, options: Options, robot: Robot | None = None) -> None:
        super().__init__(drive, workspace, options)
        self._options = read_options(options, [drive])
        self._robot = robot or Robot(self._options, workspace)
        self._shelf = Shelf(Path(self._options.store) if self._options.store else workspace / "discs")

    @classmethod
    def machine(cls, drives: Sequence[Drive], workspace: Path, options: Options) -> dict[str, Self]:
        robot = Robot(read_options(options, drives), workspace)
        return {drive.id: cls(drive, workspace, options, robot) for drive in drives}

    # -- before ------------------------------------------------------------------------------------------------------

    def examine(self) -> Readiness:
        return medium.fit_folder(self._shelf.folder)

    def check(self, job: DiscJob) -> Readiness:
        found = medium.fit_job(job, self.drive, self.layouts)
        for check in (self._check_content, self._shelf.fit, self._check_machine):
            if found.fitness is Fitness.READY:
                found = check(job)
        return found

    def _check_content(self, job: DiscJob) -> Readiness:
        """Does it fit every disc that may be taken; can its face be printed?"""
        needed = sectors_of(job.size)
        if job.layout is Layout.AUDIO:
            if job.format not in ("cd", "cd-mini"):
                return Readiness.refused(Blame.JOB, f"an audio disc is a CD, not a {job.format}")
            try:
                needed = parts_of(job.image)[1].size // AUDIO_SECTOR
            except AudioFaultError as fault:
                return Readiness.refused(Blame.JOB, f"the image is no audio disc: {fault}")
        room = min(SECTORS[kind] for kind in self.drive.kinds if FORMAT_OF[kind] == job.format)
        if needed > room:
            return Readiness.refused(Blame.JOB, f"the image has {needed} sectors, a {job.format} here takes {room}")
        face = self._prints(job)
        if face is not None and face_type(face) is None:
            return Readiness.refused(Blame.JOB, "the face is neither a PDF nor a PNG")
        return READY

    def _check_machine(self, job: DiscJob) -> Readiness:
        if self._robot.is_full():
            return Readiness.wait("output-area-full", "the robot's output is full: take the discs out")
        if self._prints(job) is not None and not self._robot.can_print():
            return Readiness.wait("marker-supply-empty", "the robot's printer is out of ink: put new supplies in")
        if self._is_fed_from_bins and self._robot.reserve(self.drive, job.format) is None:
            return Readiness.wait("media-empty", f"no bin has a blank for {job.format} left: load some")
        return READY

    def _prints(self, job: DiscJob) -> Path | None:
        return job.face if self._options.printer is not None else None

    @property
    def _is_fed_from_bins(self) -> bool:
        return bool(self._options.bins) and self.drive.feed is Feed.ROBOT

    # -- while -------------------------------------------------------------------------------------------------------

    def write(self, job: DiscJob, watch: Watch) -> Result:
        fate = fate_of(job.serial, self._options)
        run = Run(self._seconds(job, fate), self._options.clock, watch)
        try:
            return self._make(job, fate, run)
        except RunBrokenOffError:
            return STOPPED
        except OSError as fault:
            return Result(DiscState.BAD, blame=Blame.DRIVE, reason=f"the store can't be used: {fault}"[:500])

    def _make(self, job: DiscJob, fate: Fate, run: Run) -> Result:
        for spoilt in range(fate.spoilt + 1):
            if self._is_fed_from_bins and not self._robot.take(self.drive, job.format):
                # The last one it took is this disc's own.
                reason = "media-empty: the bin ran empty while the robot tried again"
                return Result(DiscState.BAD, blame=Blame.MEDIUM, reason=reason, spoilt=max(0, spoilt - 1))
            with run.hold(self._robot.arm):
                run.spend(self._options.load_seconds)
            if spoilt < fate.spoilt:
                run.spend(self._write_seconds(job) / 2)
        self._shelf.record(job, self._pass_time(job, run), fate.where if fate.drive_fails else 1.0)
        if fate.is_bad and not fate.drive_fails:
            self._shelf.spoil(job, fate.where)
        return self._judge(job, fate, run)

    def _judge(self, job: DiscJob, fate: Fate, run: Run) -> Result:
        if fate.drive_fails:
            reason = "the drive failed while it wrote (simulated)"
            return Result(DiscState.BAD, blame=Blame.DRIVE, reason=reason, spoilt=fate.spoilt)
        if fate.is_lost:
            reason = "the robot lost track of this disc (simulated)"
            return Result(DiscState.UNKNOWN, reason=reason, spoilt=fate.spoilt)
        if job.verify and not self._shelf.is_its_image(job, self._pass_time(job, run)):
            reason = "verify-mismatch: what was read back is not the image"
            return Result(DiscState.BAD, blame=Blame.MEDIUM, reason=reason, spoilt=fate.spoilt)
        face = self._prints(job)
        if face is not None:
            with run.hold(self._robot.print_head):
                run.spend(self._options.print_seconds)
                self._shelf.keep_face(job, face)
                self._robot.use_supplies()
        with run.hold(self._robot.arm):
            run.spend(self._options.load_seconds)
        self._robot.deliver()
        return Result(DiscState.GOOD, verified=self._verified(job), spoilt=fate.spoilt)

    def _verified(self, job: DiscJob) -> Verified:
        if not job.verify:
            return Verified.NONE
        if self._options.self_verify:
            return Verified.MACHINE
        return Verified.OFFSET if job.layout is Layout.AUDIO else Verified.DIGEST

    def read(self, target: Path, watch: Watch) -> Copied:
        source = Path(self.drive.device.removeprefix(STDIO))
        try:
            size = size_of_file(source)
            reading = size / bytes_a_second(READ_SPEED)
            run = Run(self._options.load_seconds + reading, self._options.clock, watch)
            run.spend(self._options.load_seconds)
            paced = replace(watch, progress=lambda done: run.spend_until(self._options.load_seconds + done * reading))
            return copy_disc(source, size, target, paced)
        except UnreadableError as fault:
            return Copied(reason=str(fault))
        except OSError as fault:
            return Copied(reason=f"{source} can't be read: {fault.strerror}")
        except RunBrokenOffError:
            return Copied(reason=NOT_COPIED)

    # -- bins, printer -----------------------------------------------------------------------------------------------

    def blanks(self) -> tuple[BlankFact, ...] | None:
        return self._robot.blanks() if self._is_fed_from_bins else None

    def printers(self) -> tuple[PrinterFact, ...]:
        return self._robot.printers()

    # -- time --------------------------------------------------------------------------------------------------------

    def _rate(self, job: DiscJob) -> float:
        return bytes_a_second(job.speed or self.drive.speed or self._options.speed_of(job.format))

    def _write_seconds(self, job: DiscJob) -> float:
        return job.size / self._rate(job)

    def _pass_time(self, job: DiscJob, run: Run) -> Spend:
        rate = self._rate(job)
        return lambda count: run.spend(count / rate)

    def _seconds(self, job: DiscJob, fate: Fate) -> float:
        options, writing = self._options, self._write_seconds(job)
        printing = options.print_seconds if self._prints(job) is not None else 0.0
        reading = writing if job.verify else 0.0
        return (2 + fate.spoilt) * options.load_seconds + fate.spoilt * writing / 2 + writing + reading + printing
