"""The sequence when its disk fails: what was done is told all the same, and no number is used twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from uuid import UUID

import pytest

from devices.agent.changes import RESERVE, Changes
from devices.agent.journal import Journal, utc_now
from devices.agent.ledger import Ledger
from devices.agent.trace import remember_order
from devices.agent.wire import WriteOrder

IMAGE = "a" * 64
FULL = "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"


class Disk:
    """Keeps the last number that was reserved, while it has room."""

    def __init__(self) -> None:
        self.kept = 0
        self.is_full = False

    def reserve(self, sequence: int) -> None:
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        self.kept = sequence


def note(changes: Changes, times: int) -> None:
    for _ in range(times):
        changes.note(progress=True)


def test_a_change_is_told_though_no_number_can_be_reserved_and_numbers_rise_again_with_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk()
    changes = Changes(1, disk.reserve)
    disk.is_full = True
    note(changes, 2 * RESERVE)
    changes.note()
    stuck = changes.sequence
    assert stuck <= disk.kept
    assert (changes.progress, changes.facts) == (2 * RESERVE, 1)
    assert len(caplog.records) == 1  # not one for each
    disk.is_full = False
    changes.note()
    assert changes.sequence == stuck + 1
    note(changes, 3 * RESERVE)
    assert changes.sequence == stuck + 1 + 3 * RESERVE <= disk.kept


def test_whoever_waits_is_woken_though_no_number_can_be_reserved() -> None:
    disk = Disk()
    changes = Changes(1, disk.reserve)
    note(changes, RESERVE)
    disk.is_full = True
    before = changes.facts
    changes.note()
    assert changes.sequence == 1 + RESERVE
    assert changes.wait(lambda: changes.facts != before, 0)


def test_a_counter_that_cannot_be_saved_undoes_nothing_and_is_not_lower_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = Journal(path)
    journal.rows("INSERT INTO images VALUES (?, 'iso', 1, 'x', 'ready', NULL, NULL, 0)", IMAGE)
    journal.rows("INSERT INTO blanks VALUES ('d1', 'cd', NULL, 0)")
    journal.rows(f"CREATE TRIGGER full BEFORE UPDATE ON meta {FULL}")
    note(journal.changes, RESERVE)
    order = WriteOrder.model_validate({"image": IMAGE, "format": "cd", "discs": [{"serial": "A"}]})
    ledger = Ledger(journal)
    assert ledger.accept(UUID(int=1), order, utc_now())
    assert ledger.start(ledger.planned()[0], "d1", (), utc_now())
    told = journal.changes.sequence
    journal.rows("DROP TRIGGER full")
    journal.close()  # nothing is saved in closing, so this is as a crash
    journal = Journal(path)
    assert journal.changes.sequence > told
    journal.close()


def test_an_order_that_cannot_be_remembered_does_not_unsay_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    monkeypatch.setattr("devices.agent.trace.get_contextvars", lambda: {"order": "R-1"})
    journal.rows(f"CREATE TRIGGER full BEFORE INSERT ON meta {FULL}")
    remember_order(journal, UUID(int=1))
    assert "disk is full" in caplog.text
    journal.close()
