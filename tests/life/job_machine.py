"""Jobs, writes and discs on two writers that fail in every way, against the plainest model: who asked for how many."""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from devices import blanks, dispatch, lifecycle, reports, silence, visits
from devices.agent import wire
from devices.intake import NewWriter, cancel_write
from devices.models import BlankBin, Disc, Write, Writer
from devices.states import WRITE_OPEN
from fulfillment import apply, choosing, open_jobs, operators, ranking, snapshot, tick
from fulfillment.models import Job, Shipment
from fulfillment.planning.cost import prior_rates
from fulfillment.planning.planner import plan
from fulfillment.planning.policies import BUILT_IN
from tests.life.agent import CarefulAgent
from tests.life.books import Books
from tests.life.series import Life
from tests.scene import NOW, ask_for, make_image

ACTOR: Final = "user:1 Anna"
ROUNDS: Final = 30  # of a minute, after which all must be quiet once nothing fails any more
WRITERS = st.integers(0, 1)
ANY = st.integers(0, 1000)
VERBS: Final = [operators.hold, operators.release, operators.put_first, operators.put_back]


@dataclass(frozen=True, slots=True)
class Station:
    """A writer and the agent beside it."""

    new: NewWriter
    agent: CarefulAgent

    @property
    def writer(self) -> Writer:
        return Writer.objects.get(pk=self.new.writer.pk)


A_PERSON: Final = {"media-empty", "second-agent", "journal-lost"}  # a writer's reasons that end with an operator


