from __future__ import annotations

import pytest

from devices import lifecycle, visits
from devices.agent import wire
from devices.intake import ImageRef, cancel_write
from devices.models import Disc, Trouble, Write
from devices.testing import Answer, problem
from tests.devices.conftest import SHA256, Plant, command_token, serials, states

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

PUT_WRITE = "PUT /v1/writes/"


def calls(plant: Plant, start: str) -> list[str]:
    return [call for call in plant.agent.calls if call.startswith(start)]


def test_queued_write_is_announced_given_written_and_done(plant: Plant) -> None:
    write = plant.queue(3)
    plant.attend()
    write.refresh_from_db()
    assert write.state == "accepted"
    assert plant.agent.calls == [
        f"GET /v1/images/{SHA256}",
        f"PUT /v1/images/{SHA256}",
        f"PUT /v1/writes/{write.uuid}",
    ]
    given = plant.agent.writes[write.uuid].order
    assert [disc.serial for disc in given.discs] == serials(write)
    assert (given.image, given.format, given.drive, given.verify) == (SHA256, "cd", None, True)

    plant.agent.make_all()
    assert plant.report().recorded == (write.uuid,)
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["good"] * 3)
    assert [event.new for event in plant.events("write")] == ["queued", "sent", "accepted", "done"]


def test_second_visit_sends_nothing_again(plant: Plant) -> None:
    plant.accepted(2)
    before = list(plant.agent.calls)
    plant.attend()
    assert plant.agent.calls == before


def test_image_on_its_way_holds_the_write_and_says_so(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.RECEIVING
    write = plant.queue()
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.reason) == ("queued", "Waiting for its image: Writer 1 is fetching it.")
    revision = write.revision
    plant.attend()
    write.refresh_from_db()
    assert write.revision == revision
    assert calls(plant, PUT_WRITE) == []

    plant.agent.set_image(SHA256, wire.ImageState.READY)
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.reason) == ("accepted", "")


def test_images_of_later_writes_are_announced_while_the_first_is_fetched(plant: Plant) -> None:
    from_image = [f"{number:064x}" for number in range(3)]
    plant.agent.new_images = wire.ImageState.RECEIVING
    for sha256 in from_image:
        plant.queue(image=_image(sha256))
    plant.attend()
    assert sorted(plant.agent.images) == from_image


def test_failed_image_is_fetched_afresh_twice_and_then_the_write_is_given_up(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.FAILED
    write = plant.queue(2)
    for _ in range(6):
        plant.attend()
        plant.clock.pass_(minutes=1)
        plant.report()
    write.refresh_from_db()
    assert (write.state, write.problem) == ("cancelled", "image-failed")
    assert write.reason == "image-failed: its digest is another"
    assert states(write) == ["cancelled", "cancelled"]
    assert len(calls(plant, "PUT /v1/images/")) == 3
    assert calls(plant, PUT_WRITE) == []


def test_full_disk_is_a_reason_of_the_writer_until_there_is_room(plant: Plant) -> None:
    plant.agent.will_answer("PUT /v1/images/", problem(507, "spool-area-full", "300 MB are missing"))
    write = plant.queue()
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.reason) == ("queued", "spool-area-full: 300 MB are missing")
    assert plant.keywords() == ["spool-area-full"]
    plant.attend()
    assert len(calls(plant, "PUT /v1/images/")) == 1

    plant.clock.pass_(seconds=31)
    plant.report()
    plant.attend()
    write.refresh_from_db()
    assert write.state == "accepted"
    assert plant.keywords() == []


def test_lost_reply_is_repaired_by_the_same_body(plant: Plant) -> None:
    write = plant.queue(2)
    plant.agent.images[SHA256] = _fact(SHA256)
    plant.agent.will_answer(PUT_WRITE, Answer(502))
    plant.attend()
    write.refresh_from_db()
    assert write.state == "sent"
    trouble = Trouble.objects.get()
    assert (trouble.step, trouble.row, trouble.tries) == ("devices.give-write", str(write.pk), 1)
    assert "It answered 502" in trouble.reason

    plant.clock.pass_(seconds=6)
    plant.attend()
    write.refresh_from_db()
    assert write.state == "accepted"
    assert len(calls(plant, PUT_WRITE)) == 2
    assert not Trouble.objects.exists()
    assert states(write) == ["planned", "planned"]


