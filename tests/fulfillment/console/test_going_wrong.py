"""Copies that are taken back, killed between, doubled or overtaken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from devices.agent import wire
from devices.models import Disc, Drive, ImageRequest, Write, Writer
from devices.states import RequestState
from fulfillment import tick
from fulfillment.console import intake, steps
from fulfillment.console.verdict import Verdict, judge
from fulfillment.models import Copy
from tests.fulfillment.console.conftest import ANNA, arrive, begin, begun, fresh, from_drive, holds, make, wanted
from tests.scene import NOW, Plant

pytestmark = pytest.mark.postgres
S = Copy.State


def test_a_copy_is_cancelled_in_each_state(plant: Plant, other: Plant) -> None:
    def cancelled(copy: Copy) -> str:
        assert intake.cancel(copy, actor=ANNA, now=plant.now)
        assert not intake.cancel(copy, actor=ANNA, now=plant.now), "asked twice"
        assert holds(fresh(copy)) == set() or fresh(copy).is_open
        return fresh(copy).state

    assert cancelled(begin(wanted(plant), plant.now)) == S.CANCELLED

    sending = begin(wanted(plant), plant.now)
    tick.run(plant.now)
    assert cancelled(fresh(sending)) == S.CANCELLED
    assert not ImageRequest.objects.filter(state=RequestState.OPEN).exists()

    reading = begin(from_drive(plant, other), plant.now)
    tick.run(plant.now)
    assert cancelled(fresh(reading)) == S.CANCELLED

    writing = begun(wanted(plant, copies=2), plant)
    first, second = Disc.objects.filter(write__copy_part__copy=writing).order_by("id")
    plant.agent.set_disc(first.serial, wire.DiscState.STARTED)
    plant.report()
    tick.run(plant.now)
    assert cancelled(fresh(writing)) == S.WRITING, "a disc that was begun is finished"
    plant.turn()
    plant.agent.set_disc(first.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.turn()
    writing = fresh(writing)
    assert (writing.state, writing.reason) == (S.CANCELLED, "Cancelled. 1 of 2 discs is good.")
    assert holds(writing) == set()
    assert Disc.objects.get(pk=second.pk).state == "cancelled"


def test_a_request_that_another_copy_wants_too_is_not_withdrawn(plant: Plant) -> None:
    first, second = begin(wanted(plant, "d1"), plant.now), begin(wanted(plant, "d2"), plant.now)
    tick.run(plant.now)
    assert intake.cancel(fresh(first), actor=ANNA, now=plant.now)
    assert ImageRequest.objects.get().state == RequestState.OPEN
    arrive(second, plant)
    plant.turn()
    assert fresh(second).state == S.WRITING


def test_a_cancelled_copy_whose_writer_never_answers_can_be_given_up(plant: Plant) -> None:
    copy = begun(wanted(plant), plant)
    assert not intake.give_up(copy, actor=ANNA, now=plant.now)
    intake.cancel(copy, actor=ANNA, now=plant.now)
    assert not intake.give_up(fresh(copy), actor=ANNA, now=plant.now), "its writer answers"
    Writer.objects.update(state="offline")
    assert intake.give_up(fresh(copy), actor=ANNA, now=plant.now)
    copy = fresh(copy)
    assert (copy.state, holds(copy)) == (S.UNKNOWN, set())


def test_a_tick_that_died_before_it_marked_the_write_is_made_up_for(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = begun(wanted(plant), plant)
    plant.agent.make_all()
    plant.report()
    with monkeypatch.context() as killed:
        killed.setattr("fulfillment.progress.mark_read", _die)
        with pytest.raises(KeyboardInterrupt):
            tick.run(plant.now)
    assert fresh(copy).state == S.DONE
    tick.run(plant.now)
    assert Write.objects.get().revision_read == Write.objects.get().revision


def _die(*unused: object) -> None:
    raise KeyboardInterrupt


def test_a_hold_that_outlived_its_copy_is_released_by_the_tick_and_others_are_left(plant: Plant) -> None:
    copy = begun(wanted(plant, "d1"), plant)
    make(plant)
    Drive.objects.filter(ident="d1").update(held_for=str(copy.pk), held_by="x", held_since=NOW)
    Drive.objects.filter(ident="d2").update(held_for="a service", held_by="x", held_since=NOW)
    tick.run(plant.now)
    assert dict(Drive.objects.values_list("ident", "held_for")) == {"d1": "", "d2": "a service"}


def test_what_was_read_while_somebody_else_moved_the_copy_comes_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = begun(wanted(plant), plant)
    plant.agent.make_all()
    plant.report()

    def overtaken(*args: Any, **kwargs: Any) -> Verdict:
        Copy.objects.filter(pk=copy.pk).update(revision=99)
        return judge(*args, **kwargs)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(steps, "judge", overtaken)
        tick.run(plant.now)
    assert fresh(copy).state == S.WRITING
    tick.run(plant.now)
    assert fresh(copy).state == S.DONE


def test_every_uuid_of_its_writes_follows_from_its_own(plant: Plant) -> None:
    key = UUID("6f2c2f0e-7b0e-4a59-9e0d-3d6a4d6f1c11")
    begun(replace(wanted(plant, "d1", "d2", copies=2), key=key), plant)
    uuids = set(Write.objects.values_list("uuid", flat=True))
    assert uuids == {uuid5(key, "d1"), uuid5(key, "d2")}
