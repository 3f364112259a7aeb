"""Reads from source drives, given and booked with the same care as writes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from devices import lifecycle, reading, visits
from devices.agent import wire
from devices.models import Read, Trouble, Writer
from devices.testing import Answer, problem
from tests.devices.conftest import SHA256, Plant, command_token

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

WHO = "user:1 Anna"
PUT_READ = "PUT /v1/reads/"


@pytest.fixture
def source(plant: Plant) -> Plant:
    """A writer with a source drive `s1`."""
    drive = plant.agent.drives[0].model_copy(update={"id": "s1", "role": wire.Role.SOURCE})
    plant.agent.drives.append(drive)
    plant.agent.sequence += 1
    plant.report()
    return plant


def asked(plant: Plant, **values: Any) -> Read:
    arguments: dict[str, Any] = {"uuid": uuid4(), "writer": plant.writer, "drive": "s1", "actor": WHO}
    return reading.queue_read(**(arguments | values), now=plant.clock.now)


def accepted(plant: Plant) -> Read:
    read = asked(plant)
    plant.attend()
    return same(read, "accepted")


def same(read: Read, state: str) -> Read:
    read.refresh_from_db()
    assert (read.state, read.revision > read.revision_read) == (state, True), read.reason
    return read


def calls(plant: Plant, start: str) -> int:
    return sum(call.startswith(start) for call in plant.agent.calls)


def test_a_disc_is_read_and_its_image_named_and_the_result_acknowledged_once_it_is_stored(source: Plant) -> None:
    read = accepted(source)
    source.attend()
    assert calls(source, PUT_READ) == 1
    source.agent.reads[read.uuid].answer = source.agent.reads[read.uuid].answer.model_copy(
        update={"state": wire.WriteState.WRITING}
    )
    source.agent.sequence += 1
    assert source.report().recorded == ()
    same(read, "reading")
    source.agent.end_read(read.uuid, SHA256, 4096)
    assert source.report().recorded == (read.uuid,)
    read = same(read, "done")
    assert (read.sha256, read.size, read.layout, read.finished_at) == (SHA256, 4096, "iso", source.clock.now)
    assert [event.new for event in source.events("read")] == ["queued", "sent", "accepted", "reading", "done"]


def test_the_same_end_is_acknowledged_again_when_the_answer_was_lost(source: Plant) -> None:
    read = accepted(source)
    source.agent.end_read(read.uuid, SHA256, 4096)
    state = source.agent.state()
    assert source.report(state).recorded == source.report(state).recorded == (read.uuid,)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"reason": "scratched"}, "scratched"),
        ({}, "The agent says that it is done, and names no image."),
        (
            {"sha256": SHA256, "size": 0, "layout": wire.Layout.ISO},
            "The agent says that it is done, and names no image.",
        ),
        (
            {"sha256": SHA256, "size": 2**63, "layout": wire.Layout.ISO},
            f"The agent says that it read {2**63} bytes as iso.",
        ),
        ({"sha256": SHA256, "size": 5, "layout": wire.Layout.FACE}, "The agent says that it read 5 bytes as face."),
    ],
)
def test_an_end_that_names_no_image_is_a_failure(source: Plant, said: dict[str, Any], reason: str) -> None:
    read = accepted(source)
    answer = source.agent.reads[read.uuid].answer
    source.agent.reads[read.uuid].answer = answer.model_copy(update={"state": wire.WriteState.DONE} | said)
    source.agent.sequence += 1
    assert source.report().recorded == (read.uuid,)
    assert same(read, "failed").reason == reason


def test_a_lost_reply_is_repaired_by_the_same_body(source: Plant) -> None:
    read = asked(source)
    source.agent.will_answer(PUT_READ, Answer(502))
    source.attend()
    assert (same(read, "sent").sent_at, calls(source, PUT_READ)) == (source.clock.now, 1)
    source.clock.pass_(seconds=6)
    source.attend()
    same(read, "accepted")
    assert calls(source, PUT_READ) == 2
    assert not Trouble.objects.exists()


def test_a_read_over_which_its_agent_fails_three_times_has_failed_with_the_reason(source: Plant) -> None:
    read = asked(source)
    source.agent.will_answer(PUT_READ, *[Answer(500)] * 9)
    for _ in range(5):
        source.attend()
        source.clock.pass_(seconds=31)
        source.report()
    read = same(read, "failed")
    assert (read.reason, calls(source, PUT_READ)) == ("Its agent does not take it: It answered 500.", 3)
    assert not Trouble.objects.exists()
    assert source.keywords() == []


def test_a_drive_that_is_taken_is_waited_for_and_tried_at_once_when_it_is_free(source: Plant) -> None:
    source.agent.set_drive("s1", state=wire.DriveState.BUSY)
    source.report()
    read = asked(source)
    source.agent.will_answer(PUT_READ, problem(409, "drive-reserved", "s1 is reading"))
    source.attend()
    assert same(read, "queued").reason == "drive-reserved: s1 is reading"
    source.attend()
    assert calls(source, PUT_READ) == 1
    source.agent.set_drive("s1", state=wire.DriveState.IDLE)
    source.report()
    source.attend()
    same(read, "accepted")


def test_without_room_for_its_image_a_read_waits_and_the_writer_says_so(source: Plant) -> None:
    read = asked(source)
    source.agent.will_answer(PUT_READ, problem(507, "spool-area-full", "4700000000 bytes don't fit"))
    source.attend()
    assert same(read, "queued").reason == "spool-area-full: 4700000000 bytes don't fit"
    source.report()
    assert source.keywords() == ["spool-area-full"]  # how large the disc is, nobody knows before it is read
    source.clock.pass_(seconds=31)
    source.report()
    source.attend()
    same(read, "accepted")
    assert source.keywords() == []


def test_what_its_agent_refuses_for_good_ends_it(source: Plant) -> None:
    read = asked(source)
    source.agent.will_answer(PUT_READ, problem(422, "invalid", "s1 reads no discs", "drive"))
    source.attend()
    assert same(read, "failed").reason == "invalid: s1 reads no discs"


def test_another_journal_fails_the_reads_that_the_lost_one_knew(source: Plant) -> None:
    begun, fresh = accepted(source), asked(source)
    source.agent.will_answer(PUT_READ, problem(409, "other-journal"))
    source.attend()
    same(begun, "failed")
    same(fresh, "queued")
    assert source.keywords() == ["journal-lost"]


@pytest.mark.parametrize("arrived", [True, False])
def test_cancelling_a_read_whose_reply_was_lost(source: Plant, arrived: bool) -> None:
    read = asked(source)
    source.agent.will_answer(PUT_READ, Answer(502))
    source.attend()
    if arrived:
        headers = {"Authorization": f"Bearer {command_token(source.new.writer.uuid)}"}
        source.agent.take_call("PUT", f"/v1/reads/{read.uuid}", headers, b'{"drive": "s1"}')
    read.refresh_from_db()
    assert reading.cancel_read(read, WHO, source.clock.pass_(seconds=10))
    source.attend()
    source.attend()
    assert calls(source, "DELETE /v1/reads/") == 1
    source.report()
    same(read, "cancelled")


def test_cancelling_a_read_that_was_not_sent_asks_nobody(source: Plant) -> None:
    read = asked(source)
    assert reading.cancel_read(read, WHO, source.clock.now)
    assert not reading.cancel_read(read, WHO, source.clock.now)
    source.attend()
    assert source.agent.calls == []
    same(read, "cancelled")


@pytest.mark.parametrize("known", [True, False])
def test_a_read_that_reports_leave_out_is_asked_for(source: Plant, known: bool) -> None:
    read = accepted(source)
    state = source.agent.state()
    if not known:
        source.agent.reads.clear()
    source.clock.pass_(seconds=11)
    source.report(state.model_copy(update={"reads": (), "sequence": state.sequence + 1}))
    assert visits.due(source.clock.now) == [source.new.writer.pk]
    source.attend()
    if known:
        assert same(read, "accepted").missing_since is None
    else:
        assert same(read, "failed").reason == "Its agent no longer knows it. Read the disc again."
    assert source.keywords() == []
    assert visits.due(source.clock.now) == []


def test_a_draining_writer_is_asked_what_became_of_a_read_and_gets_no_new_one(source: Plant) -> None:
    read = asked(source)
    source.agent.will_answer(PUT_READ, Answer(502))
    source.attend()
    lifecycle.drain(source.writer, who=WHO, why="cleaning", now=source.clock.now)
    source.clock.pass_(seconds=6)
    source.attend()
    assert same(read, "queued").reason == "Writer 1 takes no new work now."
    source.attend()
    assert calls(source, PUT_READ) == 1


def test_reads_that_nobody_here_asked_for_are_told_once_and_not_acknowledged(source: Plant) -> None:
    uuid = uuid4()
    headers = {"Authorization": f"Bearer {command_token(source.new.writer.uuid)}"}
    source.agent.take_call("PUT", f"/v1/reads/{uuid}", headers, b'{"drive": "s1"}')
    source.agent.end_read(uuid, SHA256, 4096)
    for _ in range(2):
        assert source.report().recorded == ()
    assert [event.new for event in source.events("unknown-read")] == [str(uuid)]
    assert not Read.objects.exists()


def test_a_read_after_a_restore_is_taken_up_where_its_agent_is(source: Plant) -> None:
    """The backup was made before it was sent."""
    read = accepted(source)
    source.agent.end_read(read.uuid, SHA256, 4096)
    Read.objects.update(state="queued", sent_at=None, accepted_at=None)
    assert source.report().recorded == (read.uuid,)
    same(read, "done")
    assert Writer.objects.get().halted is None