@pytest.mark.parametrize("type_", ["different-body", "serial-used", "face-missing", "something-new"])
def test_final_refusals_give_the_write_up_with_their_keyword(plant: Plant, type_: str) -> None:
    plant.agent.will_answer(PUT_WRITE, problem(409, type_, "because"))
    write = plant.queue(2)
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.problem, write.reason) == ("cancelled", type_, f"{type_}: because")
    assert states(write) == ["cancelled", "cancelled"]
    plant.attend()
    assert len(calls(plant, PUT_WRITE)) == 1


def test_invalid_body_names_its_field(plant: Plant) -> None:
    plant.agent.will_answer(PUT_WRITE, problem(422, "invalid", "no drive takes cd", "format"))
    write = plant.queue()
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.reason) == ("cancelled", "invalid: no drive takes cd (field format)")


def test_reserved_drive_lets_the_write_wait(plant: Plant) -> None:
    plant.agent.will_answer(PUT_WRITE, problem(409, "drive-reserved", "d1 is drained"))
    write = plant.queue(drive="d1")
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.reason) == ("queued", "drive-reserved: d1 is drained")
    plant.attend()
    assert len(calls(plant, PUT_WRITE)) == 1
    plant.clock.pass_(seconds=30)
    plant.attend()
    write.refresh_from_db()
    assert write.state == "accepted"


def test_missing_image_is_announced_again_but_not_for_ever(plant: Plant) -> None:
    plant.agent.will_answer(PUT_WRITE, *[problem(409, "image-missing")] * 9)
    write = plant.queue()
    for _ in range(9):
        plant.attend()
    write.refresh_from_db()
    assert (write.state, write.problem) == ("cancelled", "image-missing")
    assert len(calls(plant, PUT_WRITE)) == 4


def test_other_journal_stops_the_writer_and_keeps_the_write_that_was_never_taken(plant: Plant) -> None:
    begun = plant.accepted(2)
    plant.agent.set_disc(serials(begun)[0], wire.DiscState.STARTED)
    plant.report()
    plant.agent.lose_journal()
    plant.agent.images[SHA256] = _fact(SHA256)
    fresh = plant.queue()
    plant.attend()
    begun.refresh_from_db()
    fresh.refresh_from_db()
    assert (begun.state, states(begun)) == ("done", ["unknown", "unknown"])
    assert (fresh.state, states(fresh)) == ("queued", ["planned"])
    assert (plant.writer.state, plant.keywords()) == ("stopped", ["journal-lost"])

    sent = len(calls(plant, PUT_WRITE))
    plant.attend()
    assert len(calls(plant, PUT_WRITE)) == sent


def test_cancelling_a_queued_write_asks_nobody(plant: Plant) -> None:
    write = plant.queue(2)
    assert cancel_write(write, "user:1 Anna", plant.clock.now) is True
    assert cancel_write(write, "user:1 Anna", plant.clock.now) is False
    assert (write.state, states(write)) == ("cancelled", ["cancelled", "cancelled"])
    plant.attend()
    assert plant.agent.calls == []