class JobLife(Life):
    """`stations` were reported once before the first example; each example finds them so again."""

    stations: Sequence[Station]

    def begin(self) -> None:
        self.now = NOW
        self.said: list[deque[wire.State]] = [deque(maxlen=12) for _ in self.stations]
        for station in self.stations:
            station.agent.begin_anew()
        self.books = Books()

    # --- Work comes in, and time goes on ----------------------------------------------------------

    @initialize(copies=st.integers(1, 4))
    def first_order(self, copies: int) -> None:
        self.order(copies, "nine-songs", 0)

    @rule(copies=st.integers(1, 4), image=st.sampled_from(["nine-songs", "a-film"]), priority=st.integers(0, 1))
    def order(self, copies: int, image: str, priority: int) -> None:
        self.now += dt.timedelta(seconds=1)
        job = ask_for(copies, make_image(image), received_at=self.now)
        if priority:
            job.priority = priority
            ranking.place(job, ranking.in_force(self.now), prior_rates())
            Job.objects.filter(pk=job.pk).update(priority=priority, rank=job.rank)

    @rule(seconds=st.sampled_from([2, 11, 31, 100]))
    def turn(self, seconds: int) -> None:
        """One beat of every tick."""
        self.now += dt.timedelta(seconds=seconds)
        silence.note(self.now)
        tick.run(self.now)
        for pk in visits.due(self.now):
            dispatch.attend(pk, self.now)

    @rule()
    def two_ticks_at_once(self) -> None:
        """One tick has planned; another one does all its work before the first carries its plan out."""
        jobs = open_jobs.head()
        decided = plan(snapshot.take(jobs, self.now), ranking.in_force(self.now), self.now.timestamp())
        tick.run(self.now)
        apply.apply(decided, jobs, self.now)

    @rule(seconds=st.sampled_from([2, 11]))
    def good_minute(self, seconds: int) -> None:
        """What the plant does while nothing fails: ticks, reports, ticks."""
        for _ in range(2):
            self.turn(seconds)
            for at, station in enumerate(self.stations):
                if not station.agent.down:
                    self.report(at, heard=True)

    # --- At the machines --------------------------------------------------------------------------

    @rule(at=WRITERS, which=ANY)
    def disc_begins(self, at: int, which: int) -> None:
        agent = self.stations[at].agent
        if agent.can_begin():
            planned = agent.planned()
            agent.begin_disc(planned[which % len(planned)])

    @rule(at=WRITERS, which=ANY, result=st.sampled_from(["good", "good", "good", "bad", "unknown", "not checked"]))
    def disc_ends(self, at: int, which: int, result: str) -> None:
        agent = self.stations[at].agent
        if not (started := agent.started()):
            return
        serial = started[which % len(started)]
        if result == "good":
            agent.make_good(serial)
        elif result == "not checked":
            agent.end_disc(serial, wire.DiscState.GOOD, verified=wire.Verified.NONE)
        else:
            agent.end_disc(serial, wire.DiscState(result), blame=wire.Blame.MEDIUM, reason="scratched")

    @rule(at=WRITERS)
    def work(self, at: int) -> None:
        """All that was given to it gets done."""
        if not self.stations[at].agent.down:
            self.stations[at].agent.finish_all()

    @rule(at=WRITERS, fault=st.sampled_from(["dies", "dies", "is deaf", "hears", "loses replies", "forgets"]))
    def agent_fails(self, at: int, fault: str) -> None:
        agent = self.stations[at].agent
        match fault:
            case "dies":
                agent.die_and_start()
            case "is deaf" | "hears":
                agent.down = fault == "is deaf"
            case "loses replies":
                agent.lost_replies = 2
            case "forgets":
                agent.forget()

    @rule(at=WRITERS, blanks=st.sampled_from([None, 0, 1, 3, 20, 20]))
    def hopper_is_filled(self, at: int, blanks: int | None) -> None:
        self.stations[at].agent.fill(blanks)

    # --- Reports ----------------------------------------------------------------------------------

    @rule(at=WRITERS, heard=st.booleans())
    def report(self, at: int, heard: bool) -> None:
        """The agent's state arrives; its answer may be lost on the way back."""
        agent, state = self.stations[at].agent, self.stations[at].agent.state()
        self.said[at].append(state)
        answer = self._take(at, state)
        if answer and heard:
            agent.take_answer(answer)
            agent.may_begin = True

    @precondition(lambda self: any(self.said))
    @rule(at=WRITERS, which=ANY)
    def old_report_arrives(self, at: int, which: int) -> None:
        """Late, or for the second time: of the same start it changes nothing."""
        if not self.said[at]:
            return
        state, writer = self.said[at][which % len(self.said[at])], self.stations[at].writer
        overtaken = writer.boot_id == state.boot_id and state.sequence < writer.sequence
        before = self.books.states() if overtaken else None
        self._take(at, state)
        assert before is None or before == self.books.states()

    @rule(at=WRITERS)
    def two_reports_at_once(self, at: int) -> None:
        """One was read from the line before the other, and comes to the database after it."""
        station = self.stations[at]
        first, stale = station.agent.state(), station.writer
        if station.agent.can_begin():
            station.agent.begin_disc(station.agent.planned()[0])
        self._take(at, station.agent.state())
        states = self.books.states()
        self._take(at, first, stale)
        assert self.books.states() == states

    def _take(self, at: int, state: wire.State, writer: Writer | None = None) -> wire.ReportAnswer | None:
        try:
            answer = reports.take_report(writer or self.stations[at].writer, state, self.now)
        except reports.ReportRefused:
            return None
        if state == self.stations[at].agent.state():
            self._check_machine(at)
        return answer

    def _check_machine(self, at: int) -> None:
        """The newest report was taken: the books say what the machine says."""
        station = self.stations[at]
        if station.agent.hopper is not None:
            assert BlankBin.objects.get(writer=station.writer).remaining == station.agent.hopper
        begun = Disc.objects.filter(write__writer=station.writer, state="started").values_list("serial", flat=True)
        assert sorted(begun) == sorted(station.agent.started())
        drives = Disc.objects.filter(write__writer=station.writer, state="started").values_list("drive", flat=True)
        assert len(set(drives)) == len(drives), "two discs in one drive"

    # --- Operators --------------------------------------------------------------------------------

    @rule(at=WRITERS, resumed=st.booleans())
    def writer_is_drained_or_resumed(self, at: int, resumed: bool) -> None:
        verb = lifecycle.resume if resumed else lifecycle.drain
        verb(self.stations[at].writer, who=ACTOR, why="looked at it", now=self.now)

    @rule(which=ANY, verb=st.sampled_from(VERBS))
    def job_is_held_released_or_put_first(self, which: int, verb: Any) -> None:
        if jobs := list(Job.objects.filter(state__in=Job.OPEN).order_by("received_at")):
            verb(jobs[which % len(jobs)], ACTOR, self.now)

    @rule(policy=st.sampled_from([*BUILT_IN, "nowhere.Policy"]))
    def policy_is_chosen(self, policy: str) -> None:
        choosing.choose(policy, why="for a try", who=ACTOR, now=self.now)

    @rule(which=ANY)
    def write_is_cancelled(self, which: int) -> None:
        if writes := list(Write.objects.filter(state__in=WRITE_OPEN).order_by("pk")):
            cancel_write(writes[which % len(writes)], ACTOR, self.now)

    @rule(at=WRITERS, change=st.integers(-2, 10), how=st.sampled_from([blanks.load, blanks.adjust]))
    def blanks_are_booked(self, at: int, change: int, how: Any) -> None:
        if bin_ := BlankBin.objects.filter(writer=self.stations[at].writer).first():
            how(bin_, change, by=ACTOR, why="counted", now=self.now)

    # --- What always holds --------------------------------------------------------------------------

    def check(self) -> None:
        self.books.check()
        faults = [fault for station in self.stations for fault in station.agent.faults]
        assert not faults, faults

    # --- When all is quiet ------------------------------------------------------------------------

    def end(self) -> None:
        for station in self.stations:
            station.agent.down, station.agent.lost_replies = False, 0
        self._run_until_quiet()
        waiting = [job for job in Job.objects.filter(state__in=Job.OPEN) if not self._says_why(job)]
        assert not waiting, [f"{job}: {job.state} {job.reason}" for job in waiting]
        self._help_with_everything()
        ends = Counter(Job.objects.values_list("state", flat=True))
        assert set(ends) <= {"made"}, ends
        self._check_ends()

    def _says_why(self, job: Job) -> bool:
        """It is held with a reason, or the writer that has its discs waits for a person and says so."""
        if job.state == Job.State.HELD:
            return bool(job.reason)
        writes = Write.objects.filter(shares__job=job, state__in=WRITE_OPEN).select_related("writer")
        wants = [[reason["keyword"] for reason in write.writer.reasons] for write in writes]
        return bool(wants) and all(A_PERSON & set(keywords) for keywords in wants)

    def _help_with_everything(self) -> None:
        """The operator does whatever is asked for."""
        for _ in range(8):
            for at, station in enumerate(self.stations):
                station.agent.fill(50)
                self.report(at, heard=True)
                lifecycle.resume(station.writer, who=ACTOR, why="all is well", now=self.now)
                self.report(at, heard=True)
            for job in Job.objects.filter(state=Job.State.HELD):
                operators.release(job, ACTOR, self.now)
            self._run_until_quiet()
            if not Job.objects.filter(state__in=Job.OPEN).exists():
                return

    def _run_until_quiet(self) -> None:
        before = None
        for _ in range(ROUNDS):
            self.now += dt.timedelta(seconds=59)  # with the turn, longer than any pause after a failure
            self._all_report()
            self.turn(2)
            self._all_report()
            for at, station in enumerate(self.stations):
                station.agent.finish_all()
                self.report(at, heard=True)
            now = self.books.states()
            if now == before:
                return
            before = now
        raise AssertionError("it never comes to rest")

    def _all_report(self) -> None:
        for at in range(len(self.stations)):
            self.report(at, heard=True)

    def _check_ends(self) -> None:
        assert set(Shipment.objects.values_list("state", flat=True)) <= {"ready"}
        assert not Write.objects.filter(state__in=WRITE_OPEN).exists()
        self.check()
