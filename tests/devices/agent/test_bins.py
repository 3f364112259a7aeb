"""Bins that a machine counts itself, shared by its drives, beside drives whose blanks the agent counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.agent.blanks import Blanks
from devices.agent.config import Drive
from devices.agent.drivers.base import READY, DiscJob, Driver, Readiness, Result, Watch
from devices.agent.journal import Journal
from devices.agent.wire import BlankFact, DiscState, Feed, Role


class Machine(Driver):
    """Has the bins that a test gives it."""

    bins: tuple[BlankFact, ...] | None = ()

    def examine(self) -> Readiness:
        return READY

    def check(self, job: DiscJob) -> Readiness:
        return READY

    def write(self, job: DiscJob, watch: Watch) -> Result:
        return Result(DiscState.GOOD)

    def blanks(self) -> tuple[BlankFact, ...] | None:
        if self.bins == ():
            raise RuntimeError("the line is dead")
        return self.bins


def drive(id_: str, *kinds: str, role: Role = Role.COPIER) -> Drive:
    return Drive(id_, role, Feed.ROBOT, id_, kinds, None, 3 if role is Role.COPIER else None)


def bin_(name: str, kind: str, remaining: int | None) -> BlankFact:
    format_ = {"CD-R": "cd", "CD-RW": "cd", "DVD-R": "dvd"}[kind]
    return BlankFact(format=format_, kind=kind, bin=name, remaining=remaining)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite3")
    yield opened
    opened.close()


def plant(journal: Journal, folder: Path, *drives: Drive, **bins: tuple[BlankFact, ...] | None) -> Blanks:
    drivers = {each.id: Machine(each, folder, {}) for each in drives}
    for id_, its in bins.items():
        drivers[id_].bins = its
    blanks = Blanks(journal, drives, drivers)
    blanks.load()
    return blanks


def test_a_bin_that_drives_share_is_told_once_beside_those_the_agent_counts(journal: Journal, tmp_path: Path) -> None:
    shared = (bin_("left", "CD-R", 7), bin_("right", "DVD-R", None))
    d1, d2, d3 = drive("d1", "CD-R", "DVD-R"), drive("d2", "CD-R"), drive("d3", "CD-R")
    source = drive("s1", "CD-R", role=Role.SOURCE)
    blanks = plant(journal, tmp_path, d1, d2, d3, source, d1=shared, d2=shared, d3=None, s1=None)
    assert blanks.facts() == (*shared, bin_("d3", "CD-R", 3))
    assert [blanks.empty(each) for each in (d1, d2, d3, source)] == [(), (), (), ()]


@pytest.mark.parametrize(
    ("bins", "empty"),
    [
        ((bin_("a", "CD-R", 0), bin_("b", "DVD-R", 1)), ("cd",)),
        ((bin_("a", "CD-R", 0), bin_("b", "CD-R", 2), bin_("c", "DVD-R", 0)), ("dvd",)),
        ((bin_("a", "CD-R", None),), ("dvd",)),  # no bin of this format at all
        ((bin_("a", "CD-RW", 5), bin_("b", "DVD-R", None)), ("cd",)),  # another kind than the drive takes
    ],
)
def test_a_format_is_empty_when_no_bin_that_the_drive_takes_from_holds_it(
    bins: tuple[BlankFact, ...], empty: tuple[str, ...], journal: Journal, tmp_path: Path
) -> None:
    d1 = drive("d1", "CD-R", "DVD-R")
    assert plant(journal, tmp_path, d1, d1=bins).empty(d1) == empty


def test_another_count_is_news_and_a_machine_that_cannot_answer_keeps_its_last(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    d1 = drive("d1", "CD-R")
    machine = Machine(d1, tmp_path, {})
    blanks = Blanks(journal, (d1,), {"d1": machine})
    machine.bins = (bin_("left", "CD-R", 7),)
    blanks.facts()
    news = journal.changes.facts
    blanks.empty(d1)
    assert journal.changes.facts == news
    machine.bins = (bin_("left", "CD-R", 6),)
    blanks.empty(d1)
    assert journal.changes.facts == news + 1
    machine.bins = ()
    assert [blanks.facts(), blanks.facts()] == [(bin_("left", "CD-R", 6),)] * 2
    assert [record.message for record in caplog.records] == ["drive d1: the machine can't say what is in its bins"]
