"""The journal whatever is resent, cancelled or restarted: a serial is started at most once."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devices.agent.answers import write_state
from devices.agent.blanks import Blanks
from devices.agent.changes import RESERVE
from devices.agent.config import Drive
from devices.agent.drivers.base import Burner, Result
from devices.agent.journal import Journal, JournalError
from devices.agent.ledger import Ledger
from devices.agent.problems import RefusedError
from devices.agent.schema import STEPS
from devices.agent.trays import Held, Trays
from devices.agent.wire import Blame, DiscState, Feed, Role, Verified, WriteOrder, WriteState

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IMAGE = "a" * 64
LOADED = 6


def drive(blanks: int | None) -> Drive:
    return Drive("d1", Role.COPIER, Feed.ROBOT, "stdio:/nowhere", ("CD-R",), None, blanks)


BY_HAND = Drive("h1", Role.COPIER, Feed.HAND, "stdio:/nowhere", ("CD-R",), None, None)


def order(*serials: str, **more: object) -> WriteOrder:
    discs = [{"serial": serial} for serial in serials]
    return WriteOrder.model_validate({"image": IMAGE, "format": "cd", "discs": discs, **more})


def open_journal(path: Path, blanks: int | None = LOADED) -> tuple[Journal, Ledger, Blanks]:
    journal = Journal(path)
    with journal.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO images VALUES (?, 'iso', 1, 'x', 'ready', NULL, NULL, 0)", (IMAGE,))
    counter = Blanks(journal, (drive(blanks), BY_HAND))
    counter.load()
    return journal, Ledger(journal), counter


UUIDS = [UUID(int=number) for number in range(4)]
SERIALS = st.lists(st.sampled_from("ABCDEF"), min_size=1, max_size=3, unique=True)


class JournalMachine(RuleBasedStateMachine):
    """Commands arrive in any order and number; the agent dies anywhere."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite3"
        self.journal, self.ledger, self.blanks = open_journal(self.path)
        self.identity = self.journal.journal_id
        self.bodies: dict[UUID, tuple[str, ...]] = {}
        self.gone: set[UUID] = set()
        self.started: list[str] = []
        self.ended: dict[str, DiscState] = {}
        self.sequence = self.journal.changes.sequence
        self.lying: str | None = None  # in the hand-fed drive
        self.by_hand = 0

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    @rule(uuid=st.sampled_from(UUIDS), serials=SERIALS)
    def put(self, uuid: UUID, serials: list[str]) -> None:
        used = {serial for known in self.bodies.values() for serial in known}
        if self.bodies.get(uuid) == tuple(serials):
            assert not self.ledger.accept(uuid, order(*serials), NOW)
        elif uuid in self.bodies or uuid in self.gone or used & set(serials):
            with pytest.raises(RefusedError):
                self.ledger.accept(uuid, order(*serials), NOW)
        else:
            assert self.ledger.accept(uuid, order(*serials), NOW)
            self.bodies[uuid] = tuple(serials)

    @rule(uuid=st.sampled_from(UUIDS))
    def cancel(self, uuid: UUID) -> None:
        self.ledger.cancel(uuid, NOW)
        if uuid not in self.bodies:
            self.gone.add(uuid)

    @rule(pick=st.integers(0, 5), stale=st.booleans())
    def start(self, pick: int, stale: bool) -> None:
        planned = self.ledger.planned()
        if planned:
            disc = planned[pick % len(planned)]
            if self.ledger.start(disc, "d1", ("burn", disc.serial), NOW):
                self.started.append(disc.serial)
            if stale:
                assert not self.ledger.start(disc, "d1", (), NOW)

    @rule(pick=st.integers(0, 5))
    def start_by_hand(self, pick: int) -> None:
        planned = self.ledger.planned()
        if planned:
            disc = planned[pick % len(planned)]
            begun = self.ledger.start(disc, "h1", (), NOW, by_hand=True)
            assert begun == (self.lying is None)
            if begun:
                self.started.append(disc.serial)
                self.lying = disc.serial
                self.by_hand += 1

    @rule(serial=st.sampled_from(["A", "B", "C", None]))
    def take_out(self, serial: str | None) -> None:
        meant = self.lying in self.ended and serial in (None, self.lying)
        assert Trays(self.journal).take_out("h1", serial) == meant
        if meant:
            self.lying = None

    @rule(pick=st.integers(0, 5), state=st.sampled_from([DiscState.GOOD, DiscState.BAD]))
    def finish(self, pick: int, state: DiscState) -> None:
        if self.started:
            serial = self.started[pick % len(self.started)]
            self.ledger.finish(serial, Result(state, Verified.DIGEST), NOW)
            self.ended.setdefault(serial, state)

    @rule(uuids=st.sets(st.sampled_from(UUIDS)))
    def record(self, uuids: set[UUID]) -> None:
        self.ledger.record(uuids, NOW)

    @rule()
    def restart(self) -> None:
        self.sequence = self.journal.changes.sequence
        self.journal.close()
        self.journal, self.ledger, self.blanks = open_journal(self.path)
        assert self.journal.changes.sequence > self.sequence
        for serial in self.ledger.recover(NOW):
            assert self.ended.setdefault(serial, DiscState.UNKNOWN) is DiscState.UNKNOWN
        assert self.journal.journal_id == self.identity

    @invariant()
    def every_serial_is_started_once_and_keeps_its_end(self) -> None:
        if not hasattr(self, "ledger"):
            return
        assert len(set(self.started)) == len(self.started)
        for uuid, serials in self.bodies.items():
            answer = self.ledger.find(uuid)
            assert answer is not None
            assert tuple(disc.serial for disc in answer.discs) == serials
            for disc in answer.discs:
                assert (disc.started_at is not None) == (disc.serial in self.started)
                if disc.serial in self.ended:
                    assert disc.state is self.ended[disc.serial]
        assert [bin_.remaining for bin_ in self.blanks.facts()] == [LOADED - len(self.started) + self.by_hand, None]
        held = Trays(self.journal).held("h1")
        assert held == Held(self.lying, finished=self.lying is not None and self.lying in self.ended)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=25, stateful_step_count=25)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Journal, Ledger, Blanks]]:
    found = open_journal(tmp_path / "journal.sqlite3")
    yield found
    found[0].close()


