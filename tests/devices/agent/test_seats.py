"""The drives' seats, whatever their drivers, the journal and the disk answer: no drive spins, no disc is in its way."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from devices.agent import seat, writing_seat
from devices.agent.drivers.base import READY, Copied, Readiness, Result, Watch
from devices.agent.journal import utc_now
from devices.agent.wire import BlankFact, DiscState, DriveState
from tests.devices.agent.bench import GOOD, copier, source, working
from tests.devices.agent.plant import await_true

BIN = BlankFact(format="cd", kind="CD-R", bin="left", remaining=50)


def test_blanks_that_the_machine_counts_are_not_counted_down_from_the_configuration_too(tmp_path: Path) -> None:
    with working(tmp_path, copier("d1", blanks=1)) as bench:
        bench.actors["d1"].bins = (BIN,)
        bench.shop.blanks.load()
        uuid = bench.write("A", "B", "C")
        bench.press.start()
        for serial in "ABC":
            bench.await_disc(uuid, serial, DiscState.GOOD)


def test_a_machine_that_cannot_say_what_it_has_at_the_start_is_one_that_counts(tmp_path: Path) -> None:
    def blanks() -> tuple[BlankFact, ...]:
        raise RuntimeError("the line is dead")

    with working(tmp_path, copier("d1", blanks=1)) as bench:
        bench.actors["d1"].blanks = blanks  # type: ignore[method-assign]
        bench.shop.blanks.load()
        assert [bin_.remaining for bin_ in bench.shop.blanks.facts()] == [None]


def test_a_disc_that_the_journal_does_not_let_start_is_tried_again_later_and_says_why(tmp_path: Path) -> None:
    with working(tmp_path, copier("d1", blanks=0)) as bench:
        bench.actors["d1"].bins = (BIN,)  # it began to count after the start
        uuid = bench.write("A")
        bench.press.start()
        await_true(lambda: bench.drive("d1").reasons == ("media-empty",))
        looks = len(bench.actors["d1"].checks)
        time.sleep(1.5)
        assert len(bench.actors["d1"].checks) == looks
        assert bench.disc(uuid, "A").state is DiscState.PLANNED


def test_a_disc_that_was_cancelled_in_the_moment_of_its_start_holds_no_drive_up(tmp_path: Path) -> None:
    with working(tmp_path, copier("d1")) as bench:
        uuid, later = bench.write("A"), bench.write("B")

        def cancel(*_: object) -> tuple[str, ...]:
            bench.shop.ledger.cancel(uuid, utc_now())
            return ()

        bench.actors["d1"].on_command = cancel
        bench.press.start()
        bench.await_disc(later, "B", DiscState.GOOD, seconds=5)
        assert bench.disc(uuid, "A").started_at is None


def test_a_read_whose_part_cannot_be_removed_ends_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with working(tmp_path, source("s1")) as bench:
        uuid = bench.read("s1")
        monkeypatch.setattr(Path, "unlink", refuse)
        bench.press.start()
        assert bench.await_read(uuid).reason == "nothing lies there"
        monkeypatch.undo()


def test_a_read_whose_copy_is_gone_before_it_is_an_image_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(target: Path, _: object) -> Copied:
        target.write_bytes(b"x" * 7)
        return Copied(7)

    with working(tmp_path, source("s1")) as bench:
        uuid = bench.read("s1")
        bench.actors["s1"].on_read = copy
        adopt = bench.shop.store.adopt

        def adopt_nothing(read: UUID, *facts: Any) -> None:
            bench.shop.store.read_part(read).unlink(missing_ok=True)
            adopt(read, *facts)

        monkeypatch.setattr(bench.shop.store, "adopt", adopt_nothing)
        bench.press.start()
        assert "is gone" in (bench.await_read(uuid).reason or "")
        await_true(lambda: bench.drive("s1").state is DriveState.IDLE)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive is examined again soon."""
    monkeypatch.setattr(seat, "RETRY", 0.1)
    monkeypatch.setattr(writing_seat, "RETRY", 0.1)


def broken(*_: object) -> Any:
    raise RuntimeError("the cable is out")


