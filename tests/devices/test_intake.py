from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from devices import lifecycle, serials, tokens
from devices.intake import ImageRef, NotAccepted, add_writer, changed_writes, mark_read
from devices.models import DeviceEvent, Disc, Drive, Write, Writer
from devices.models.events import AppendOnly
from devices.states import DISC_MOVES, WRITE_MOVES, DiscState, WriteState
from tests.devices.conftest import SHA256, Clock, Plant, states

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_queued_write_has_its_discs_with_new_serials(plant: Plant) -> None:
    write = plant.queue(3)
    discs = list(write.discs.all())
    assert (write.state, len(discs), {disc.state for disc in discs}) == ("queued", 3, {"planned"})
    assert all(serials.is_serial(disc.serial) for disc in discs)
    assert len({disc.serial for disc in discs}) == 3


def test_same_uuid_gives_the_same_write(plant: Plant) -> None:
    uuid = uuid4()
    first, second = plant.queue(2, uuid=uuid), plant.queue(2, uuid=uuid)
    assert first.pk == second.pk
    assert Disc.objects.count() == 2
    with pytest.raises(NotAccepted) as refused:
        plant.queue(3, uuid=uuid)
    assert refused.value.field == "uuid"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("copies", {"copies": 0}),
        ("copies", {"copies": 10**9}),
        ("image", {"image": ImageRef("AB" * 32, 1, "iso")}),
        ("image", {"image": ImageRef(SHA256, 0, "iso")}),
        ("image", {"image": ImageRef(SHA256, 2**63, "iso")}),
        ("image", {"image": ImageRef(SHA256, 1, "face")}),
        ("format", {"format": "floppy"}),
        ("format", {"format": "bd"}),
        ("drive", {"drive": "d9"}),
    ],
)
def test_what_can_not_be_written_is_refused_by_field(plant: Plant, field: str, values: dict[str, Any]) -> None:
    with pytest.raises(NotAccepted) as refused:
        plant.queue(**values)
    assert refused.value.field == field
    assert not Write.objects.exists()


def test_switched_off_writer_takes_nothing(plant: Plant) -> None:
    Writer.objects.update(enabled=False)
    with pytest.raises(NotAccepted) as refused:
        plant.queue()
    assert refused.value.field == "writer"


def test_source_drive_does_not_write(plant: Plant) -> None:
    Drive.objects.filter(ident="d1").update(role="source")
    with pytest.raises(NotAccepted):
        plant.queue(drive="d1")
    assert plant.queue(drive="d2").drive == "d2"


def test_changed_writes_are_read_once_each_oldest_change_first(plant: Plant) -> None:
    first, second = plant.queue(), plant.queue()
    lifecycle.request_cancel(first, now=plant.clock.pass_(seconds=1), actor="tick")
    changed = changed_writes(10)
    assert [write.pk for write in changed] == [second.pk, first.pk]
    assert changed_writes(1) == changed[:1]
    assert mark_read(changed) == 2
    assert mark_read(changed) == 0
    assert changed_writes(10) == []


def test_change_after_the_reading_is_read_again(plant: Plant) -> None:
    write = plant.queue()
    (read,) = changed_writes(10)
    lifecycle.request_cancel(write, now=plant.clock.now, actor="tick")
    assert mark_read([read]) == 1
    assert [each.pk for each in changed_writes(10)] == [write.pk]


def test_revision_never_read_can_not_be_marked(plant: Plant) -> None:
    write = plant.queue()
    write.revision += 1
    assert mark_read([write]) == 0


