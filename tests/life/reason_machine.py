"""State and reasons of a small fleet under any sequence of reports, silences, calls and operators' words.

A writer has one state and a set of reasons, and no two of them may say opposite things; nor may one say what was true
once and is not known any more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from devices import dispatch, lifecycle, reports, silence
from devices.agent import wire
from devices.models import DeviceEvent, Drive, SelfDoubt, Writer
from devices.states import (
    DEAF,
    OF_CALLS,
    OF_REPORTS,
    OFFLINE_AFTER,
    STOPPING,
    SUSPECT_AFTER,
    Keyword,
    WriterState,
)
from tests.life.job_machine import Station
from tests.life.series import Life
from tests.scene import NOW

WHO: Final = "user:1 Anna"
AT: Final = st.sampled_from([0, 0, 0, 0, 1, 2, 3])  # most happens to one, the others are the fleet
DRIVES: Final = st.sampled_from([("d1",), ("d2",), ("d1", "d2")])
STATES: Final = st.sampled_from(list(wire.DriveState))
# Of silence itself, and of nothing that was heard.
HEARD: Final = frozenset(OF_REPORTS) - {Keyword.SUSPECT}


class ReasonLife(Life):
    stations: Sequence[Station]

    def begin(self) -> None:
        self.now = NOW
        self.printers: dict[int, tuple[wire.PrinterFact, ...]] = {}
        for station in self.stations:
            station.agent.begin_anew()
            station.agent.protocol = wire.PROTOCOL
            station.agent.clock = lambda: self.now
            for drive in ("d1", "d2"):
                station.agent.set_drive(drive, state=wire.DriveState.IDLE, wants=None, reasons=())

    # --- What agents do ---------------------------------------------------------------------------

    @rule(at=AT)
    def report(self, at: int) -> None:
        station = self.stations[at]
        if not station.writer.enabled:
            return  # its report is answered 401
        state = station.agent.state().model_copy(update={"printers": self.printers.get(at, ())})
        try:
            station.agent.take_answer(reports.take_report(station.writer, state, self.now))
        except reports.ReportRefused:
            assert station.writer.reasons

    @rule()
    def all_report(self) -> None:
        for at in range(len(self.stations)):
            self.report(at)

    @rule(seconds=st.sampled_from([2, 15, 31, 61, 91, 620]), ticks=st.integers(1, 3))
    def time_passes(self, seconds: int, ticks: int) -> None:
        for _ in range(ticks):
            self.now += dt.timedelta(seconds=seconds)
            silence.note(self.now)
        for writer in Writer.objects.filter(last_seen__lt=self.now - SUSPECT_AFTER):
            said = {reason["keyword"] for reason in writer.reasons}
            assert said & {Keyword.SUSPECT, Keyword.TIMED_OUT} or not writer.enabled, "silent, and nobody says so"
            gone = writer.last_seen and writer.last_seen < self.now - OFFLINE_AFTER
            if gone and not SelfDoubt.objects.exists():
                assert writer.state == WriterState.OFFLINE

    @rule(at=AT, down=st.booleans(), accepts=st.booleans())
    def visit(self, at: int, down: bool, accepts: bool) -> None:
        agent = self.stations[at].agent
        agent.down, kept = down, set(agent.accepts)
        agent.accepts = kept if accepts else set()
        Writer.objects.filter(pk=self.stations[at].writer.pk).update(retry_at=None)
        dispatch.attend(self.stations[at].writer.pk, self.now)
        agent.down, agent.accepts = False, kept

    @rule(at=AT, drives=DRIVES, state=STATES, wants=st.sampled_from([None, "blank", "take-out"]))
    def drives_change(self, at: int, drives: tuple[str, ...], state: wire.DriveState, wants: str | None) -> None:
        for drive in drives:
            self.stations[at].agent.set_drive(drive, state=state, wants=wants)
        self.report(at)

    @rule(at=AT, left=st.none() | st.sampled_from([0, 1, 10, 11]))
    def bin_changes(self, at: int, left: int | None) -> None:
        self.stations[at].agent.fill(left)
        self.report(at)

    @rule(at=AT, percents=st.lists(st.none() | st.sampled_from([0, 5, 80]), max_size=2))
    def supplies_change(self, at: int, percents: list[int | None]) -> None:
        supplies = tuple(wire.SupplyFact(name=f"ink {n}", percent=left) for n, left in enumerate(percents))
        self.printers[at] = (wire.PrinterFact(id="p1", state="idle", supplies=supplies),)
        self.report(at)

    @rule(at=AT, minutes=st.sampled_from([-61, 0, 5, 6]))
    def clock_is_set(self, at: int, minutes: int) -> None:
        self.stations[at].agent.clock = lambda: self.now + dt.timedelta(minutes=minutes)
        self.report(at)

    @rule(at=AT, how=st.sampled_from(["restart", "lose_journal"]))
    def agent_starts_anew(self, at: int, how: str) -> None:
        getattr(self.stations[at].agent, how)()
        self.report(at)

    @rule(at=AT)
    def agent_is_cloned(self, at: int) -> None:
        agent = self.stations[at].agent
        first = agent.boot_id
        agent.restart()
        self.report(at)
        agent.boot_id = first
        self.report(at)

    @rule(at=AT, protocol=st.sampled_from([wire.PROTOCOL, wire.PROTOCOL + 1]))
    def agent_is_replaced(self, at: int, protocol: int) -> None:
        self.stations[at].agent.protocol = protocol
        self.report(at)

    # --- What operators do ------------------------------------------------------------------------

    @rule(at=AT, verb=st.sampled_from(["drain", "start_maintenance", "resume", "disable", "revoke"]))
    def operator_says(self, at: int, verb: str) -> None:
        getattr(lifecycle, verb)(self.stations[at].writer, who=WHO, why="because", now=self.now)

    @rule(at=AT)
    def operator_enables(self, at: int) -> None:
        writer = self.stations[at].writer
        if writer.revoked:
            assert not lifecycle.enable(writer, who=WHO, now=self.now)
            fresh: dict[str, Any] = {"address": writer.address, "kind": "fake", "report_token_sha256": "ab" * 32}
            assert lifecycle.renew(writer, **fresh, now=self.now, actor=WHO)
        else:
            lifecycle.enable(writer, who=WHO, now=self.now)

    @rule(at=AT, drives=DRIVES, limit=st.none() | st.integers(0, 1))
    def thresholds_are_set(self, at: int, drives: tuple[str, ...], limit: int | None) -> None:
        rows = Drive.objects.filter(writer=self.stations[at].writer, ident__in=drives)
        rows.update(block_discs=limit, warn_discs=0)

    # --- What always holds ------------------------------------------------------------------------

    def check(self) -> None:
        for station in self.stations:
            assert list(contradictions(station.writer, self.now)) == []

    def end(self) -> None:
        """A reason's events are its comings and goings in turn, and what came and has not gone is what is said."""
        for station in self.stations:
            standing: set[str] = set()
            for old, new in (
                DeviceEvent.objects.filter(writer=station.writer, kind="reason")
                .order_by("id")
                .values_list("old", "new")
            ):
                assert (new not in standing) if new else (old in standing)
                standing = standing | {new} if new else standing - {old}
            assert standing == {reason["keyword"] for reason in station.writer.reasons}


