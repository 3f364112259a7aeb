"""The ledger of blanks against a counter: loaded, corrected, reserved, begun and ended, by reports in any order."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from devices import blanks, lifecycle, reports
from devices.agent import wire
from devices.intake import ImageRef, queue_write
from devices.models import BlankBin, Disc, Write
from devices.states import DiscState, WriteState
from tests.life.agent import BIN
from tests.life.books import Books
from tests.life.job_machine import Station
from tests.life.series import LONG, Life, run, run_long
from tests.scene import NOW

pytestmark = pytest.mark.django_db

IMAGE = ImageRef("ab" * 32, 2048 * 100, "iso")
BY = "user:1 Anna"
ANY = st.integers(0, 1000)


class LedgerLife(Life):
    """One hopper. The model counts what persons and reports have *said*, and what became of each blank."""

    station: Station

    def begin(self) -> None:
        self.agent = self.station.agent
        self.agent.begin_anew()
        self.agent.fill(10)
        self.books = Books()
        self.said: list[wire.State] = []
        self.loaded, self.remaining, self.ends = 0, 0, Counter[str]()
        self._deliver(self.agent.state())

    # --- Writes are given and made ----------------------------------------------------------------

    @rule(copies=st.integers(1, 4))
    def write_is_given(self, copies: int) -> None:
        """As dispatch does it, without the call."""
        write = queue_write(
            uuid=uuid4(), writer=self.station.writer, image=IMAGE, format="cd", title="Nine songs", copies=copies,
            actor="tick", now=NOW,
        )  # fmt: skip
        discs = tuple(wire.DiscOrder(serial=disc.serial) for disc in write.discs.order_by("id"))
        order = wire.WriteOrder(image=IMAGE.sha256, format="cd", discs=discs)
        self.agent.set_image(IMAGE.sha256, wire.ImageState.READY)
        assert self.agent._put_write(write.uuid, order, {}).status == 201
        for state in (WriteState.SENT, WriteState.ACCEPTED):
            assert lifecycle.move_write(write, state, now=NOW, actor="tick")

    @rule(which=ANY)
    def disc_begins(self, which: int) -> None:
        if self.agent.free_drive() and self.agent.hopper and (planned := self.agent.planned()):
            self.agent.begin_disc(planned[which % len(planned)])

    @rule(which=ANY, result=st.sampled_from(["good", "bad", "unknown"]), spoilt=st.integers(0, 2))
    def disc_ends(self, which: int, result: str, spoilt: int) -> None:
        if started := self.agent.started():
            checked = wire.Verified.DIGEST if result == "good" else wire.Verified.NONE
            serial = started[which % len(started)]
            self.agent.end_disc(serial, wire.DiscState(result), verified=checked, spoilt=spoilt)

    @rule(which=ANY)
    def disc_fails_before_it_begins(self, which: int) -> None:
        """No drive takes it: it is bad and cost no blank."""
        if planned := self.agent.planned():
            self.agent.set_disc(planned[which % len(planned)], wire.DiscState.BAD, started_at=None, drive=None)

    @rule()
    def agent_dies(self) -> None:
        self.agent.die_and_start()

    # --- Blanks come and go -------------------------------------------------------------------------

    @rule(change=st.integers(-3, 30))
    def person_loads(self, change: int) -> None:
        blanks.load(self._bin(), change, by=BY, why="a new spindle", now=NOW)
        self.loaded += change
        self.remaining += change

    @rule(change=st.integers(-5, 5))
    def person_corrects(self, change: int) -> None:
        blanks.adjust(self._bin(), change, by=BY, why="counted by hand", now=NOW)
        self.remaining += change

    @rule(blanks=st.one_of(st.none(), st.integers(0, 20)))
    def machine_counts(self, blanks: int | None) -> None:
        self.agent.fill(blanks)

    # --- Reports --------------------------------------------------------------------------------------

    @rule(heard=st.booleans())
    def report(self, heard: bool) -> None:
        self.said.append(self.agent.state())
        answer = self._deliver(self.said[-1])
        if heard:
            self.agent.take_answer(answer)

    @rule(which=ANY)
    def old_report_arrives(self, which: int) -> None:
        """Late or doubled, of the same start: nothing moves, except that the newest may count its blanks again."""
        writer = self.station.writer
        same = [state for state in self.said if state.boot_id == writer.boot_id and state.sequence < writer.sequence]
        if same:
            before = self.books.states()
            reports.take_report(writer, same[which % len(same)], NOW)
            assert self.books.states() == before

    @rule()
    def report_overtaken_by_another(self) -> None:
        """Two reports at once: the older one was looked at before the newer one was stored."""
        stale, older = self.station.writer, self.agent.state()
        self.agent.fill((self.agent.hopper or 0) + 1)
        self._deliver(self.agent.state())
        before = self.books.states()
        reports.take_report(stale, older, NOW)
        assert self.books.states() == before

    @rule()
    def report_overtakes_a_tick(self) -> None:
        """Somebody read the discs before a report moved them, and would book them as unknown after it."""
        read = list(Disc.objects.select_related("write").filter(state__in=["planned", "started"]))
        self._deliver(self.agent.state())
        moved = dict(Disc.objects.values_list("pk", "state"))
        before = self.books.states()
        for disc in read:
            if disc.state != moved[disc.pk]:
                assert not lifecycle.move_disc(disc, DiscState.UNKNOWN, now=NOW, actor="tick")
        assert self.books.states() == before

    def _deliver(self, state: wire.State) -> wire.ReportAnswer:
        """What a report says is added to the model before it is given to the server."""
        seen = dict(Disc.objects.values_list("serial", "state"))
        for write in state.writes:
            for disc in write.discs:
                self._count(seen[disc.serial], disc)
        for fact in state.blanks:
            if fact.remaining is not None:
                self.remaining = fact.remaining
        return reports.take_report(self.station.writer, state, NOW)

    def _count(self, known: str, disc: wire.DiscResult) -> None:
        """known: as the server had it before this report."""
        spent = disc.started_at is not None
        if spent and known == "planned":
            self.ends["begun"] += 1
            self.remaining -= 1
        if spent and known in {"planned", "started"} and disc.state in {"good", "bad", "unknown"}:
            self.ends[disc.state.value] += 1
            self.remaining -= disc.spoilt

    def _bin(self) -> BlankBin:
        return BlankBin.objects.get()

    # --- What always holds ------------------------------------------------------------------------------

    def check(self) -> None:
        """The bin says what was counted; reserved is what was sent and not begun."""
        self.books.check()
        bin_ = self._bin()
        assert (bin_.loaded, bin_.remaining) == (self.loaded, self.remaining)
        assert (bin_.started, bin_.good, bin_.bad, bin_.unknown) == tuple(
            self.ends[name] for name in ("begun", "good", "bad", "unknown")
        )
        assert bin_.bin == BIN
        planned = Disc.objects.filter(state="planned").count()
        assert blanks.reserved(self.station.writer) == ({"cd": planned} if planned else {})

    def end(self) -> None:
        """All is finished and told: every blank that was begun has ended."""
        self.agent.fill(1000)
        self.agent.may_begin = True
        self.agent.finish_all()
        self.agent.recorded.clear()
        self._deliver(self.agent.state())
        self.check()
        assert self.ends["begun"] == self.ends["good"] + self.ends["bad"] + self.ends["unknown"]
        assert not Write.objects.exclude(state__in=["done", "cancelled"]).exists()


def machine(stations: list[Station]) -> type[LedgerLife]:
    return type("Ledger", (LedgerLife,), {"station": stations[0]})


@pytest.mark.postgres
def test_any_life_of_a_hopper(stations: list[Station]) -> None:
    kind: Any = machine(stations)
    assert run(kind, kind, examples=12) > 0


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_series_of_hoppers(stations: list[Station]) -> None:
    kind: Any = machine(stations)
    run_long(kind, kind, LONG["ledger"])
