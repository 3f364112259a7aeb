"""From a click to verified discs, over rows and the protocol."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from archive import storage
from devices.agent import wire
from devices.drives import hold_drive
from devices.intake import NotAccepted
from devices.lifecycle import move_read
from devices.models import Disc, Drive, ImageRequest, Read, Write
from devices.states import ReadState, RequestState
from devices.testing import problem
from devices.wishes import drop_image
from fulfillment import allocation, tick
from fulfillment.console import intake, steps
from fulfillment.models import Copy, CopyEvent, ImageFetch
from tests.at_once import at_once
from tests.fulfillment.console.conftest import (
    ANNA,
    EMAIL,
    arrive,
    begin,
    begun,
    fresh,
    from_drive,
    holds,
    make,
    read_to_end,
    wanted,
)
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = pytest.mark.postgres
S = Copy.State


def test_a_copy_goes_from_the_archive_to_verified_discs_on_the_drives_it_holds(plant: Plant) -> None:
    copy = begin(wanted(plant, "d1", "d2", copies=3), plant.now)
    assert (copy.state, holds(copy)) == (S.ASKED, {"d1", "d2"})
    plant.turn()
    copy = fresh(copy)
    assert (copy.state, copy.request and copy.request.wish) == (S.SENDING, "have")
    assert not Write.objects.exists()
    arrive(copy, plant)
    plant.turn()
    assert fresh(copy).state == S.WRITING
    assert list(Write.objects.order_by("drive").values_list("drive", "copies")) == [("d1", 2), ("d2", 1)]
    make(plant)
    copy = fresh(copy)
    assert (copy.state, copy.reason) == (S.DONE, "3 discs, each read back and good.")
    assert copy.ended_at == plant.now
    assert holds(copy) == set()
    moves = CopyEvent.objects.filter(copy=copy).values_list("old", "new")
    assert list(moves) == [("", "asked"), ("asked", "sending"), ("sending", "writing"), ("writing", "done")]


def test_its_discs_are_nobodys_stock_and_no_jobs(plant: Plant) -> None:
    begun(wanted(plant, copies=2), plant)
    make(plant)
    assert not allocation.stock().exists()
    job = ask_for(1)
    tick.run(plant.now)
    job.refresh_from_db()
    assert job.state == "writing"


def test_two_clicks_are_one_copy_and_one_write(plant: Plant) -> None:
    asked = wanted(plant, "d1")
    first, second = begin(asked, plant.now), begin(asked, plant.now)
    assert first.pk == second.pk
    plant.turn()
    assert begin(asked, plant.now).state == S.SENDING
    arrive(first, plant)
    plant.turn()
    assert Write.objects.count() == Copy.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_are_one_copy(plant: Plant) -> None:
    asked = wanted(plant, "d1")
    copies = at_once(lambda: begin(asked, plant.now), lambda: begin(asked, plant.now))
    assert {copy.pk for copy in copies} == {asked.key}
    assert CopyEvent.objects.count() == 1


def test_a_second_click_that_looked_too_early_finds_its_own_source_drive_free_to_it(
    plant: Plant, other: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = from_drive(plant, other)
    copy = begin(asked, plant.now)
    looks = iter([None])
    started = intake._started
    monkeypatch.setattr(intake, "_started", lambda wanted: next(looks, started(wanted)))
    assert begin(asked, plant.now) == copy


def test_a_form_that_is_used_for_another_copy_is_refused(plant: Plant) -> None:
    asked = wanted(plant, "d1")
    begin(asked, plant.now)
    for other in (
        replace(asked, copies=2),
        replace(asked, drives=("d2",)),
        replace(asked, what="title:2"),
    ):
        with pytest.raises(NotAccepted, match="has started another copy"):
            begin(other, plant.now)


def test_a_drive_that_somebody_holds_is_not_taken_and_nothing_is_left_of_the_try(plant: Plant) -> None:
    hold_drive(Drive.objects.get(ident="d2"), "another", who="user:2 bert", now=NOW)
    with pytest.raises(NotAccepted, match=r"^Drive 2: Held for a copy by bert\.$") as refused:
        begin(wanted(plant, "d1", "d2", copies=2), plant.now)
    assert refused.value.field == "drive"
    assert not Copy.objects.exists()
    assert set(Drive.objects.exclude(held_for="").values_list("ident", flat=True)) == {"d2"}


def test_what_does_not_fit_is_refused_at_the_door(plant: Plant) -> None:
    big = make_image("big", 5_000_000_000)
    ref = replace(wanted(plant).image, sha256=str(big.sha256), size=5_000_000_000)  # type: ignore[type-var]
    for asked, field in (
        (wanted(plant, image=ref), "from"),
        (wanted(plant, format="bd"), "format"),
        (wanted(plant, copies=0), "copies"),
        (wanted(plant, "d1", "d2"), "copies"),
        (wanted(plant, "d9"), "drive"),
    ):
        with pytest.raises(NotAccepted) as refused:
            begin(asked, plant.now)
        assert refused.value.field == field, refused.value.text
    assert not Copy.objects.exists()


def test_a_bad_disc_fails_the_copy_and_nothing_is_tried_again(plant: Plant) -> None:
    copy = begun(wanted(plant, copies=2), plant)
    good, bad = Disc.objects.order_by("id")
    plant.agent.set_disc(good.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.agent.set_disc(bad.serial, wire.DiscState.BAD, reason="read back differently", blame=wire.Blame.MEDIUM)
    plant.report()
    tick.run(plant.now)
    copy = fresh(copy)
    assert copy.state == S.FAILED
    assert copy.reason.startswith("1 of 2 discs is good. Bad: ")
    assert "read back differently" in copy.reason
    plant.turn()
    assert Disc.objects.count() == 2
    assert holds(copy) == set()


def test_a_disc_that_nobody_knows_of_says_check_the_disc(plant: Plant) -> None:
    copy = begun(wanted(plant), plant)
    plant.agent.set_disc(Disc.objects.get().serial, wire.DiscState.UNKNOWN, reason="the agent was killed")
    plant.report()
    tick.run(plant.now)
    copy = fresh(copy)
    assert copy.state == S.UNKNOWN
    assert copy.reason.startswith("Nobody knows how far this disc got")


def test_what_its_agent_refuses_fails_with_what_it_said(plant: Plant) -> None:
    copy = begin(wanted(plant), plant.now)
    plant.turn()
    arrive(copy, plant)
    plant.agent.will_answer("PUT /v1/writes/", problem(409, "serial-used", "It was written before."))
    plant.turn()
    copy = fresh(copy)
    assert copy.state == S.FAILED
    assert "It was written before." in copy.reason


def test_an_image_that_its_agent_can_not_fetch_fails_the_copy_with_the_reason(plant: Plant) -> None:
    plant.agent.new_images = wire.ImageState.FAILED
    copy = begin(wanted(plant), plant.now)
    for _ in range(6):
        plant.turn(minutes=2)
    copy = fresh(copy)
    assert copy.state == S.FAILED
    assert plant.agent.why_failed in copy.reason


def test_an_image_that_can_not_be_sent_fails_the_copy_with_the_reason(plant: Plant) -> None:
    copy = begin(wanted(plant), plant.now)
    tick.run(plant.now)
    ImageRequest.objects.update(state=RequestState.FAILED, reason="The disk is full.")
    tick.run(plant.now)
    copy = fresh(copy)
    assert (copy.state, "The disk is full" in copy.reason) == (S.FAILED, True)
    assert holds(copy) == set()


def test_an_image_that_somebody_dropped_meanwhile_fails_the_copy(plant: Plant) -> None:
    asked = wanted(plant)
    copy = begin(asked, plant.now)
    tick.run(plant.now)
    assert asked.image is not None
    drop_image(plant.writer, asked.image, title="", actor="user:2 bert", now=plant.now)
    tick.run(plant.now)
    assert fresh(copy).state == S.FAILED


# --- From a source drive ---------------------------------------------------------------------------


def test_a_disc_is_read_brought_to_the_archive_and_copied_at_another_writer(plant: Plant, other: Plant) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    assert holds(copy) == {"d1", "s1"}
    plant.turn()
    assert (fresh(copy).state, Read.objects.get().drive) == (S.READING, "s1")
    read_to_end(copy, plant)
    copy = fresh(copy)
    assert (copy.state, copy.image_size) == (S.BRINGING, 30 * 2048)
    assert holds(copy) == {"d1"}, "the source is free for the next disc"
    fetch = ImageFetch.objects.get()
    assert (fetch.writer, fetch.sha256, fetch.size) == (other.writer, "cd" * 32, 30 * 2048)
    image = make_image("read", 30 * 2048)
    type(image).objects.filter(pk=image.pk).update(sha256="cd" * 32)
    place = storage.path_by_digest("cd" * 32)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(bytes(30 * 2048))
    tick.run(plant.now)
    assert fresh(copy).state == S.SENDING
    arrive(copy, plant)
    plant.turn()
    make(plant)
    assert fresh(copy).state == S.DONE
    assert Read.objects.get().revision_read == Read.objects.get().revision


def test_a_disc_read_at_the_same_writer_is_not_brought(other: Plant) -> None:
    copy = begin(from_drive(other, other), other.now)
    other.turn()
    read_to_end(copy, other)
    assert fresh(copy).state == S.SENDING
    assert not ImageFetch.objects.exists()


def test_a_disc_that_can_not_be_read_fails_the_copy(plant: Plant, other: Plant) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    read = Read.objects.get()
    move_read(read, ReadState.FAILED, now=plant.now, actor="agent", reason="Scratched.")
    tick.run(plant.now)
    copy = fresh(copy)
    assert copy.state == S.FAILED
    assert copy.reason == "The disc in Source 1 of Writer 2 can't be read: Scratched. Clean it, or try another drive."
    assert holds(copy) == set()


def test_a_disc_too_large_for_the_chosen_blanks_fails_before_any_is_spent(plant: Plant, other: Plant) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    read_to_end(copy, plant, size=4_000_000_000 // 2048 * 2048)
    copy = fresh(copy)
    assert (copy.state, "too much for CD" in copy.reason) == (S.FAILED, True)
    assert not Write.objects.exists()


def test_a_fetch_that_failed_fails_the_copy_and_one_that_nobody_wants_is_dropped(plant: Plant, other: Plant) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    read_to_end(copy, plant)
    ImageFetch.objects.update(state="failed", reason="It came with another digest.")
    tick.run(plant.now)
    copy = fresh(copy)
    assert (copy.state, "another digest" in copy.reason) == (S.FAILED, True)
    again = begin(from_drive(plant, other), plant.now + dt.timedelta(seconds=5))
    plant.turn(seconds=10)
    read_to_end(again, plant)
    assert ImageFetch.objects.filter(state="waiting").count() == 1
    assert intake.cancel(again, actor=ANNA, now=plant.now)
    tick.run(plant.now)
    assert not ImageFetch.objects.filter(state__in=ImageFetch.OPEN).exists()
    assert fresh(again).state == S.CANCELLED


# --- The end is told -------------------------------------------------------------------------------


def test_the_end_stays_unseen_until_somebody_says_seen_once(plant: Plant) -> None:
    copy = begun(wanted(plant), plant)
    assert not intake.acknowledge(fresh(copy), actor=ANNA, now=plant.now)
    make(plant)
    assert intake.acknowledge(fresh(copy), actor=ANNA, now=plant.now)
    assert not intake.acknowledge(fresh(copy), actor="user:2 bert", now=plant.now)
    copy = fresh(copy)
    assert (copy.seen_by, copy.seen_at) == (ANNA, plant.now)


def test_the_floor_above_reads_each_change_once(plant: Plant) -> None:
    copy = begun(wanted(plant), plant)
    (unread,) = intake.changed_copies()
    assert intake.mark_read(unread)
    assert intake.changed_copies() == []
    make(plant)
    assert not intake.mark_read(unread), "it has changed since"
    assert [each.pk for each in intake.changed_copies()] == [copy.pk]
    assert copy.email == EMAIL


def test_discs_go_to_the_drives_as_evenly_as_it_goes() -> None:
    assert steps.shares(["a", "b", "c"], 8) == [("a", 3), ("b", 3), ("c", 2)]
    assert steps.shares(["a", "b"], 1) == [("a", 1)]