def contradictions(writer: Writer, now: dt.datetime) -> Iterator[str]:
    """Each pair that can't both be true."""
    keywords = [reason["keyword"] for reason in writer.reasons]
    said, state = set(keywords), writer.state
    silent = writer.last_seen is None or now - writer.last_seen > SUSPECT_AFTER
    offline = state == WriterState.OFFLINE
    pairs = {
        "one reason, two entries": len(said) < len(keywords),
        "timed out, and not offline": Keyword.TIMED_OUT in said and not offline,
        "offline, and nobody knows why": offline and Keyword.TIMED_OUT not in said and writer.enabled,
        "switched off, and at work": not writer.enabled and not offline,
        "suspect, and offline": Keyword.SUSPECT in said and offline,
        "suspect, and just heard": Keyword.SUSPECT in said and not silent,
        "at work, and stopped": state in {WriterState.IDLE, WriterState.BUSY} and bool(said & STOPPING),
        "stopped, and nobody knows why": state == WriterState.STOPPED and not said & STOPPING,
        "all drives stand, and only some do": {Keyword.DRIVES_STOPPED, Keyword.STOPPED_PARTLY} <= said,
        "two ends of one call": len(said & set(OF_CALLS)) > 1,
        "offline, and known how it is": offline and bool(said & HEARD),
        "its reports are not taken, and known how it is": bool(said & DEAF) and bool(said & HEARD),
        "fresh, and not heard": writer.is_fresh(now) and bool(said & DEAF),
        "takes work, and is not heard": writer.takes_work and bool(said & {Keyword.SUSPECT, Keyword.TIMED_OUT}),
        "low, and empty": _both(writer, Keyword.MEDIA_LOW, Keyword.MEDIA_EMPTY, ("cd",)),
        "nearly used up, and used up": _both(
            writer, Keyword.MARKER_SUPPLY_LOW, Keyword.MARKER_SUPPLY_EMPTY, ("ink 0", "ink 1")
        ),
    }
    yield from (name for name, holds in pairs.items() if holds)


def _both(writer: Writer, one: str, other: str, names: tuple[str, ...]) -> bool:
    """Whether both reasons speak of the same thing."""
    texts = {reason["keyword"]: reason["text"] for reason in writer.reasons}
    return any(name in texts.get(one, "") and name in texts.get(other, "") for name in names)