def test_cancelling_at_the_agent_keeps_the_started_disc(plant: Plant) -> None:
    write = plant.accepted(3)
    first = serials(write)[0]
    plant.agent.set_disc(first, wire.DiscState.STARTED)
    plant.report()
    cancel_write(write, "user:1 Anna", plant.clock.now)
    plant.attend()
    plant.attend()
    assert calls(plant, "DELETE") == [f"DELETE /v1/writes/{write.uuid}"]
    plant.report()
    write.refresh_from_db()
    assert (write.state, states(write)) == ("writing", ["started", "cancelled", "cancelled"])
    plant.agent.set_disc(first, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    assert plant.report().recorded == (write.uuid,)
    write.refresh_from_db()
    assert (write.state, states(write)) == ("cancelled", ["good", "cancelled", "cancelled"])


@pytest.mark.parametrize("arrived", [True, False])
def test_cancelling_a_write_whose_reply_was_lost(plant: Plant, arrived: bool) -> None:
    write = plant.queue(2)
    plant.agent.will_answer(PUT_WRITE, Answer(502))
    plant.attend()
    if arrived:
        write.refresh_from_db()
        order = wire.WriteOrder.model_validate(
            {"image": SHA256, "format": "cd", "discs": [{"serial": serial} for serial in serials(write)]}
        )
        plant.agent.take_call("PUT", f"/v1/writes/{write.uuid}", _headers(plant), order.model_dump_json().encode())
    cancel_write(write, "user:1 Anna", plant.clock.pass_(seconds=10))
    plant.attend()
    plant.report()
    write.refresh_from_db()
    assert (write.state, states(write)) == ("cancelled", ["cancelled", "cancelled"])
    assert write.problem == ""


def test_draining_writer_gets_nothing_new_and_finishes_what_it_has(plant: Plant) -> None:
    has = plant.accepted()
    waits = plant.queue()
    assert lifecycle.drain(plant.writer, who="user:1 Anna", why="cleaning", now=plant.clock.now)
    plant.attend()
    waits.refresh_from_db()
    assert waits.state == "queued"
    plant.agent.make_all()
    plant.report()
    has.refresh_from_db()
    assert has.state == "done"
    assert lifecycle.resume(plant.writer, who="user:1 Anna", why="clean", now=plant.clock.now)
    plant.attend()
    waits.refresh_from_db()
    assert waits.state == "accepted"


def test_draining_asks_what_became_of_a_call_without_an_answer(plant: Plant) -> None:
    write = plant.queue()
    plant.agent.will_answer(PUT_WRITE, Answer(502))
    plant.attend()
    lifecycle.drain(plant.writer, who="user:1 Anna", why="cleaning", now=plant.clock.now)
    plant.clock.pass_(seconds=10)
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.reason) == ("queued", "Writer 1 takes no new work now.")
    assert len(calls(plant, PUT_WRITE)) == 1


def test_write_that_the_agent_forgot_is_a_lost_journal(plant: Plant) -> None:
    write = plant.accepted(2)
    state = plant.agent.state()
    plant.agent.writes.clear()
    plant.clock.pass_(seconds=11)
    plant.report(state.model_copy(update={"writes": (), "sequence": state.sequence + 1}))
    plant.attend()
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["unknown", "unknown"])
    assert plant.keywords() == ["journal-lost"]


def test_write_that_a_report_left_out_is_asked_for_and_found(plant: Plant) -> None:
    write = plant.accepted()
    state = plant.agent.state()
    plant.clock.pass_(seconds=11)
    plant.report(state.model_copy(update={"writes": (), "sequence": state.sequence + 1}))
    assert visits.due(plant.clock.now) == [plant.new.writer.pk]
    plant.attend()
    write.refresh_from_db()
    assert (write.state, write.missing_since) == ("accepted", None)
    assert plant.keywords() == []
    assert visits.due(plant.clock.now) == []


def test_nothing_is_lost_or_doubled_by_two_visits_at_every_step(plant: Plant) -> None:
    writes = [plant.queue(2) for _ in range(3)]
    for _ in range(2):
        plant.attend()
    plant.agent.make_all()
    for _ in range(2):
        plant.report()
    assert set(Write.objects.values_list("state", flat=True)) == {"done"}
    assert Disc.objects.filter(state="good").count() == 6
    assert len(calls(plant, PUT_WRITE)) == len(writes)


def _image(sha256: str) -> ImageRef:
    return ImageRef(sha256, 4096, "iso")


def _fact(sha256: str) -> wire.ImageFact:
    return wire.ImageFact(sha256=sha256, layout=wire.Layout.ISO, size=2048 * 100, state=wire.ImageState.READY)


def _headers(plant: Plant) -> dict[str, str]:
    return {"Authorization": f"Bearer {command_token(plant.new.writer.uuid)}"}
