"""Writes with Debian's xorriso: real drives (/dev/srN) and files that play a disc (stdio:PATH).

The exit code is no proof of a disc (0 for an empty image, 0 over a used file), so the driver looks before and
reads back after. Must never write on a medium that isn't blank, nor on anything behind stdio: but a plain file.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from devices.agent.config import STDIO, ConfigError, Drive
from devices.agent.drivers import medium, process
from devices.agent.drivers.base import Burner, DiscJob, Driver, Fitness, Readiness, Result, Watch
from devices.agent.drivers.readback import ReadBrokenOffError, read_digest
from devices.agent.wire import Blame, DiscState, Verified

log = logging.getLogger("agent")

UPDATE: Final = re.compile(r"UPDATE :\s+(\d+) of\s+(\d+) MB written")
FAULT: Final = re.compile(r"(?:xorriso|libburn|libisofs|libisoburn) : (?:FATAL|FAILURE|SORRY) : (.+)")
# xorriso pads a track by 150 sectors and rounds up to 32: room that a file needs beyond its image.
PADDING: Final = 1 << 20
SERIAL: Final = "{serial}"
KEPT: Final = 16_384
STOPPED: Final = "the agent was stopped while this disc was being written; how far it got is not known"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. A disc may take as long as it likes while it gets on."""

    stall: float = 180.0
    # Fixating a real disc takes minutes and shows no progress.
    closing: float = 900.0
    probe: float = 90.0
    orphan: float = 30.0
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Burn:
    """How the program ended: its exit code, what it complained of, and whether we ended it."""

    code: int
    faults: tuple[str, ...]
    stopped: bool = False
    stalled: bool = False


