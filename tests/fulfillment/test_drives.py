"""Which drives and writers the planner may use: not what is held, out of order, or silent while the server is deaf."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

import pytest

from devices import fleet, silence
from devices.agent import wire
from devices.drives import hold_drive, release_drive
from devices.intake import ImageRef, queue_write
from devices.models import Drive, Write, Writer
from fulfillment import apply, open_jobs, ranking, snapshot, tick
from fulfillment.models import Job
from fulfillment.planning.model import WriterView
from fulfillment.planning.planner import plan
from tests.scene import NOW, Plant, ask_for, make_image, running_plant

WHO = "user:1 Anna"


def drive(plant: Plant, ident: str) -> Drive:
    return plant.writer.drives.get(ident=ident)


def view(plant: Plant) -> WriterView:
    return next(each for each in snapshot.take([], plant.now).writers if each.id == str(plant.writer.pk))


def test_a_held_drive_is_not_the_planners_and_commands_name_the_other_one(plant: Plant) -> None:
    assert hold_drive(drive(plant, "d2"), "copy-1", who=WHO, now=NOW)
    ask_for(5)
    tick.run(NOW)
    assert list(Write.objects.values_list("drive", "copies")) == [("d1", 2)]
    assert view(plant).names_drives == {"cd", "dvd"}


def test_a_released_drive_is_the_planners_again(plant: Plant) -> None:
    held = drive(plant, "d2")
    assert hold_drive(held, "copy-1", who=WHO, now=NOW)
    assert release_drive(held, "copy-1", who=WHO, now=NOW)
    ask_for(4)
    tick.run(NOW)
    assert list(Write.objects.values_list("drive", "copies")) == [("", 4)]


def test_a_drive_that_is_held_for_a_format_of_its_own_leaves_the_others_unnamed(plant: Plant) -> None:
    Drive.objects.filter(writer=plant.writer, ident="d2").update(formats=["bd"])
    assert hold_drive(drive(plant, "d2"), "copy-1", who=WHO, now=NOW)
    ask_for(1)
    tick.run(NOW)
    assert Write.objects.get().drive == ""


@pytest.mark.parametrize("change", [{"gone": True}, {"state": "stopped"}, {"state": "offline"}])
def test_a_drive_that_is_gone_or_stopped_gets_nothing(plant: Plant, change: dict[str, object]) -> None:
    Drive.objects.filter(writer=plant.writer, ident="d2").update(**change)
    assert [each.id for each in view(plant).drives] == ["d1"]
    assert view(plant).names_drives == frozenset()


@pytest.mark.parametrize("named", [False, True])
def test_a_drive_that_is_taken_between_plan_and_command_is_left_alone(plant: Plant, named: bool) -> None:
    if named:
        assert hold_drive(drive(plant, "d2"), "copy-1", who=WHO, now=NOW)
    ask_for(1)
    jobs = open_jobs.head()
    decided = plan(snapshot.take(jobs, NOW), ranking.in_force(NOW), NOW.timestamp())
    assert [each.drive for each in decided.assignments] == ["d1" if named else None]
    assert hold_drive(drive(plant, "d1"), "copy-2", who=WHO, now=NOW)
    assert apply.apply(decided, jobs, NOW) == 0
    assert not Write.objects.exists()
    assert Job.objects.get().state == "waiting"


def test_writes_that_might_go_into_a_drive_that_is_held_later_are_taken_back(plant: Plant) -> None:
    """Both those that the agent has and those that it has not; a disc that is begun is finished."""
    job = ask_for(4)
    plant.turn()
    first = Write.objects.get()
    plant.agent.set_disc(first.discs.order_by("id")[0].serial, wire.DiscState.STARTED, drive="d1")
    plant.report()
    assert hold_drive(drive(plant, "d2"), "copy-1", who=WHO, now=plant.now)
    plant.turn()
    plant.turn()
    first.refresh_from_db()
    assert sorted(first.discs.values_list("state", flat=True)) == ["cancelled"] * 3 + ["started"]
    assert set(Write.objects.exclude(pk=first.pk).values_list("drive", flat=True)) == {"d1"}
    plant.make_all()
    plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE
    assert job.allocations.count() == 4


def test_writes_named_for_a_drive_that_is_held_or_stopped_later_are_taken_back(plant: Plant) -> None:
    assert hold_drive(drive(plant, "d2"), "copy-1", who=WHO, now=NOW)
    ask_for(1)
    tick.run(NOW)
    named = Write.objects.get()
    assert named.drive == "d1"
    assert hold_drive(drive(plant, "d1"), "copy-2", who=WHO, now=NOW)
    tick.run(NOW)
    named.refresh_from_db()
    assert named.state == "cancelled"
    assert Job.objects.get().reason == "no-writer"


def test_a_copy_by_hand_occupies_its_own_drive_and_nobody_takes_it_back(plant: Plant) -> None:
    assert hold_drive(drive(plant, "d2"), "copy-1", who=WHO, now=NOW)
    image = make_image("by hand")
    copy = queue_write(
        uuid=uuid4(),
        writer=plant.writer,
        image=ImageRef(image.sha256 or "", image.size or 0, "iso"),
        format="cd",
        title="By hand",
        copies=50,
        drive="d2",
        actor=WHO,
        now=NOW,
    )
    ask_for(4)
    tick.run(NOW)
    assert Write.objects.exclude(pk=copy.pk).get().drive == "d1"
    copy.refresh_from_db()
    assert (copy.state, copy.cancel_requested) == ("queued", False)
    assert view(plant).outstanding == 2


def test_a_writer_that_nothing_may_be_sent_to_gets_nothing_and_loses_what_it_was_not_sent(plant: Plant) -> None:
    ask_for(1)
    tick.run(NOW)
    outdated = {"keyword": "agent-outdated", "text": "Its agent speaks protocol 2, this server 1.", "since": ""}
    Writer.objects.filter(pk=plant.writer.pk).update(reasons=[outdated])
    assert fleet.at_work() == []
    tick.run(NOW)
    assert [write.state for write in Write.objects.all()] == ["cancelled"]
    assert Job.objects.get().reason == "no-writer"


# --- Silence --------------------------------------------------------------------------------------


def test_what_was_not_sent_waits_for_a_suspect_and_goes_elsewhere_once_it_is_offline(plant: Plant) -> None:
    job = ask_for(1)
    tick.run(NOW)
    with running_plant("Writer 2") as other:
        for seconds in (31, 91):
            now = NOW + timedelta(seconds=seconds)
            Writer.objects.filter(pk=other.writer.pk).update(last_seen=now)
            silence.note(now)
            tick.run(now)
            write = Write.objects.get(state="queued")
            assert write.writer == (plant.writer if seconds == 31 else other.writer)
    job.refresh_from_db()
    assert job.state == "writing"


def test_a_suspect_gets_nothing_new_and_nobody_is_asked_for_another_writer(plant: Plant) -> None:
    silence.note(NOW + timedelta(seconds=31))
    job = ask_for(1)
    tick.run(NOW + timedelta(seconds=32))
    job.refresh_from_db()
    assert (job.state, job.reason) == ("waiting", "waiting-for-drive")
    assert not Write.objects.exists()


def test_while_the_server_doubts_itself_the_plan_stays_with_the_silent(plant: Plant) -> None:
    first = ask_for(1)
    tick.run(NOW)
    with ExitStack() as stack:
        slow = [stack.enter_context(running_plant(f"Writer {number}")) for number in range(2, 5)]
        quiet = NOW + timedelta(seconds=100)
        Writer.objects.filter(pk=slow[2].writer.pk).update(last_seen=quiet)
        silence.note(quiet)
        assert silence.doubt()
        assert {writer.name for writer in fleet.read().suspects} == {"Writer 1", "Writer 2", "Writer 3"}
        more = ask_for(20, make_image("more"))
        tick.run(quiet)
        assert first.shares.get().write.state == "queued"  # it waits there
        given = more.shares.get().write
        assert (given.writer, given.copies) == (slow[2].writer, 4)  # its part, and no more than that
        later = quiet + silence.LONGEST
        Writer.objects.filter(pk=slow[2].writer.pk).update(last_seen=later)
        silence.note(later)
        tick.run(later)
        assert first.shares.get().write.state == "cancelled"  # they are gone, and others may have it
