"""Whether a writer belongs to the plant: switched off and on, revoked, enrolled anew."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices import drives, enrolment, lifecycle, reading, tokens, wishes
from devices.agent import wire
from devices.intake import ImageRef
from devices.models import DriveOrder, ImageRequest, Read, Writer
from tests.devices.conftest import SHA256, Plant, command_token, serials, states

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

WHO = "user:1 Anna"


@pytest.fixture
def plant(plant: Plant) -> Plant:
    """By the real clock, which the door keeps."""
    plant.clock.now = timezone.now()
    plant.report()
    return plant


def post(plant: Plant, token: str) -> Any:
    return Client().post(
        reverse("devices:report", args=[plant.new.writer.uuid]),
        plant.agent.state().model_dump_json(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def revoke(plant: Plant) -> bool:
    return lifecycle.revoke(plant.writer, who=WHO, why="stolen", now=plant.clock.now)


def enrol_again(plant: Plant) -> enrolment.Enrolled:
    """The agent types the code, and keeps what it gets."""
    code = enrolment.new_code(who=WHO, now=plant.clock.now, for_writer=plant.writer)
    order = wire.EnrolOrder(code=code, name="whatever", address=plant.agent.address, kind="fake")
    enrolled = enrolment.enrol(order, plant.clock.now)
    plant.agent.accepts = {enrolled.command_token_sha256}
    return enrolled


def test_a_revoked_writer_is_neither_heard_nor_called(plant: Plant) -> None:
    plant.queue()
    assert revoke(plant)
    assert not revoke(plant)
    writer = plant.writer
    assert (writer.enabled, writer.revoked, writer.state, writer.reasons) == (False, True, "offline", [])
    assert (writer.disabled_who, writer.disabled_why) == (WHO, "stolen")
    assert post(plant, plant.new.report_token).status_code == 401
    plant.attend()
    assert plant.agent.calls == []
    assert [event.actor for event in plant.events("revoked")] == [WHO]


def test_switched_on_alone_it_does_not_come_back(plant: Plant) -> None:
    revoke(plant)
    assert not lifecycle.enable(plant.writer, who=WHO, now=plant.clock.now)
    assert not plant.writer.enabled


def test_one_that_was_only_switched_off_comes_back_with_the_tokens_it_has(plant: Plant) -> None:
    assert lifecycle.disable(plant.writer, who=WHO, why="moved", now=plant.clock.now)
    assert not lifecycle.disable(plant.writer, who=WHO, why="moved", now=plant.clock.now)
    assert post(plant, plant.new.report_token).status_code == 401
    assert lifecycle.enable(plant.writer, who=WHO, now=plant.clock.now)
    assert (plant.writer.state, plant.keywords(), plant.writer.disabled_why) == ("offline", ["timed-out"], "")
    assert post(plant, plant.new.report_token).status_code == 200
    assert (plant.writer.state, plant.keywords()) == ("idle", [])


def test_who_waits_for_something_of_it_is_told_that_it_is_off(plant: Plant) -> None:
    source = plant.agent.drives[0].model_copy(update={"id": "s1", "role": wire.Role.SOURCE})
    plant.agent.drives.append(source)
    plant.agent.sequence += 1
    plant.report()
    now, writer = plant.clock.now, plant.writer
    reading.queue_read(uuid=uuid4(), writer=writer, drive="s1", actor=WHO, now=now)
    wishes.have_image(writer, ImageRef(SHA256, 4096, "iso"), title="A film", actor=WHO, now=now)
    drives.order_drive(writer, "d1", wire.DriveVerb.DRAIN, actor=WHO, now=now)
    revoke(plant)
    ended: list[Read | ImageRequest | DriveOrder] = [
        Read.objects.get(),
        ImageRequest.objects.get(),
        DriveOrder.objects.get(),
    ]
    assert [row.state for row in ended] == ["cancelled", "dropped", "dropped"]
    assert {row.reason for row in ended} == {"Writer 1 was switched off."}


def test_enrolled_anew_it_is_the_same_writer_with_new_tokens_and_tells_how_its_discs_ended(plant: Plant) -> None:
    write = plant.accepted(2)
    first, _ = serials(write)
    plant.agent.set_disc(first, wire.DiscState.STARTED)
    plant.report()
    revoke(plant)
    write.refresh_from_db()
    assert (write.state, states(write)) == ("writing", ["started", "planned"])
    enrolled = enrol_again(plant)
    assert enrolled.writer.pk == plant.new.writer.pk
    assert (plant.writer.name, plant.writer.enabled, plant.keywords()) == ("Writer 1", True, ["timed-out"])
    assert post(plant, plant.new.report_token).status_code == 401
    assert tokens.fingerprint(command_token(plant.new.writer.uuid)) != enrolled.command_token_sha256
    plant.agent.make_all()
    assert post(plant, enrolled.report_token).status_code == 200
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["good", "good"])
    fresh = plant.queue()
    plant.attend()
    fresh.refresh_from_db()
    assert (fresh.state, plant.keywords()) == ("accepted", [])


def test_another_machine_under_its_name_is_a_lost_journal_while_the_former_one_has_discs(plant: Plant) -> None:
    """What the former machine was sent, it may have written: nothing of it is sent again."""
    write = plant.accepted(2)
    revoke(plant)
    plant.agent.lose_journal()
    enrolled = enrol_again(plant)
    answer = post(plant, enrolled.report_token)
    assert (answer.status_code, answer.json()["type"]) == (409, "journal-lost")
    assert states(write) == ["unknown", "unknown"]


def test_another_machine_under_its_name_is_welcome_where_nothing_was_under_way(plant: Plant) -> None:
    revoke(plant)
    plant.agent.lose_journal()
    enrolled = enrol_again(plant)
    assert post(plant, enrolled.report_token).status_code == 200
    assert (plant.writer.state, plant.keywords()) == ("idle", [])


def test_one_that_will_not_come_back_leaves_its_discs_unknown(plant: Plant) -> None:
    write = plant.accepted(2)
    call_command("writer", "revoke", "Writer 1", "--lost", "--why", "burnt down")
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["unknown", "unknown"])
    writer = Writer.objects.get()
    assert (writer.state, writer.enabled, plant.keywords()) == ("offline", False, ["journal-lost"])
