"""A drive for the tests whose tray and medium are files: a test plays the person who stands before it.

In the folder that `device` names: `tray` (a word of `Tray`), `medium` ("blank", or the serial that is on it), `disc`
(what a source drive reads). While `hold` is there, writing and reading go no further. `ejects`: it hands out what it
has written, as real drives do. `fault`: reading raises its text. `layout`: of what is read. What was written is
appended to `written`, what was ejected to `ejected`. `hopper`: there is always another blank.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import Any

from devices.agent.config import STDIO, Drive
from devices.agent.drivers.base import STOPPED, Copied, DiscJob, Driver, Options, Readiness, Result, Tray, Watch
from devices.agent.wire import DiscState, Layout, PrinterFact, SupplyFact, Verified

STEP = 100_000


class Puppet(Driver):
    layouts = frozenset({Layout.ISO, Layout.AUDIO})

    def __init__(self, drive: Drive, workspace: Path, options: Options) -> None:
        super().__init__(drive, workspace, options)
        self._folder = Path(drive.device.removeprefix(STDIO))

    def examine(self) -> Readiness:
        return Readiness()

    def check(self, job: DiscJob) -> Readiness:
        if self.tray() in (Tray.OPEN, Tray.EMPTY):
            return Readiness.wait("media-needed", "no blank lies in the drive")
        if self._said("medium") != "blank":
            return Readiness.wait("media-used", "something is on the medium in the drive")
        return Readiness()

    def write(self, job: DiscJob, watch: Watch) -> Result:
        if not self._is("hopper"):
            (self._folder / "medium").write_text(job.serial)
        with (self._folder / "written").open("a") as log:
            log.write(f"{job.serial} {job.layout} {job.face.name if job.face else '-'}\n")
        watch.progress(0.5)
        if not self._go_on(watch.stop):
            return STOPPED
        if self._is("ejects"):
            self.eject()
        return Result(DiscState.GOOD, verified=Verified.MACHINE, spoilt=int(self._said("spoils") or 0))

    def read(self, target: Path, watch: Watch) -> Copied:
        if self._is("fault"):
            raise RuntimeError(self._said("fault"))
        if self.tray() is Tray.EMPTY or not self._is("disc"):
            return Copied(reason="media-needed: no disc lies in the drive")
        data = (self._folder / "disc").read_bytes()
        with target.open("wb", buffering=0) as copy:
            for first in range(0, len(data), STEP):
                copy.write(data[first : first + STEP])
                watch.progress(min(1.0, (first + STEP) / len(data)))
                if not self._go_on(watch.stop):
                    return Copied(reason="broken off")
        lie = self._said("lie")
        return Copied(int(lie) if lie else len(data), Layout(self._said("layout") or "iso"))

    def tray(self) -> Tray:
        return Tray(self._said("tray") or "unknown")

    def eject(self) -> None:
        with (self._folder / "ejected").open("a") as log:
            log.write("ejected\n")
        if self._is("tray"):
            (self._folder / "tray").write_text(Tray.OPEN.value)

    def printers(self) -> tuple[PrinterFact, ...]:
        return (PrinterFact(id="p1", state="idle", supplies=(SupplyFact(name="ink", percent=80),)),)

    def _go_on(self, stop: Event) -> bool:
        while self._is("hold") and not stop.is_set():
            time.sleep(0.01)
        return not stop.is_set()

    def _is(self, name: str) -> bool:
        return (self._folder / name).exists()

    def _said(self, name: str) -> str:
        return (self._folder / name).read_text().strip() if self._is(name) else ""


class Stage:
    """The test's side of a puppet."""

    def __init__(self, folder: Path, drive: str) -> None:
        self.folder = folder / "puppets" / drive
        self.folder.mkdir(parents=True, exist_ok=True)

    def set(self, **files: str) -> None:
        for name, text in files.items():
            fresh = self.folder / f".{name}"
            fresh.write_text(text)
            fresh.replace(self.folder / name)

    def drop(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []


PUPPET: dict[str, Any] = {"driver": f"{Puppet.__module__}.{Puppet.__name__}", "device": "stdio:puppets/{drive}"}
SOURCE = '[[driver.drives]]\nid = "s1"\nrole = "source"\ndevice = "stdio:puppets/s1"\n'
