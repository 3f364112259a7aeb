"""A plant with copies to be started in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from devices.agent import wire
from devices.intake import ImageRef
from devices.lifecycle import move_read
from devices.models import Drive, ImageRequest, Read
from devices.states import ReadState, RequestState
from fulfillment import tick
from fulfillment.console.intake import Wanted, start
from fulfillment.models import Copy
from tests.scene import Plant, make_image, running_plant

ANNA = "user:70 anna"
EMAIL = "anna@example.com"


@pytest.fixture
def plant(db: None) -> Iterator[Plant]:
    """Its agent takes its time over images: a test says when one is there."""
    with running_plant() as running:
        running.agent.new_images = wire.ImageState.RECEIVING
        yield running


@pytest.fixture
def other(db: None) -> Iterator[Plant]:
    """A second writer, with a source drive."""
    with running_plant("Writer 2", drives=1) as running:
        add_source(running)
        yield running


def add_source(plant: Plant, ident: str = "s1") -> None:
    source = plant.agent.drives[0].model_copy(update={"id": ident, "role": wire.Role.SOURCE})
    plant.agent.drives.append(source)
    plant.agent.sequence += 1
    plant.report()


def wanted(plant: Plant, *drives: str, copies: int = 1, **more: Any) -> Wanted:
    image = make_image()
    return replace(
        Wanted(
            key=uuid4(),
            writer=plant.writer,
            what="title:1",
            drives=drives or ("d1",),
            format="cd",
            copies=copies,
            title="Nine songs",
            origin=Copy.Origin.TITLE,
            image=ImageRef(str(image.sha256), int(image.size or 0), image.layout),
        ),
        **more,
    )


def from_drive(plant: Plant, source: Plant, **more: Any) -> Wanted:
    return wanted(plant, image=None, origin=Copy.Origin.DRIVE, what="drive:s1", source=(source.writer, "s1"), **more)


def begin(asked: Wanted, now: dt.datetime) -> Copy:
    return start(asked, actor=ANNA, email=EMAIL, now=now)


def begun(asked: Wanted, plant: Plant) -> Copy:
    """Started, and its image on the writer's disk: its writes are there."""
    copy = begin(asked, plant.now)
    plant.turn()
    arrive(copy, plant)
    plant.turn()
    copy.refresh_from_db()
    assert copy.state == Copy.State.WRITING, copy.reason
    return copy


def arrive(copy: Copy, plant: Plant) -> None:
    """All of its image is on the writer's disk."""
    for request in ImageRequest.objects.filter(writer=copy.writer, state=RequestState.OPEN):
        plant.agent.set_image(request.sha256, wire.ImageState.READY, size=request.size)
    plant.report()


def read_to_end(copy: Copy, plant: Plant, *, sha256: str = "cd" * 32, size: int = 30 * 2048) -> None:
    """The source drive has copied its disc."""
    read = Read.objects.get(copies=copy)
    if read.state == ReadState.QUEUED:
        assert move_read(read, ReadState.SENT, now=plant.now, actor="agent")
    values: dict[str, Any] = {"sha256": sha256, "size": size, "layout": "iso"}
    assert move_read(read, ReadState.DONE, now=plant.now, actor="agent", **values)
    tick.run(plant.now)


def holds(copy: Copy) -> set[str]:
    return set(Drive.objects.filter(held_for=str(copy.pk)).values_list("ident", flat=True))


def fresh(copy: Copy) -> Copy:
    return Copy.objects.get(pk=copy.pk)


def make(plant: Plant) -> None:
    plant.agent.make_all()
    plant.report()
    tick.run(plant.now)