@pytest.mark.parametrize("question", ["on_check", "on_command"])
def test_a_driver_that_fails_over_one_disc_is_unfit_for_it_and_the_others_go_on(
    tmp_path: Path, quick: None, question: str, caplog: pytest.LogCaptureFixture
) -> None:
    with working(tmp_path, copier("d1"), copier("d2")) as bench:
        poison, later = bench.write("POISON"), bench.write("B", "C")
        for actor in bench.actors.values():
            answer = getattr(actor, question)
            setattr(actor, question, lambda job, answer=answer: (broken if job.serial == "POISON" else answer)(job))
        bench.press.start()
        ended = bench.await_disc(poison, "POISON", DiscState.BAD)
        assert (ended.blame, ended.started_at) == ("drive", None)
        assert ended.reason == "no drive can take it: d1: the cable is out; d2: the cable is out"
        assert "Traceback" in caplog.text
        for serial in "BC":
            bench.await_disc(later, serial, DiscState.GOOD)


def test_a_disc_that_a_fit_drive_cannot_take_is_tried_again_behind_all_others(tmp_path: Path, quick: None) -> None:
    with working(tmp_path, copier("d1"), copier("d2")) as bench:
        bench.press.drain("d2", drained=True)  # it might take it, later
        large, small = bench.write("LARGE"), bench.write("B", "C")
        full = Readiness.broken("no room for it")
        bench.actors["d1"].on_check = lambda job: full if job.serial == "LARGE" else READY
        bench.press.start()
        for serial in "BC":
            bench.await_disc(small, serial, DiscState.GOOD)
        await_true(lambda: bench.actors["d1"].checks.count("LARGE") >= 2)
        assert bench.actors["d1"].checks[:4] == ["LARGE", "B", "C", "LARGE"]
        assert bench.disc(large, "LARGE").state is DiscState.PLANNED
        bench.press.drain("d2", drained=False)
        assert bench.await_disc(large, "LARGE", DiscState.GOOD).drive == "d2"


def test_a_drive_that_was_broken_once_takes_the_disc_when_it_is_fit_again(tmp_path: Path, quick: None) -> None:
    with working(tmp_path, copier("d1"), copier("d2")) as bench:
        bench.press.drain("d2", drained=True)
        uuid = bench.write("A")
        bench.actors["d1"].on_check = lambda _: Readiness.broken("the lens is dirty")
        bench.actors["d1"].on_examine = lambda: Readiness.broken("the lens is dirty")
        bench.press.start()
        await_true(lambda: bench.drive("d1").reasons == ("writer-failure",))
        bench.actors["d1"].on_check = lambda _: READY
        bench.actors["d1"].on_examine = lambda: READY
        assert bench.await_disc(uuid, "A", DiscState.GOOD).drive == "d1"


def test_a_drive_that_an_operator_resumes_takes_the_disc_that_it_could_not_take(tmp_path: Path) -> None:
    with working(tmp_path, copier("d1"), copier("d2")) as bench:
        bench.press.drain("d2", drained=True)
        uuid = bench.write("A")
        bench.actors["d1"].on_check = lambda _: Readiness.broken("the lens is dirty")
        bench.press.start()
        await_true(lambda: bench.drive("d1").reasons == ("writer-failure",))
        bench.actors["d1"].on_check = lambda _: READY
        bench.press.drain("d1", drained=False)
        assert bench.await_disc(uuid, "A", DiscState.GOOD).drive == "d1"


@pytest.mark.parametrize(
    ("said", "told"), [(1.7, 1.0), (-0.1, 0.0), (float("inf"), 1.0), (float("nan"), 0.25), (0.5, 0.5)]
)
def test_a_progress_that_is_none_is_told_as_one(tmp_path: Path, said: float, told: float) -> None:
    written, go_on = Event(), Event()

    def write(_: object, watch: Watch) -> Result:
        watch.progress(0.25)
        watch.progress(said)
        written.set()
        go_on.wait(10)
        return GOOD

    with working(tmp_path, copier("d1")) as bench:
        bench.actors["d1"].on_write = write
        bench.write("A")
        bench.press.start()
        assert written.wait(10)
        assert bench.drive("d1").progress == told
        go_on.set()
