"""Work that waits for blanks goes on by itself, whichever way they come in; what is spoken for is not given twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from devices import blanks
from devices.agent import wire
from devices.models import BlankBin, Disc, Write, Writer
from fulfillment import snapshot
from fulfillment.models import Job
from tests.scene import Plant, ask_for, make_image


def fill(writer: Writer, count: int, name: str = "d1") -> BlankBin:
    bin_ = BlankBin.objects.create(writer=writer, format="cd", kind="CD-R", bin=name, counted=True)
    if count:
        blanks.load(bin_, count, by="user:1 Anna", why="opened a spindle", now=writer.created_at)
    return bin_


def by_the_admin(plant: Plant, client: Client) -> None:
    bin_ = BlankBin.objects.get()
    answer = client.post("/admin/devices/blankentry/add/", {"bin": bin_.pk, "change": 25, "why": "a new spindle"})
    assert answer.status_code == 302


def by_the_door_that_pages_use(plant: Plant, client: Client) -> None:
    blanks.load(BlankBin.objects.get(), 25, by="user:1 Anna", why="a new spindle", now=plant.now)


def by_the_agents_report(plant: Plant, client: Client) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=25)]
    plant.agent.sequence += 1
    plant.report()


@pytest.mark.parametrize("load", [by_the_admin, by_the_door_that_pages_use, by_the_agents_report])
def test_held_work_goes_on_by_itself_when_blanks_come(
    plant: Plant, admin_client: Client, load: Callable[[Plant, Client], None]
) -> None:
    fill(plant.writer, 0)
    job = ask_for(3)
    plant.turn()
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.HELD, "media-needed")
    assert not Write.objects.exists()
    load(plant, admin_client)
    plant.make_all()
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.MADE, "")


def test_blanks_that_are_spoken_for_are_not_given_twice(plant: Plant) -> None:
    bin_ = fill(plant.writer, 3)
    ask_for(2)
    plant.turn()
    assert blanks.reserved(plant.writer) == {"cd": 2}
    later = ask_for(2, make_image("another"))
    plant.turn()
    later.refresh_from_db()
    assert Disc.objects.count() == 3
    (view,) = snapshot.take([], plant.now).writers
    assert view.blanks == {"cd": 0}
    plant.make_all()
    bin_.refresh_from_db()
    assert bin_.remaining == 0
    later.refresh_from_db()
    assert (later.state, later.reason) == (Job.State.HELD, "media-needed")


def test_a_job_says_while_it_is_written_that_its_rest_waits_for_blanks(plant: Plant) -> None:
    bin_ = fill(plant.writer, 3)
    job = ask_for(5)
    plant.turn()
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.WRITING, "media-needed")
    events = job.events.count()
    plant.turn()
    assert job.events.count() == events
    blanks.load(bin_, 5, by="user:1 Anna", why="a new spindle", now=plant.now)
    plant.turn()
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.WRITING, "")
