"""Room on a disk for a disc that is read in by hand; and what a copy is to be made of is not dropped for anybody."""

from __future__ import annotations

import datetime as dt

import pytest

from archive.models import Image
from devices.models import CachedImage, ImageRequest, Read, Writer
from fulfillment import rolling, tick
from fulfillment.console.intake import cancel
from fulfillment.models import Copy
from tests.fulfillment.console.conftest import ANNA, begin, fresh, from_drive, read_to_end
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

GB = 1_000_000_000


def set_disk(writer: Writer, free: int) -> None:
    Writer.objects.filter(pk=writer.pk).update(disk_capacity=10 * GB, disk_free=free, last_seen=NOW)


def store(writer: Writer, image: Image) -> None:
    used_at = NOW - dt.timedelta(days=9)
    CachedImage.objects.create(
        writer=writer, sha256=image.sha256 or "", size=image.size or 0, layout="iso", state="ready", used_at=used_at
    )


def drops() -> set[str]:
    return set(ImageRequest.objects.filter(wish="drop").values_list("sha256", flat=True))


def test_room_is_made_before_a_disc_is_read_in(plant: Plant, other: Plant) -> None:
    old = make_image("old", 9 * GB)
    store(other.writer, old)
    set_disk(other.writer, GB)
    copy = begin(from_drive(plant, other), NOW)
    tick.run(NOW)
    assert (fresh(copy).state, fresh(copy).reason) == ("asked", "Room is being made on the disk of Writer 2.")
    assert drops() == {old.sha256}
    set_disk(other.writer, 10 * GB)
    tick.run(NOW + dt.timedelta(seconds=5))
    assert (fresh(copy).state, Read.objects.count()) == ("reading", 1)


def test_after_a_while_a_disc_is_read_with_what_room_there_is(plant: Plant, other: Plant) -> None:
    set_disk(other.writer, GB)
    copy = begin(from_drive(plant, other), NOW)
    tick.run(NOW)
    assert fresh(copy).state == "asked"
    tick.run(NOW + dt.timedelta(seconds=30))
    assert fresh(copy).state == "reading"


def test_for_a_disc_of_unknown_size_nothing_is_dropped_that_lies_nowhere_else(plant: Plant, other: Plant) -> None:
    only = Image(sha256="ee" * 32, size=9 * GB)  # read in there, and not in the archive
    store(other.writer, only)
    set_disk(other.writer, GB)
    begin(from_drive(plant, other), NOW)
    tick.run(NOW)
    assert drops() == set()


def test_what_was_read_in_stays_until_it_is_brought(plant: Plant, other: Plant) -> None:
    copy = begin(from_drive(plant, other), NOW)
    tick.run(NOW)
    read = Image(sha256="cd" * 32, size=5 * GB)
    store(other.writer, read)
    set_disk(other.writer, GB)
    read_to_end(copy, plant, sha256=read.sha256 or "", size=30 * 2048)
    assert fresh(copy).state == Copy.State.BRINGING
    plant.writer.drives.update(state="stopped")  # so that the other writer is to make it
    ask_for(1, make_image("large", 5 * GB), format="dvd-dl")
    other.writer.drives.filter(role="copier").update(formats=["dvd-dl"])
    tick.run(NOW)
    assert drops() == set()
    assert cancel(fresh(copy), actor=ANNA, now=NOW)
    for seconds in (2, 4):
        tick.run(NOW + dt.timedelta(seconds=seconds))
        rolling.keep_disks(NOW + dt.timedelta(seconds=seconds))
    assert drops() == {read.sha256}
