"""Restarts, lost journals, second agents and silence: what a report means by its journal, boot and sequence."""

from __future__ import annotations

import pytest

from devices import lifecycle, reports, silence
from devices.agent import wire
from tests.devices.conftest import Plant, serials, states

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_restart_of_the_agent_goes_on(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.restart()
    plant.agent.make_all()
    plant.report()
    write.refresh_from_db()
    assert write.state == "done"
    assert plant.writer.boot_id == plant.agent.boot_id
    assert len(plant.events("restart")) == 1


def lost(plant: Plant) -> wire.ProblemType:
    with pytest.raises(reports.ReportRefused) as refused:
        plant.report()
    return refused.value.problem


def test_another_journal_stops_the_writer_until_an_operator_resumes_it(plant: Plant) -> None:
    write = plant.accepted(2)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    waiting = plant.queue()
    plant.agent.lose_journal()
    assert lost(plant) == wire.ProblemType.JOURNAL_LOST
    write.refresh_from_db()
    waiting.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["unknown", "unknown"])
    assert waiting.state == "queued"
    assert (plant.writer.state, plant.keywords()) == ("stopped", ["journal-lost"])

    plant.agent.sequence = 40
    assert lost(plant) == wire.ProblemType.JOURNAL_LOST
    assert len(plant.events("reason")) == 1
    assert lifecycle.resume(plant.writer, who="user:1 Anna", why="inspected", now=plant.clock.now)
    writer = plant.writer
    assert (writer.journal_id, writer.sequence) == (plant.agent.journal_id, 40)
    plant.report()
    assert (plant.writer.state, plant.keywords()) == ("idle", [])
    plant.attend()
    waiting.refresh_from_db()
    assert waiting.state == "accepted"


def test_lower_sequence_under_a_new_boot_is_a_lost_journal(plant: Plant) -> None:
    plant.agent.sequence = 9
    plant.report()
    plant.agent.restart()
    plant.agent.sequence = 8
    assert lost(plant) == wire.ProblemType.JOURNAL_LOST


def test_discs_that_wait_again_show_an_older_copy_of_the_journal_whatever_its_sequence(plant: Plant) -> None:
    write = plant.accepted(2)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.PLANNED)
    plant.agent.restart()
    plant.agent.sequence += 1000
    assert lost(plant) == wire.ProblemType.JOURNAL_LOST
    assert states(write) == ["unknown", "unknown"]


def test_second_agent_stops_both_until_an_operator_chose(plant: Plant) -> None:
    first = plant.agent.boot_id
    plant.agent.restart()
    plant.report()
    second, plant.agent.boot_id = plant.agent.boot_id, first
    assert lost(plant) == wire.ProblemType.SECOND_AGENT
    plant.agent.boot_id = second
    assert lost(plant) == wire.ProblemType.SECOND_AGENT
    assert (plant.writer.state, plant.keywords()) == ("stopped", ["second-agent"])

    assert lifecycle.resume(plant.writer, who="user:1 Anna", why="stopped the copy", now=plant.clock.now)
    plant.report()
    assert (plant.writer.state, plant.keywords()) == ("idle", [])
    plant.agent.boot_id = first
    assert lost(plant) == wire.ProblemType.SECOND_AGENT


def test_resume_without_a_reason_to_changes_nothing(plant: Plant) -> None:
    before = plant.events("resume")
    assert lifecycle.resume(plant.writer, who="user:1 Anna", why="", now=plant.clock.now) is False
    assert plant.events("resume") == before


def test_a_drained_writer_whose_drives_all_stand_is_not_at_work_when_it_is_resumed(plant: Plant) -> None:
    for drive in ("d1", "d2"):
        plant.agent.set_drive(drive, state=wire.DriveState.STOPPED, reasons=("door-open",))
    plant.report()
    lifecycle.drain(plant.writer, who="user:1 Anna", why="cleaning", now=plant.clock.now)
    assert lifecycle.resume(plant.writer, who="user:1 Anna", why="clean", now=plant.clock.now)
    assert (plant.writer.state, plant.keywords(), plant.writer.draining) == ("stopped", ["drives-stopped"], False)


def test_silent_writer_goes_offline_and_comes_back_by_itself(plant: Plant) -> None:
    silence.note(plant.clock.pass_(seconds=30))
    assert (plant.writer.state, plant.keywords()) == ("idle", [])
    silence.note(plant.clock.pass_(seconds=1))
    assert (plant.writer.state, plant.keywords()) == ("idle", ["suspect"])
    assert plant.writer.takes_work is False
    silence.note(plant.clock.pass_(seconds=59))
    assert (plant.writer.state, plant.keywords()) == ("idle", ["suspect"])
    for _ in range(2):
        silence.note(plant.clock.pass_(seconds=1))
    assert (plant.writer.state, plant.keywords()) == ("offline", ["timed-out"])
    plant.report()
    assert (plant.writer.state, plant.keywords()) == ("idle", [])
    assert [(event.old, event.new) for event in plant.events("writer")][-2:] == [
        ("idle", "offline"),
        ("offline", "idle"),
    ]