def test_a_write_s_state_follows_from_its_discs() -> None:
    planned, started, good, given_up = DiscState.PLANNED, DiscState.STARTED, DiscState.GOOD, DiscState.CANCELLED
    assert write_state([planned, planned]) is WriteState.ACCEPTED
    assert write_state([planned, good]) is WriteState.WRITING
    assert write_state([started, given_up]) is WriteState.WRITING
    assert write_state([good, DiscState.BAD, DiscState.UNKNOWN]) is WriteState.DONE
    assert write_state([good, given_up]) is WriteState.CANCELLED
    assert write_state([]) is WriteState.CANCELLED


def test_a_disc_given_up_before_its_start_has_cost_no_blank(opened: tuple[Journal, Ledger, Blanks]) -> None:
    _, ledger, blanks = opened
    ledger.accept(UUIDS[0], order("A"), NOW)
    (disc,) = ledger.planned()
    ledger.give_up("A", "d1", Blame.DRIVE, "no drive can take it", NOW)
    assert not ledger.start(disc, "d1", (), NOW)
    answer = ledger.find(UUIDS[0])
    assert answer is not None
    assert (answer.state, answer.discs[0].state, answer.discs[0].started_at) == ("done", "bad", None)
    assert blanks.facts()[0].remaining == LOADED


def test_a_burner_is_kept_until_it_is_surely_gone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal, ledger, _ = open_journal(path)
    ledger.accept(UUIDS[0], order("A", "B"), NOW)
    first, second = ledger.planned()
    for disc in (first, second):
        assert ledger.start(disc, "d1", ("burn", disc.serial), NOW)
    ledger.name_burner("A", Burner(4711, "boot/99", ("burn", "A")))
    assert ledger.burners("d1") == []
    journal.close()
    for _ in range(2):
        journal, ledger, _ = open_journal(path)
        ledger.recover(NOW)
        found = dict(ledger.burners("d1"))
        journal.close()
        assert found == {"A": Burner(4711, "boot/99", ("burn", "A")), "B": Burner(None, None, ("burn", "B"))}
    journal, ledger, _ = open_journal(path)
    ledger.forget_burner("A")
    assert [serial for serial, _ in ledger.burners("d1")] == ["B"]
    journal.close()


