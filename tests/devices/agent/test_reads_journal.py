"""Reads in the journal, whatever is resent, cancelled or restarted: one open read for a drive, one end for a read."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devices.agent.journal import Journal
from devices.agent.problems import RefusedError
from devices.agent.reads import STOPPED_MEANWHILE, Copy, Reads
from devices.agent.wire import Layout, ReadOrder, WriteState

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
UUIDS = [UUID(int=number) for number in range(5)]
DRIVES = ("s1", "s2")
OPEN = {WriteState.ACCEPTED, WriteState.WRITING}
COPY = Copy("a" * 64, Layout.ISO, 7)


class ReadsMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite3"
        self.journal = Journal(self.path)
        self.reads = Reads(self.journal)
        self.drives: dict[UUID, str] = {}
        self.states: dict[UUID, WriteState] = {}
        self.recorded: set[UUID] = set()
        self.gone: set[UUID] = set()

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    @rule(uuid=st.sampled_from(UUIDS), drive=st.sampled_from(DRIVES))
    def put(self, uuid: UUID, drive: str) -> None:
        order = ReadOrder(drive=drive)
        busy = any(self.drives[each] == drive and state in OPEN for each, state in self.states.items())
        if self.drives.get(uuid) == drive:
            assert not self.reads.accept(uuid, order, NOW)
        elif uuid in self.drives or uuid in self.gone or busy:
            with pytest.raises(RefusedError):
                self.reads.accept(uuid, order, NOW)
        else:
            assert self.reads.accept(uuid, order, NOW)
            self.drives[uuid], self.states[uuid] = drive, WriteState.ACCEPTED

    @rule(uuid=st.sampled_from(UUIDS))
    def cancel(self, uuid: UUID) -> None:
        self.reads.cancel(uuid, NOW)
        if uuid not in self.drives:
            self.gone.add(uuid)
        elif self.states[uuid] is WriteState.ACCEPTED:
            self.states[uuid] = WriteState.CANCELLED

    @rule(drive=st.sampled_from(DRIVES))
    def begin(self, drive: str) -> None:
        waiting = self.reads.waiting(drive)
        accepted = [uuid for uuid, state in self.states.items() if state is WriteState.ACCEPTED]
        assert waiting == next((uuid for uuid in accepted if self.drives[uuid] == drive), None)
        if waiting is not None:
            assert self.reads.begin(waiting)
            self.states[waiting] = WriteState.WRITING

    @rule(uuid=st.sampled_from(UUIDS), how=st.sampled_from(["succeed", "fail", "stop"]))
    def end(self, uuid: UUID, how: str) -> None:
        running = self.states.get(uuid) is WriteState.WRITING
        if how == "succeed":
            self.reads.succeed(uuid, COPY, NOW)
        elif running and how == "fail":
            self.reads.fail(uuid, "scratched", NOW)
        elif running:
            self.reads.stop(uuid, NOW)
        if running:
            self.states[uuid] = WriteState.CANCELLED if how == "stop" else WriteState.DONE

    @rule(uuids=st.sets(st.sampled_from(UUIDS)))
    def record(self, uuids: set[UUID]) -> None:
        self.reads.record(uuids, NOW)
        self.recorded |= {uuid for uuid in uuids if self.states.get(uuid, WriteState.ACCEPTED) not in OPEN}

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal(self.path)
        self.reads = Reads(self.journal)
        self.reads.recover(NOW)
        for uuid, state in self.states.items():
            if state is WriteState.WRITING:
                self.states[uuid] = WriteState.DONE
                answer = self.reads.find(uuid)
                assert answer is not None
                assert answer.reason == STOPPED_MEANWHILE

    @invariant()
    def what_is_told_is_what_happened(self) -> None:
        if not hasattr(self, "reads"):
            return
        told = {answer.uuid: answer.state for answer in self.reads.unrecorded()}
        assert told == {uuid: state for uuid, state in self.states.items() if uuid not in self.recorded}
        for uuid in UUIDS:
            answer = self.reads.find(uuid)
            if uuid in self.states:
                assert answer is not None
                assert (answer.state, answer.drive) == (self.states[uuid], self.drives[uuid])
                assert (answer.sha256 is None) == (answer.size is None) == (answer.layout is None)
            else:
                assert (answer is not None) == (uuid in self.gone)


TestReads = ReadsMachine.TestCase
TestReads.settings = settings(max_examples=20, stateful_step_count=25)
