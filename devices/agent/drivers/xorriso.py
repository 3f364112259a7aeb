"""Writes with Debian's xorriso: real drives (/dev/srN) and files that play a disc (stdio:PATH); reads data discs in.

The exit code is no proof of a disc (0 for an empty image, 0 over a used file), so the driver looks before and
reads back after. Must never write on a used medium that can't be written again, nor on one that this drive has
just written, nor on anything behind stdio: but a plain file.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from threading import Event
from typing import Final

from devices.agent.config import SERIAL, STDIO, ConfigError, Drive
from devices.agent.drivers import cdrom, medium, process, toc
from devices.agent.drivers.base import (
    NOT_COPIED,
    READY,
    STOPPED,
    Burner,
    Copied,
    DiscJob,
    Driver,
    Fitness,
    Options,
    Readiness,
    Result,
    Tray,
    Watch,
)
from devices.agent.drivers.burning import Burn, Burning, Limits
from devices.agent.drivers.copying import UnreadableError, copy_disc, size_of_file
from devices.agent.drivers.kinds import has_run_out
from devices.agent.drivers.readback import ReadBrokenOffError, read_digest
from devices.agent.wire import SECTOR, Blame, DiscState, Verified

log = logging.getLogger("agent")

# xorriso pads a track by 150 sectors and rounds up to 32: room that a file needs beyond its image.
PADDING: Final = 1 << 20


class Xorriso(Driver):
    def __init__(self, drive: Drive, workspace: Path, options: Options, limits: Limits | None = None) -> None:
        super().__init__(drive, workspace, options)
        if options:
            raise ConfigError(f"driver.options.{next(iter(options))}: the driver xorriso knows no options; take it out")
        program = shutil.which("xorriso")
        if program is None:
            raise ConfigError("driver.name: the program xorriso is not on this machine; install Debian's xorriso")
        self._program = program
        self._limits = limits or Limits()
        self._log = workspace / f"{drive.id}.log"
        self._last = workspace / f"{drive.id}.last"
        self._is_file = drive.device.startswith(STDIO)
        # English texts; no start-up files of a user are read either (-no_rc).
        self._environment = {**os.environ, "LC_ALL": "C", "TMPDIR": tempfile.gettempdir()}
        self._asker = process.Asker(self._limits.probe, self._environment)

    # -- before ------------------------------------------------------------------------------------------------------

    def examine(self) -> Readiness:
        if self._is_file:
            return medium.fit_folder(self._target("EXAMPLE").parent)
        if self.tray() is Tray.OPEN:
            return READY  # a probe would pull it in
        return READY if self._probe(Event()) is not None else self._unopened()

    def check(self, job: DiscJob) -> Readiness:
        found = medium.fit_job(job, self.drive, self.layouts)
        if found.fitness is Fitness.READY:
            found = self._check_file(job) if self._is_file else self._check_drive(job)
        if found.fitness is Fitness.READY and self._holds_the_last():
            detail = "the disc that was written last still lies in the drive: take it out, put a blank in"
            return Readiness.wait("media-used", detail)
        return found

    def _check_file(self, job: DiscJob) -> Readiness:
        target = self._target(job.serial)
        found = medium.fit_folder(target.parent)
        if found.fitness is Fitness.READY:
            found = medium.fit_file(target, shutil.disk_usage(target.parent).free, job.size + PADDING)
        if found.fitness is not Fitness.READY or not target.exists() or not target.stat().st_size:
            return found
        if SERIAL in self.drive.device:
            return Readiness.refused(Blame.MEDIUM, f"medium-used: {target.name} has something on it")
        if self._clears(job):
            return READY
        return Readiness.wait("media-used", f"{target.name} has something on it: move it away")

    def _check_drive(self, job: DiscJob) -> Readiness:
        found = medium.fit_tray(self.tray())
        if found.fitness is not Fitness.READY:
            return found
        said = self._probe(Event())
        if said is None:
            return self._unopened()
        return medium.fit_medium(toc.read_toc(said), self.drive, job)

    def _unopened(self) -> Readiness:
        return Readiness.broken(f"the drive {self.drive.device} can't be opened by xorriso")

    def _target(self, serial: str) -> Path:
        return Path(self.drive.device.removeprefix(STDIO).replace(SERIAL, serial))

    def _probe(self, stop: Event) -> str | None:
        """What xorriso says of drive and medium; None where it can't open the drive. Pulls an open tray in."""
        # A drive that only reads is no -outdev.
        for role in ("-outdev", "-indev"):
            said = self._asker.ask((self._program, "-no_rc", role, self.drive.device, "-toc"), stop)
            if said is None or toc.is_toc(said):
                return said
        return None

    # -- while -------------------------------------------------------------------------------------------------------

    def command(self, job: DiscJob) -> tuple[str, ...]:
        speed = job.speed or self.drive.speed
        device = STDIO + str(self._target(job.serial)) if self._is_file else self.drive.device
        return (
            self._program,
            "-no_rc",
            "-as",
            "cdrecord",
            "-v",
            f"dev={device}",
            # With its own fifo of 4 MiB xorriso sleeps most of the time.
            "fs=64m",
            # So that an image may fill its disc.
            *([] if has_run_out(job.format) else ["padsize=0"]),
            # Formats what is fresh, blanks what is used. Never asked for otherwise: it would clear a used medium that
            # came in after the check.
            *(["blank=as_needed"] if self._clears(job) else []),
            *([f"speed={speed}"] if speed else []),
            str(job.image),
        )

    def write(self, job: DiscJob, watch: Watch) -> Result:
        half = 0.5 if job.verify else 1.0
        self._remember(job)
        burning = Burning(self.command(job), self._log, self._environment, self._limits)
        result = self._judge(burning.run(watch, lambda done: watch.progress(done * half)))
        if result is None:
            result = self._verify(job, watch)
        if not watch.stop.is_set():
            self.eject()
        return result

    def read(self, target: Path, watch: Watch) -> Copied:
        source = self._target("") if self._is_file else Path(self.drive.device)
        try:
            size = size_of_file(source) if self._is_file else self._size_of_disc(watch.stop)
        except UnreadableError as fault:
            return Copied(reason=str(fault))
        except OSError as fault:
            return Copied(reason=f"{source} can't be read: {fault.strerror}")
        copied = copy_disc(source, size, target, watch)
        if not watch.stop.is_set():
            self.eject()
        return copied

    def _size_of_disc(self, stop: Event) -> int:
        if self.tray() in (Tray.OPEN, Tray.EMPTY):
            raise UnreadableError("no disc lies in the drive")
        said = self._probe(stop)
        if stop.is_set():
            raise UnreadableError(NOT_COPIED)
        found = toc.read_toc(said) if said is not None else None
        if found is None:
            raise UnreadableError("no disc lies in the drive, or none that can be recognised")
        if found.is_blank:
            raise UnreadableError(f"the {found.name} in the drive is blank")
        if not found.has_data or not found.readable:
            raise UnreadableError("this is an audio disc, or an empty one; this driver reads data discs only")
        return found.readable * SECTOR

    # -- rewritables -------------------------------------------------------------------------------------------------

    def _clears(self, job: DiscJob) -> bool:
        """A file named by its serial is that disc for ever: only what lies in a drive is written again."""
        return SERIAL not in self.drive.device and medium.erases(self.drive, job.format)

    def _remember(self, job: DiscJob) -> None:
        """A used rewritable is cleared; the one that was written a moment ago must not be, if nobody took it out."""
        if self._clears(job):
            self._last.write_text(f"{job.size} {medium.head_of(job.image, job.size)}")

    def _holds_the_last(self) -> bool:
        if SERIAL in self.drive.device or not self._last.exists():
            return False
        size, _, head = self._last.read_text().partition(" ")
        source = self._target("") if self._is_file else Path(self.drive.device)
        return size.isdigit() and medium.head_of(source, int(size)) == head

    # -- after -------------------------------------------------------------------------------------------------------

    def _judge(self, burn: Burn) -> Result | None:
        """The result of a burn that failed; None where it seems to have worked."""
        if burn.stopped:
            return STOPPED
        if burn.stalled:
            return Result(DiscState.BAD, blame=Blame.DRIVE, reason="xorriso got no further and was ended")
        if burn.code == 0:
            return None
        what = burn.faults[0] if burn.faults else "no reason given"
        return Result(DiscState.BAD, blame=self._blame(burn), reason=f"xorriso failed (exit {burn.code}): {what}"[:500])

    def _blame(self, burn: Burn) -> Blame:
        text = " ".join(burn.faults)
        if "Could not open data source" in text:
            return Blame.JOB
        # Ended from outside, no access, or a file that plays a disc: no medium is at fault.
        if self._is_file or burn.code < 0 or "Cannot acquire drive" in text:
            return Blame.DRIVE
        return Blame.MEDIUM

    def _verify(self, job: DiscJob, watch: Watch) -> Result:
        source = self._target(job.serial) if self._is_file else Path(self.drive.device)
        if self._is_file:
            with source.open("rb+") as disc:
                os.fsync(disc.fileno())
            if source.stat().st_size < job.size:
                return Result(DiscState.BAD, blame=Blame.MEDIUM, reason="the disc is shorter than its image")
        if not job.verify:
            return Result(DiscState.GOOD)
        try:
            if not self._is_file:
                self._reload(watch.stop)
            found = read_digest(source, job.size, watch.stop, lambda done: watch.progress(0.5 + done / 2))
        except ReadBrokenOffError:
            return STOPPED
        except OSError as fault:
            return Result(DiscState.BAD, blame=Blame.MEDIUM, reason=f"the disc can't be read back: {fault}")
        if found == job.sha256:
            return Result(DiscState.GOOD, verified=Verified.DIGEST)
        return Result(DiscState.BAD, blame=Blame.MEDIUM, reason="verify-mismatch: what was read back is not the image")

    # -- tray --------------------------------------------------------------------------------------------------------

    def tray(self) -> Tray:
        return Tray.UNKNOWN if self._is_file else cdrom.look(self.drive.device)

    def eject(self) -> None:
        self._eject(Event())

    def _eject(self, stop: Event) -> None:
        argv = (self._program, "-no_rc", "-outdev", self.drive.device, "-eject", "all")
        if not self._is_file and self._asker.ask(argv, stop) is None and not stop.is_set():
            log.warning("drive %s: did not eject within %.0f s", self.drive.id, self._limits.probe)

    def _reload(self, stop: Event) -> None:
        """Out and in again: a drive knows a disc's new length, and reads the disc itself, only then."""
        self._eject(stop)
        self._probe(stop)
        if self.tray() is Tray.OPEN:
            log.warning("drive %s: push the tray in: the disc is to be read back", self.drive.id)
        for _ in range(int(self._limits.closing)):
            if self.tray() is not Tray.OPEN or stop.wait(1.0):
                return

    def outlive(self, burner: Burner, stop: Event) -> None:
        process.outlive(
            burner,
            patience=self._limits.orphan,
            grace=self._limits.grace,
            stop=stop,
            tell=lambda text: log.warning("drive %s: %s", self.drive.id, text),
        )
