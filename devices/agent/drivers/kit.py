"""Holds any driver to the contract of `base.py`: derive a test class from DriverKit and say what is to be tested.

Needs no test framework: pytest finds the methods named test_* of a class named Test*, and `run` does the same
without it. Must never know a driver, nor need hardware that the driver itself doesn't need.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic
from typing import Any, ClassVar, Final

from devices.agent.config import ConfigError, Drive
from devices.agent.drivers import process
from devices.agent.drivers.base import Burner, Copied, DiscJob, Driver, Fitness, Readiness, Result, Tray, Watch
from devices.agent.wire import Blame, BlankFact, DiscState, Feed, Layout, PrinterFact, Role, Verified

SIZE: Final = 3 * (1 << 20) + 5 * 2048
TOO_LARGE: Final = 60_000_000_000  # bytes; a BD of two layers takes 50
AT_MOST: Final = 4.0
NOWHERE: Final = Burner(pid=2**30, mark="an-earlier-boot/1", command=("no-such-burner", "--at-all"))


class Seen:
    """What a driver told while it worked; it is stopped as soon as it has told `stop_at` of its progress."""

    def __init__(self, stop_at: float | None = None) -> None:
        self.progress: list[float] = []
        self.burners: list[Burner] = []
        self.stop = Event()
        self.stopped_at = 0.0
        self._stop_at = stop_at

    @property
    def watch(self) -> Watch:
        return Watch(self._note, self.burners.append, self.stop)

    def _note(self, progress: float) -> None:
        self.progress.append(progress)
        if self._stop_at is not None and progress >= self._stop_at and not self.stop.is_set():
            self.stopped_at = monotonic()
            self.stop.set()


class DriverKit:
    """Say `driver` at least; the rest as the driver needs it. Each check has a folder of its own."""

    driver: ClassVar[type[Driver]]
    kinds: ClassVar[tuple[str, ...]] = ("CD-R",)
    speed: ClassVar[str | None] = None
    """A slow one, so that a disc can be stopped while it is written; where the driver honours speeds."""
    wrong_options: ClassVar[Sequence[tuple[Mapping[str, Any], str]]] = ()
    """Options to add, and the key that has to be named: ({"folder": 5}, "driver.options.folder")."""

    # -- what a driver's own test class says -------------------------------------------------------------------------

    def device(self) -> str:
        """The copier's, in `self.folder`."""
        return "bay-1"

    def options(self) -> Mapping[str, Any]:
        return {}

    def load(self, driver: Driver) -> None:
        """Put a blank in, where somebody has to."""

    def content(self, driver: Driver, serial: str) -> bytes | None:
        """What is on a disc that was written; None where only the driver can read it."""
        return None

    def source(self, disc: bytes) -> str | None:
        """The device of a source drive that holds this disc; None where the driver reads none in."""
        return None

    def empty_source(self) -> str | None:
        """The device of a source drive that holds no disc."""
        return None

    # -- parts -------------------------------------------------------------------------------------------------------

    def setup_method(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="driver-kit-")
        self.folder = Path(self._temporary.name)

    def teardown_method(self) -> None:
        self._temporary.cleanup()

    @classmethod
    def run(cls) -> int:
        """All checks, one after the other; how many there were. Raises AssertionError with the first that fails."""
        names = [name for name in dir(cls) if name.startswith("test_")]
        for name in names:
            kit = cls()
            kit.setup_method()
            try:
                getattr(kit, name)()
            finally:
                kit.teardown_method()
        return len(names)

    def make(self, *drives: Drive, **options: Any) -> Driver:
        """The first of the drives, as an agent makes it (without any: one copier)."""
        workspace = self.folder / "workspace"
        workspace.mkdir(exist_ok=True)
        wanted = drives or (self.drive(),)
        return self.driver.machine(wanted, workspace, {**self.options(), **options})[wanted[0].id]

    def drive(self, id_: str = "d1", role: Role = Role.COPIER, device: str | None = None) -> Drive:
        kinds = self.kinds if role is Role.COPIER else ()
        return Drive(id_, role, Feed.ROBOT, self.device() if device is None else device, kinds, None, None)

    def job(self, serial: str = "KIT-1", data: bytes | None = None, **changes: Any) -> DiscJob:
        data = Random(serial).randbytes(SIZE) if data is None else data  # noqa: S311 — bytes that nobody guesses
        image = self.folder / f"{serial}.image"
        image.write_bytes(data)
        values = {
            "serial": serial,
            "image": image,
            "sha256": sha256(data).hexdigest(),
            "size": len(data),
            "format": self.drive().formats[0],
            "speed": None,
            "verify": True,
        }
        return DiscJob(**{**values, **changes})

    def check(self, driver: Driver, job: DiscJob) -> Readiness:
        """Looked at twice: the second look has to say the same, and no blank may be gone."""
        before, first, second = _count(driver), driver.check(job), driver.check(job)
        # Not by their details: those may count what is free just now.
        same = (first.fitness, first.reason, first.blame) == (second.fitness, second.reason, second.blame)
        assert same, f"check() said {first}, and then {second}"
        assert _count(driver) == before, "check() has spent a blank"
        return first

    def write(self, driver: Driver, job: DiscJob, seen: Seen | None = None) -> Result:
        self.load(driver)
        found = self.check(driver, job)
        assert found.fitness is Fitness.READY, f"a blank drive refuses a disc that fits: {found}"
        seen = seen or Seen()
        result = driver.write(job, seen.watch)
        _assert_progress(seen)
        for burner in seen.burners:
            assert process.find(burner) is None, f"a process is left: {burner}"
        assert (result.state is DiscState.GOOD) == (result.blame is None and result.reason is None), (
            f"a good disc has neither blame nor reason, every other one has a reason: {result}"
        )
        return result

    # -- before ------------------------------------------------------------------------------------------------------

    def test_a_drive_that_can_write_says_so(self) -> None:
        driver = self.make()
        found = driver.examine()
        assert found.fitness is Fitness.READY, f"examine() said {found}"
        self.load(driver)
        assert self.check(driver, self.job()).fitness is Fitness.READY

    def test_an_image_that_is_not_what_was_announced_is_refused(self) -> None:
        driver = self.make()
        self.load(driver)
        whole = self.job()
        wrong = {
            "a file that is gone": self.job("KIT-2", image=self.folder / "gone"),
            "an empty file": self.job("KIT-3", b""),
            "a file cut off": self.job("KIT-4", size=SIZE + 1),
            "a file too long": self.job("KIT-5", size=SIZE - 1),
        }
        for what, job in wrong.items():
            found = self.check(driver, job)
            assert (found.fitness, found.blame) == (Fitness.REFUSED, Blame.JOB), f"{what}: check() said {found}"
            assert found.detail, f"{what}: no detail for the operator"
        assert self.check(driver, whole).fitness is Fitness.READY, "a refusal has left something behind"

    def test_what_fits_no_disc_of_the_drive_is_not_begun(self) -> None:
        driver = self.make()
        self.load(driver)
        large = self.folder / "large"
        with large.open("wb") as file:
            file.truncate(TOO_LARGE)  # a hole: it takes no room
        wrong = {
            "an image larger than any disc": self.job("KIT-2", image=large, size=TOO_LARGE),
            "a format of other drives": self.job("KIT-3", format="no-such-format"),
            "a face instead of an image": self.job("KIT-4", layout=Layout.FACE),
        }
        for what, job in wrong.items():
            found = self.check(driver, job)
            assert found.fitness is not Fitness.READY, f"{what}: check() said {found}"
            assert found.detail, f"{what}: no detail for the operator"

    # -- while -------------------------------------------------------------------------------------------------------

    def test_a_disc_is_written_and_verified(self) -> None:
        driver = self.make()
        job = self.job()
        before = _count(driver)
        result = self.write(driver, job)
        assert result.state is DiscState.GOOD, f"write() said {result}"
        assert result.verified is not Verified.NONE, "good, but not verified"
        found = self.content(driver, job.serial)
        if found is not None:
            assert found[: job.size] == job.image.read_bytes(), "another content than the image's"
        if before is not None:
            assert _count(driver) == before - 1 - result.spoilt, "one blank a disc, and those that were spoilt"

    def test_what_is_not_verified_is_not_called_so(self) -> None:
        result = self.write(self.make(), self.job(verify=False))
        assert (result.state, result.verified) == (DiscState.GOOD, Verified.NONE), f"write() said {result}"

    def test_a_disc_that_is_another_one_than_was_ordered_is_bad(self) -> None:
        """Its image's digest is another: a driver that reads back sees it, whatever the reason was."""
        result = self.write(self.make(), self.job(sha256="0" * 64))
        assert (result.state, result.blame) == (DiscState.BAD, Blame.MEDIUM), f"write() said {result}"

    def test_a_stop_ends_a_disc_at_once(self) -> None:
        seen = Seen(stop_at=0.0)
        result = self.write(self.make(), self.job(speed=self.speed), seen)
        took = monotonic() - seen.stopped_at
        assert seen.stop.is_set(), "no progress was ever told"
        assert took < AT_MOST, f"write() came back {took:.1f} s after the stop; at most {AT_MOST} s are allowed"
        assert result.state is DiscState.UNKNOWN, f"nobody knows how far a stopped disc got; write() said {result}"

    def test_two_drives_have_two_drivers(self) -> None:
        drives = [self.drive("d1"), self.drive("d2")]
        made = self.driver.machine(drives, self.folder, self.options())
        assert {id_: driver.drive.id for id_, driver in made.items()} == {"d1": "d1", "d2": "d2"}

    def test_a_burner_that_is_gone_is_not_waited_for(self) -> None:
        began = monotonic()
        self.make().outlive(NOWHERE, Event())
        assert monotonic() - began < AT_MOST

    # -- sources -----------------------------------------------------------------------------------------------------

    def test_a_disc_in_a_source_drive_is_copied(self) -> None:
        disc = Random("disc").randbytes(SIZE)  # noqa: S311  (bytes that nobody guesses)
        device = self.source(disc)
        if device is None:
            assert self._read(self.make(), Seen()).reason, "a driver that reads nothing in has to say so"
            return
        seen = Seen()
        copied = self._read(self.make(self.drive("s1", Role.SOURCE, device)), seen)
        assert (copied.size, copied.reason) == (SIZE, None), f"read() said {copied}"
        assert self._copy.read_bytes() == disc, "the copy is not the disc"
        _assert_progress(seen)

    def test_reading_stops_at_once_and_leaves_no_half_copy(self) -> None:
        device = self.source(Random("disc").randbytes(SIZE))  # noqa: S311  (bytes that nobody guesses)
        if device is not None:
            seen = Seen(stop_at=0.0)
            copied = self._read(self.make(self.drive("s1", Role.SOURCE, device)), seen)
            assert monotonic() - seen.stopped_at < AT_MOST
            assert copied.size is None, f"stopped, yet read() said {copied}"
            assert copied.reason

    def test_an_empty_source_drive_says_so(self) -> None:
        device = self.empty_source()
        if device is not None:
            copied = self._read(self.make(self.drive("s1", Role.SOURCE, device)), Seen())
            assert copied.size is None, f"nothing is there, yet read() said {copied}"
            assert copied.reason

    def _read(self, driver: Driver, seen: Seen) -> Copied:
        self._copy = self.folder / "copy"
        self._copy.write_bytes(b"")
        return driver.read(self._copy, seen.watch)

    # -- options, tray, bins, printer --------------------------------------------------------------------------------

    def test_wrong_options_are_named(self) -> None:
        for change, key in [({"no_such_option": 1}, "driver.options.no_such_option"), *self.wrong_options]:
            said = self._complaint(change)
            assert said is not None, f"{change} was taken; a ConfigError has to name {key}"
            assert said.startswith(f"{key}: "), f"{change}: the message has to begin with {key}, it is {said!r}"

    def _complaint(self, change: Mapping[str, Any]) -> str | None:
        try:
            self.make(**change)
        except ConfigError as fault:
            return str(fault)
        return None

    def test_the_tray_can_be_looked_at_and_opened(self) -> None:
        driver = self.make()
        assert isinstance(driver.tray(), Tray)
        driver.eject()

    def test_bins_and_printers_are_facts(self) -> None:
        driver = self.make()
        bins, printers = driver.blanks(), driver.printers()
        assert bins is None or all(isinstance(fact, BlankFact) for fact in bins)
        assert all(isinstance(fact, PrinterFact) for fact in printers)
        assert len({printer.id for printer in printers}) == len(printers), "a printer is there twice"


def _count(driver: Driver) -> int | None:
    """Blanks in all bins; None where the machine doesn't count them."""
    counts = [fact.remaining for fact in driver.blanks() or ()]
    return sum(count for count in counts if count is not None) if counts and None not in counts else None


def _assert_progress(seen: Seen) -> None:
    assert seen.progress == sorted(seen.progress), f"progress went back: {seen.progress}"
    assert all(0.0 <= progress <= 1.0 for progress in seen.progress), f"progress is 0 to 1: {seen.progress}"