def test_writer_is_added_with_a_token_that_is_not_kept(db: None, clock: Clock) -> None:
    new = add_writer(name=" Writer 1 ", address="http://127.0.0.1:9101", now=clock.now)
    writer = Writer.objects.get()
    assert (writer.name, writer.state, writer.enabled) == ("Writer 1", "offline", True)
    assert writer.report_token_sha256 == tokens.fingerprint(new.report_token)
    assert new.report_token not in str(Writer.objects.values().get())


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "x" * 81}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "Taken"}),
        ("kind", {"kind": ""}),
        ("address", {"address": "127.0.0.1:9101"}),
        ("address", {"address": "http://8.8.8.8:9101"}),
    ],
)
def test_bad_writer_is_refused_by_field_and_nothing_is_made(
    db: None, clock: Clock, field: str, values: dict[str, str]
) -> None:
    good: dict[str, Any] = {"name": "Writer 1", "address": "http://127.0.0.1:9101", "now": clock.now}
    add_writer(**(good | {"name": "Taken"}))
    with pytest.raises(NotAccepted) as refused:
        add_writer(**(good | values))
    assert refused.value.field == field
    assert Writer.objects.count() == 1


def test_lost_race_moves_nothing_and_leaves_no_event(plant: Plant) -> None:
    write = plant.queue()
    stale = Write.objects.get(pk=write.pk)
    assert lifecycle.move_write(write, WriteState.SENT, now=plant.clock.now, actor="tick") is True
    events = DeviceEvent.objects.count()
    assert lifecycle.move_write(stale, WriteState.SENT, now=plant.clock.now, actor="tick") is False
    assert DeviceEvent.objects.count() == events


def test_cancellation_wins_over_a_call_that_was_not_made(plant: Plant) -> None:
    write = plant.queue()
    stale = Write.objects.get(pk=write.pk)
    lifecycle.request_cancel(write, now=plant.clock.now, actor="tick")
    assert lifecycle.move_write(stale, WriteState.SENT, now=plant.clock.now, actor="tick") is False
    assert states(write) == ["cancelled"]


def test_moves_that_the_tables_do_not_have_are_mistakes(plant: Plant) -> None:
    write = plant.queue()
    with pytest.raises(lifecycle.MoveForbidden):
        lifecycle.move_write(write, WriteState.WRITING, now=plant.clock.now, actor="tick")
    disc = write.discs.get()
    lifecycle.move_disc(disc, DiscState.GOOD, now=plant.clock.now, actor="tick")
    with pytest.raises(lifecycle.MoveForbidden):
        lifecycle.move_disc(disc, DiscState.STARTED, now=plant.clock.now, actor="tick")


def test_tables_know_every_state() -> None:
    assert set(WRITE_MOVES) == set(WriteState)
    assert set(DISC_MOVES) == set(DiscState)


@pytest.mark.parametrize("model", [Write, Disc, Writer, Drive])
def test_database_refuses_states_that_do_not_exist(plant: Plant, model: type[Write | Disc | Writer | Drive]) -> None:
    plant.queue()
    with pytest.raises(IntegrityError), transaction.atomic():
        model._default_manager.update(state="exploded")


def test_events_are_never_changed(plant: Plant) -> None:
    event = plant.events("first-report")[0]
    event.text = "something else"
    with pytest.raises(AppendOnly):
        event.save()
    with pytest.raises(AppendOnly):
        event.delete()


def test_drain_says_who_why_and_since_once(plant: Plant) -> None:
    assert lifecycle.drain(plant.writer, who="user:1 Anna", why="cleaning", now=plant.clock.now) is True
    assert lifecycle.drain(plant.writer, who="user:2 Ben", why="again", now=plant.clock.now) is False
    writer = plant.writer
    assert (writer.draining_who, writer.draining_why) == ("user:1 Anna", "cleaning")
    assert writer.draining_since == plant.clock.now
    assert writer.takes_work is False
    assert lifecycle.resume(writer, who="user:1 Anna", why="", now=plant.clock.now) is True
    assert (plant.writer.draining, plant.writer.draining_since, plant.writer.takes_work) == (False, None, True)


def test_writers_do_not_share_drive_names(plant: Plant, new_plant: Callable[[str], Plant]) -> None:
    other = new_plant("Writer 2")
    assert Drive.objects.filter(ident="d1").count() == 2
    with pytest.raises(NotAccepted):
        other.queue(drive="nope")