def test_another_number_of_blanks_is_a_new_load(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    left = []
    for number, blanks in enumerate([3, 3, 5, None, 5, 0]):
        journal, ledger, counter = open_journal(path, blanks)
        ledger.accept(UUID(int=number), order(f"S{number}"), NOW)
        (disc,) = ledger.planned()
        ledger.start(disc, "d1", (), NOW)
        ledger.cancel(UUID(int=number), NOW)
        ledger.recover(NOW)
        left.append(counter.facts()[0].remaining)
        journal.close()
    assert left == [2, 1, 4, None, 4, 0]


def test_the_sequence_survives_a_crash_in_the_middle_of_a_block(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal, _, _ = open_journal(path)
    for _ in range(RESERVE + 5):
        journal.changes.note(progress=True)
    last = journal.changes.sequence
    journal.close()  # nothing is saved in closing, so this is as a crash
    journal, _, _ = open_journal(path)
    assert last < journal.changes.sequence <= last + 2 * RESERVE
    journal.close()


def test_the_journal_is_written_through(opened: tuple[Journal, Ledger, Blanks]) -> None:
    journal, _, _ = opened
    assert journal.rows("PRAGMA synchronous")[0][0] == 2
    assert journal.rows("PRAGMA journal_mode")[0][0] == "wal"


def insert_twice(journal: Journal) -> None:
    with journal.transaction() as connection:
        connection.execute("INSERT INTO refused_writes VALUES ('x', 'y')")
        connection.execute("INSERT INTO refused_writes VALUES ('x', 'y')")


def test_a_failed_transaction_leaves_nothing(opened: tuple[Journal, Ledger, Blanks]) -> None:
    journal, ledger, _ = opened
    with pytest.raises(sqlite3.IntegrityError):
        insert_twice(journal)
    assert journal.rows("SELECT * FROM refused_writes") == []
    assert ledger.accept(UUIDS[0], order("A"), NOW)


def test_a_newer_or_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal, _, _ = open_journal(path)
    journal.rows("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(JournalError, match="has version 99"):
        Journal(path)
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Journal(path)


def test_a_journal_with_nothing_that_waits_is_not_written_to_at_each_refused_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, ledger, _ = open_journal(tmp_path / "journal")
    monkeypatch.delattr(Journal, "transaction")
    ledger.give_up_all(NOW)
    monkeypatch.undo()
    journal.close()


def old_journal(path: Path) -> UUID:
    """As version 1 left it, with a disc that was written."""
    identity = UUID(int=7)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(STEPS[0])
        connection.execute("INSERT INTO meta VALUES ('journal_id', ?), ('sequence', '41')", (str(identity),))
        connection.execute("INSERT INTO writes VALUES (1, 'u', 'x', '{}', 'i', 'cd', NULL, 'then', NULL)")
        connection.execute("INSERT INTO discs (serial, write_uuid, position, state) VALUES ('A', 'u', 0, 'good')")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    return identity


def test_an_older_journal_is_upgraded_in_place_and_keeps_what_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    identity = old_journal(path)
    journal, ledger, _ = open_journal(path)
    assert (journal.journal_id, journal.born) == (identity, False)
    assert journal.changes.sequence > 41
    with pytest.raises(RefusedError, match="Serial A belongs"):
        ledger.accept(UUIDS[1], order("A"), NOW)
    assert Trays(journal).held("d1") == Held()
    journal.close()


def test_an_upgrade_that_fails_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    old_journal(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE trays (in_the_way TEXT)")  # the last table of the upgrade
    with pytest.raises(JournalError, match="trays already exists"):
        Journal(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'reads'").fetchall() == []


def test_spoilt_blanks_are_gone_from_the_bin_too(opened: tuple[Journal, Ledger, Blanks]) -> None:
    _, ledger, blanks = opened
    ledger.accept(UUIDS[0], order("A", "B"), NOW)
    left = []
    for disc, spoilt in zip(ledger.planned(), (2, 9), strict=True):
        ledger.start(disc, "d1", (), NOW)
        ledger.finish(disc.serial, Result(DiscState.GOOD, Verified.MACHINE, spoilt=spoilt), NOW)
        left.append(blanks.facts()[0].remaining)
    assert left == [LOADED - 3, 0]
    answer = ledger.find(UUIDS[0])
    assert answer is not None
    assert [disc.spoilt for disc in answer.discs] == [2, 9]


def test_a_drive_that_is_fed_by_hand_no_more_is_forgotten_with_a_word_in_the_log(
    opened: tuple[Journal, Ledger, Blanks], caplog: pytest.LogCaptureFixture
) -> None:
    journal, ledger, _ = opened
    trays = Trays(journal)
    ledger.accept(UUIDS[0], order("A"), NOW)
    ledger.start(ledger.planned()[0], "h1", (), NOW, by_hand=True)
    trays.forget_all_but(["h1"])
    assert trays.held("h1").serial == "A"
    trays.forget_all_but([])
    assert trays.held("h1") == Held()
    assert "drive h1: is no hand-fed drive any more; disc A" in caplog.text


def test_an_order_of_speed_0_that_was_accepted_before_it_was_refused_goes_as_fast_as_it_can(
    opened: tuple[Journal, Ledger, Blanks],
) -> None:
    journal, ledger, _ = opened
    ledger.accept(UUIDS[0], order("A", speed="4c"), NOW)
    ledger.accept(UUIDS[1], order("B", speed="8c"), NOW)
    journal.rows("UPDATE writes SET body = replace(body, '4c', '0c')")
    assert [(disc.serial, disc.order.speed) for disc in ledger.planned()] == [("A", None), ("B", "8c")]
