"""Images to have or to drop and words to drives, carried out in visits until their agent has done them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from devices import dispatch, drives, errands, lifecycle, visits, wishes
from devices.agent import wire
from devices.client import AgentClient
from devices.intake import ImageRef
from devices.models import DriveOrder, ImageRequest, Trouble
from devices.testing import Answer, problem
from tests.devices.conftest import SHA256, Plant

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

WHO = "user:1 Anna"
IMAGE = ImageRef(SHA256, 2048 * 100, "iso")
PUT, DELETE, POST = "PUT /v1/images/", "DELETE /v1/images/", "POST /v1/drives/"


def have(plant: Plant, image: ImageRef = IMAGE) -> ImageRequest:
    return wishes.have_image(plant.writer, image, title="Nine songs", actor=WHO, now=plant.clock.now)


def drop(plant: Plant) -> ImageRequest:
    return wishes.drop_image(plant.writer, IMAGE, title="Nine songs", actor=WHO, now=plant.clock.now)


def say(plant: Plant, verb: wire.DriveVerb, drive: str = "d1", serial: str = "") -> DriveOrder:
    return drives.order_drive(plant.writer, drive, verb, actor=WHO, now=plant.clock.now, serial=serial)


def is_(row: Any, state: str, reason: str = "") -> bool:
    row.refresh_from_db()
    assert (row.state, row.reason) == (state, reason)
    return True


def calls(plant: Plant, start: str) -> int:
    return sum(call.startswith(start) for call in plant.agent.calls)


# --- Images to have -------------------------------------------------------------------------------


def test_an_image_is_announced_and_its_request_ends_with_the_report_that_has_it_whole(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.RECEIVING
    request = have(plant)
    plant.attend()
    assert is_(request, "open", "Its agent is fetching it.")
    plant.attend()
    assert (calls(plant, PUT), calls(plant, "GET /v1/images/")) == (1, 1)
    plant.agent.set_image(SHA256, wire.ImageState.READY)
    plant.report()
    assert is_(request, "done")
    assert request.ended_at == plant.clock.now
    assert [(event.old, event.new) for event in plant.events("fetch")] == [("", "open"), ("open", "done")]
    assert visits.due(plant.clock.now) == []


def test_an_image_that_is_there_ends_its_request_at_once(plant: Plant) -> None:
    plant.agent.set_image(SHA256, wire.ImageState.READY)
    plant.report()
    request = have(plant)
    plant.attend()
    assert is_(request, "done")
    assert calls(plant, PUT) == 0


def test_the_next_image_is_fetched_while_drives_write(plant: Plant) -> None:
    plant.accepted(2)
    plant.agent.set_drive("d1", state=wire.DriveState.BUSY, progress=0.5)
    plant.report()
    request = have(plant, ImageRef("cd" * 32, 4096, "iso"))
    plant.attend()
    assert is_(request, "done")


def test_a_failed_fetch_is_begun_anew_with_pauses_and_fails_with_the_agents_reason(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.FAILED
    request = have(plant)
    plant.attend()
    assert is_(request, "open", "image-failed: its digest is another")
    plant.report()
    plant.attend()
    assert calls(plant, PUT) == 2  # announced, and once anew; then there is a pause
    for _ in range(3):
        plant.clock.pass_(seconds=61)
        plant.report()
        plant.attend()
    assert is_(request, "failed", "image-failed: its digest is another")
    assert calls(plant, PUT) == 3


def test_a_fetch_that_fails_on_its_way_is_asked_about_at_once(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.RECEIVING
    request = have(plant)
    plant.attend()
    plant.agent.set_image(SHA256, wire.ImageState.FAILED)
    plant.report()
    plant.attend()
    assert is_(request, "open", "image-failed: its digest is another")


def test_without_room_a_request_stays_open_until_there_is(plant: Plant) -> None:
    plant.agent.will_answer(PUT, problem(507, "spool-area-full", "300 MB are missing"))
    request = have(plant)
    plant.attend()
    assert is_(request, "open", "spool-area-full: 300 MB are missing")
    assert plant.keywords() == ["spool-area-full"]
    state = plant.agent.state()
    plant.report(state.model_copy(update={"disk": wire.DiskFact(capacity=10**12, free=IMAGE.size - 1)}))
    assert plant.keywords() == ["spool-area-full"]
    plant.attend()
    assert calls(plant, PUT) == 1
    plant.report(state.model_copy(update={"disk": wire.DiskFact(capacity=10**12, free=IMAGE.size)}))
    assert plant.keywords() == []
    plant.attend()
    assert is_(request, "done")


def test_an_image_that_its_agent_refuses_fails_with_what_it_said(plant: Plant) -> None:
    plant.agent.will_answer(PUT, problem(422, "invalid", "no audio here", "layout"))
    request = have(plant)
    plant.attend()
    assert is_(request, "failed", "invalid: no audio here")


def test_a_draining_writer_fetches_nothing_ahead(plant: Plant) -> None:
    lifecycle.drain(plant.writer, who=WHO, why="cleaning", now=plant.clock.now)
    request = have(plant)
    assert visits.due(plant.clock.now) == []
    plant.attend()
    assert is_(request, "open")
    assert plant.agent.calls == []


# --- Images to drop -------------------------------------------------------------------------------


def test_an_image_is_dropped_at_a_draining_writer_too(plant: Plant) -> None:
    plant.agent.set_image(SHA256, wire.ImageState.READY)
    plant.report()
    lifecycle.drain(plant.writer, who=WHO, why="cleaning", now=plant.clock.now)
    request = drop(plant)
    assert visits.due(plant.clock.now) == [plant.new.writer.pk]
    plant.attend()
    assert is_(request, "done")
    assert plant.agent.images == {}
    assert plant.events("purge")[-1].new == "done"


def test_an_image_that_is_not_there_is_dropped(plant: Plant) -> None:
    request = drop(plant)
    plant.attend()
    assert is_(request, "done")


def test_an_image_that_a_write_waits_for_is_not_dropped(plant: Plant) -> None:
    plant.accepted()
    request = drop(plant)
    plant.attend()
    assert is_(request, "failed", "image-in-use: a write waits for it")


def test_an_image_that_is_wanted_again_during_the_visit_is_not_dropped(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ImageRef("cd" * 32, 4096, "iso")
    for image in (IMAGE, other):
        plant.agent.set_image(image.sha256, wire.ImageState.READY)
    plant.report()
    first = wishes.drop_image(plant.writer, other, title="Film", actor=WHO, now=plant.clock.now)
    second = drop(plant)
    drop_image = AgentClient.drop_image

    def overtaken(client: AgentClient, sha256: str) -> None:
        have(plant)
        drop_image(client, sha256)

    monkeypatch.setattr(AgentClient, "drop_image", overtaken)
    plant.attend()
    assert is_(first, "done")
    assert is_(second, "dropped", "replaced by: have")
    assert set(plant.agent.images) == {SHA256}


def test_a_request_over_which_its_agent_fails_three_times_has_failed(plant: Plant) -> None:
    request = drop(plant)
    plant.agent.will_answer(DELETE, *[Answer(500)] * 9)
    for _ in range(5):
        plant.attend()
        plant.clock.pass_(seconds=31)
        plant.report()
    assert is_(request, "failed", "Its agent does not take it: It answered 500.")
    assert calls(plant, DELETE) == 3
    assert not Trouble.objects.exists()


# --- Words to drives ------------------------------------------------------------------------------


def test_a_word_reaches_its_drive_with_its_disc_also_while_the_writer_drains(plant: Plant) -> None:
    lifecycle.drain(plant.writer, who=WHO, why="cleaning", now=plant.clock.now)
    plant.agent.want("d1", "take-out", "4K7P2M9XQR3T")
    plant.report()
    order = say(plant, wire.DriveVerb.TAKEN_OUT, serial="4K7P2M9XQR3T")
    plant.attend()
    assert is_(order, "done")
    assert calls(plant, "POST /v1/drives/d1/taken-out") == 1
    drive = plant.agent.drive("d1")
    assert drive is not None
    assert drive.wants is None


def test_a_word_whose_reply_was_lost_is_said_again(plant: Plant) -> None:
    order = say(plant, wire.DriveVerb.DRAIN)
    plant.agent.will_answer(POST, Answer(502))
    plant.attend()
    assert is_(order, "open")
    plant.clock.pass_(seconds=6)
    plant.attend()
    assert is_(order, "done")
    assert calls(plant, POST) == 2


def test_of_drain_and_resume_the_last_word_counts_however_long_they_waited(plant: Plant) -> None:
    words = [say(plant, verb) for verb in (wire.DriveVerb.DRAIN, wire.DriveVerb.RESUME, wire.DriveVerb.DRAIN)]
    assert is_(words[0], "dropped", "Replaced by resume.")
    plant.attend()
    assert is_(words[1], "dropped", "Replaced by drain.")
    assert is_(words[2], "done")
    assert calls(plant, POST) == 1


def test_a_drive_that_its_agent_does_not_have_fails_the_word(plant: Plant) -> None:
    order = say(plant, wire.DriveVerb.EJECT)
    plant.agent.drives.pop(0)
    plant.attend()
    assert is_(order, "failed", "not-found: not-found")


def test_a_word_that_has_grown_old_moves_no_tray(plant: Plant) -> None:
    stale, lasting = say(plant, wire.DriveVerb.EJECT), say(plant, wire.DriveVerb.DRAIN)
    plant.clock.pass_(minutes=11)
    plant.attend()
    assert is_(stale, "dropped", "Its agent could not be reached for 10 minutes. Say it again.")
    assert is_(lasting, "done")
    assert calls(plant, "POST /v1/drives/d1/eject") == 0


def test_odd_names_of_drives_stay_one_part_of_the_address(plant: Plant) -> None:
    plant.agent.set_drive("d1", id="a/../b ?x")
    plant.report()
    say(plant, wire.DriveVerb.DRAIN, "a/../b ?x")
    plant.attend()
    assert plant.agent.calls[-1] == "POST /v1/drives/a%2F..%2Fb%20%3Fx/drain"


# --- Order and pace -------------------------------------------------------------------------------


def test_what_came_during_a_visit_is_told_so_that_it_goes_out_at_once(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.queue()
    put_write = AgentClient.put_write

    def overtaken(client: AgentClient, uuid: UUID, order: wire.WriteOrder) -> wire.WriteAnswer:
        say(plant, wire.DriveVerb.DRAIN)  # its step is over in this visit
        return put_write(client, uuid, order)

    monkeypatch.setattr(AgentClient, "put_write", overtaken)
    assert plant.attend() is True
    assert plant.attend() is False
    assert is_(DriveOrder.objects.get(), "done")


def test_what_waits_for_its_image_is_no_reason_to_come_back_at_once(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.RECEIVING
    plant.queue()
    have(plant, ImageRef("cd" * 32, 4096, "iso"))
    assert plant.attend() is False


def test_every_step_of_a_visit_has_its_work() -> None:
    assert list(dispatch.WORK) == list(errands.ERRANDS)