class Xorriso(Driver):
    def __init__(self, drive: Drive, workspace: Path, limits: Limits | None = None) -> None:
        super().__init__(drive, workspace)
        program = shutil.which("xorriso")
        if program is None:
            raise ConfigError("driver.name: the program xorriso is not on this machine; install Debian's xorriso")
        self._program = program
        self._limits = limits or Limits()
        self._log = workspace / f"{drive.id}.log"
        self._is_file = drive.device.startswith(STDIO)

    # -- before --------------------------------------------------------------------------------------------------

    def examine(self) -> Readiness:
        if self._is_file:
            return medium.fit_folder(self._target("EXAMPLE").parent)
        return medium.fit_device(self._probe())

    def check(self, job: DiscJob) -> Readiness:
        if job.size <= 0 or job.image.stat().st_size != job.size:
            return Readiness(Fitness.REFUSED, detail="the image file has not its size", blame=Blame.JOB)
        if not self._is_file:
            return medium.fit_medium(self._probe(), self.drive.kinds, job)
        folder = self._target(job.serial).parent
        found = medium.fit_folder(folder)
        if found.fitness is not Fitness.READY:
            return found
        return medium.fit_file(self._target(job.serial), shutil.disk_usage(folder).free, job.size + PADDING)

    def _target(self, serial: str) -> Path:
        return Path(self.drive.device.removeprefix(STDIO).replace(SERIAL, serial))

    def _probe(self) -> str | None:
        """What xorriso says of drive and medium; None where it can't open the drive."""
        argv = (self._program, "-no_rc", "-outdev", self.drive.device, "-toc")
        try:
            done = subprocess.run(  # noqa: S603 — an argument list, the device from the configuration
                argv, capture_output=True, timeout=self._limits.probe, check=False, env=_environment()
            )
        except subprocess.TimeoutExpired:
            return None
        text = (done.stdout + done.stderr).decode(errors="replace")
        return text if "Media current:" in text else None

    # -- while ---------------------------------------------------------------------------------------------------

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
            *(["blank=as_needed"] if self._needs_format(job) else []),
            *([f"speed={speed}"] if speed else []),
            str(job.image),
        )

    def _needs_format(self, job: DiscJob) -> bool:
        # Fresh rewritables are formatted; `check` has seen that there is nothing on them. Never asked for
        # otherwise: it would clear a used medium that came in after the check.
        return not self._is_file and medium.is_rewritable(self.drive.kind_of(job.format))

    def write(self, job: DiscJob, watch: Watch) -> Result:
        half = 0.5 if job.verify else 1.0
        burn = self._burn(job, watch, lambda done: watch.progress(done * half))
        result = self._judge(burn)
        if result is None:
            result = self._verify(job, watch)
        if not self._is_file and not watch.stop.is_set():
            self._eject()
        return result

    def _burn(self, job: DiscJob, watch: Watch, progress: Callable[[float], None]) -> Burn:
        argv = self.command(job)
        # Into a file, not a pipe: a burner that outlives the agent would die of its first line.
        with self._log.open("wb") as out:
            running = subprocess.Popen(  # noqa: S603 — an argument list; serial and digest have checked forms
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        try:
            watch.burner(Burner(running.pid, process.mark_of(running.pid), argv))
            return self._follow(running, watch.stop, progress)
        finally:
            if running.poll() is None:
                process.end(running)

    def _follow(self, running: subprocess.Popen[bytes], stop: Event, progress: Callable[[float], None]) -> Burn:
        last, since = (-1, 0), monotonic()
        with self._log.open("rb") as source:
            text = ""
            while True:
                code = running.poll()
                # The end is enough: a slow disc makes a line a second, for an hour.
                text = (text + source.read().decode(errors="replace"))[-KEPT:]
                if code is not None:
                    return Burn(code, faults_in(text))
                seen = progress_in(text)
                if seen is not None and seen != last:
                    last, since = seen, monotonic()
                    progress(min(1.0, seen[0] / max(1, seen[1])))
                limit = self._limits.closing if 0 < last[1] <= last[0] else self._limits.stall
                if stop.is_set() or monotonic() - since > limit:
                    process.end(running)
                    stopped = stop.is_set()
                    return Burn(running.returncode, faults_in(text), stopped=stopped, stalled=not stopped)
                stop.wait(0.1)

    # -- after ---------------------------------------------------------------------------------------------------

    def _judge(self, burn: Burn) -> Result | None:
        """The result of a burn that failed; None where it seems to have worked."""
        if burn.stopped:
            return Result(DiscState.UNKNOWN, reason=STOPPED)
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
                self._reload()
            found = read_digest(source, job.size, watch.stop, lambda done: watch.progress(0.5 + done / 2))
        except ReadBrokenOffError:
            return Result(DiscState.UNKNOWN, reason=STOPPED)
        except OSError as fault:
            return Result(DiscState.BAD, blame=Blame.MEDIUM, reason=f"the disc can't be read back: {fault}")
        if found == job.sha256:
            return Result(DiscState.GOOD, verified=Verified.DIGEST)
        return Result(DiscState.BAD, blame=Blame.MEDIUM, reason="verify-mismatch: what was read back is not the image")

    def _reload(self) -> None:
        """Out and in again: a drive knows a disc's new length, and reads the disc itself, only then."""
        self._eject()
        self._probe()

    def _eject(self) -> None:
        argv = (self._program, "-no_rc", "-outdev", self.drive.device, "-eject", "all")
        try:
            subprocess.run(  # noqa: S603 — an argument list, the device from the configuration
                argv, capture_output=True, timeout=self._limits.probe, check=False, env=_environment()
            )
        except subprocess.TimeoutExpired:
            log.warning("drive %s: did not eject within %.0f s", self.drive.id, self._limits.probe)

    def outlive(self, burner: Burner, stop: Event) -> None:
        process.outlive(
            burner,
            patience=self._limits.orphan,
            grace=self._limits.grace,
            stop=stop,
            tell=lambda text: log.warning("drive %s: %s", self.drive.id, text),
        )


def progress_in(text: str) -> tuple[int, int] | None:
    """MiB written and MiB in all, of the last such line; None before the first."""
    found = UPDATE.findall(text)
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def faults_in(text: str) -> tuple[str, ...]:
    """What xorriso and its libraries complained of, in their order."""
    return tuple(found.strip() for found in FAULT.findall(text))


def _environment() -> dict[str, str]:
    # English texts; no start-up files of a user are read either (-no_rc).
    return {**os.environ, "LC_ALL": "C", "TMPDIR": tempfile.gettempdir()}
