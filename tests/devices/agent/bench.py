"""Seats without a process around them: a journal, a disk, and drives that do what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

from devices.agent.blanks import Blanks
from devices.agent.config import Drive
from devices.agent.drivers.base import READY, Copied, DiscJob, Driver, Readiness, Result, Watch
from devices.agent.journal import Journal, utc_now
from devices.agent.ledger import Ledger
from devices.agent.press import Press
from devices.agent.reads import Reads
from devices.agent.shop import Shop
from devices.agent.store import Store
from devices.agent.trays import Trays
from devices.agent.wire import (
    BlankFact,
    DiscResult,
    DriveFact,
    Feed,
    ImageOrder,
    Layout,
    ReadAnswer,
    ReadOrder,
    Role,
    Verified,
    WriteOrder,
)
from devices.agent.wire import DiscState as State
from tests.devices.agent.plant import await_true, digest_of, image_of

DATA = image_of(5000)
GOOD = Result(State.GOOD, verified=Verified.MACHINE)


class Actor(Driver):
    """Each of its answers is a part that a test may give it."""

    def __init__(self, drive: Drive, workspace: Path) -> None:
        super().__init__(drive, workspace, {})
        self.checks: list[str] = []
        self.on_examine: Callable[[], Readiness] = lambda: READY
        self.on_check: Callable[[DiscJob], Readiness] = lambda _: READY
        self.on_command: Callable[[DiscJob], tuple[str, ...]] = lambda _: ()
        self.on_write: Callable[[DiscJob, Watch], Result] = lambda *_: GOOD
        self.on_read: Callable[[Path, Watch], Copied] = lambda *_: Copied(reason="nothing lies there")
        self.bins: tuple[BlankFact, ...] | None = None

    def examine(self) -> Readiness:
        return self.on_examine()

    def check(self, job: DiscJob) -> Readiness:
        self.checks.append(job.serial)
        return self.on_check(job)

    def command(self, job: DiscJob) -> tuple[str, ...]:
        return self.on_command(job)

    def write(self, job: DiscJob, watch: Watch) -> Result:
        return self.on_write(job, watch)

    def read(self, target: Path, watch: Watch) -> Copied:
        return self.on_read(target, watch)

    def blanks(self) -> tuple[BlankFact, ...] | None:
        return self.bins


def copier(id_: str, blanks: int | None = None) -> Drive:
    return Drive(id_, Role.COPIER, Feed.ROBOT, id_, ("CD-R",), None, blanks)


def source(id_: str) -> Drive:
    return Drive(id_, Role.SOURCE, Feed.ROBOT, id_, (), None, None)


class Bench:
    """An image lies on its disk already."""

    def __init__(self, folder: Path, *drives: Drive) -> None:
        journal = Journal(folder / "journal.sqlite3")
        self.actors = {drive.id: Actor(drive, folder) for drive in drives}
        self.shop = Shop(
            journal=journal,
            ledger=Ledger(journal),
            reads=Reads(journal),
            trays=Trays(journal),
            blanks=Blanks(journal, drives, self.actors),
            store=Store(journal, folder / "images", None),
            stop=Event(),
        )
        self.shop.blanks.load()
        self.press = Press(self.shop, self.actors, released=True)
        self.image = digest_of(DATA)
        store = self.shop.store
        store.announce(self.image, ImageOrder(layout=Layout.ISO, size=len(DATA), name="P-1"), utc_now())
        store.part(self.image).write_bytes(DATA)
        store.settle(self.image, None)

    def write(self, *serials: str, **more: Any) -> UUID:
        discs = [{"serial": serial} for serial in serials]
        order = WriteOrder.model_validate({"image": self.image, "format": "cd", "discs": discs, **more})
        uuid = uuid4()
        self.shop.ledger.accept(uuid, order, utc_now())
        return uuid

    def read(self, drive: str) -> UUID:
        uuid = uuid4()
        self.shop.reads.accept(uuid, ReadOrder(drive=drive), utc_now())
        return uuid

    def disc(self, uuid: UUID, serial: str) -> DiscResult:
        found = self.shop.ledger.find(uuid)
        assert found is not None
        return next(disc for disc in found.discs if disc.serial == serial)

    def await_disc(self, uuid: UUID, serial: str, *states: State, seconds: float = 10.0) -> DiscResult:
        await_true(lambda: self.disc(uuid, serial).state in states, seconds)
        return self.disc(uuid, serial)

    def await_read(self, uuid: UUID) -> ReadAnswer:
        found: list[ReadAnswer] = []

        def is_over() -> bool:
            answer = self.shop.reads.find(uuid)
            found[:] = [answer] if answer is not None else []
            return bool(found) and found[0].state in ("done", "cancelled")

        await_true(is_over, 10.0)
        return found[0]

    def drive(self, id_: str) -> DriveFact:
        return self.press.seats[id_].fact()

    def close(self) -> None:
        self.shop.stop.set()
        self.press.break_off()
        self.shop.journal.changes.wake()
        for seat in self.press.seats.values():
            with suppress(RuntimeError):  # never started
                seat.join(5)
        self.shop.journal.close()


@contextmanager
def working(folder: Path, *drives: Drive) -> Iterator[Bench]:
    """Its seats are not started: `bench.press.start()`."""
    bench = Bench(folder, *drives)
    try:
        yield bench
    finally:
        bench.close()
