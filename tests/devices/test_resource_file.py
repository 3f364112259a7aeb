"""The resource file: everything of a writer in one tree, never older than it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from devices import blanks, lifecycle, resource_file
from devices.agent import wire
from devices.models import BlankBin, CachedImage, Drive, Writer
from devices.resource_file import DriveFile, WriterFile
from devices.wear import Level
from tests.devices.conftest import SHA256, Plant

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def file_of(plant: Plant) -> WriterFile:
    found = resource_file.of(plant.new.writer.pk, plant.clock.now)
    assert found is not None
    return found


def busy(plant: Plant) -> None:
    """d1 writes and is half done."""
    plant.agent.drives[0] = plant.agent.drives[0].model_copy(
        update={"state": wire.DriveState.BUSY, "progress": 0.5, "serial": "4K7P2M9XQR3T", "reasons": ("paused",)}
    )
    plant.agent.sequence += 1


def drive_of(plant: Plant) -> DriveFile:
    return file_of(plant).drives[0]


def test_everything_of_a_writer_is_in_one_tree(plant: Plant) -> None:
    busy(plant)
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="left", remaining=40)]
    plant.agent.set_image(SHA256, wire.ImageState.READY, size=700)
    plant.report()
    lifecycle.drain(plant.writer, who="user:1 Anna", why="cleaning", now=plant.clock.now)
    file = file_of(plant)
    assert (file.name, file.state, file.fresh, file.takes_work) == ("Writer 1", "busy", True, False)
    assert (bool(file.draining), file.draining.who, file.draining.why) == (True, "user:1 Anna", "cleaning")
    assert not file.maintenance
    first = file.drives[0]
    assert (first.ident, first.role, first.feed, first.formats) == ("d1", "copier", "robot", ("cd", "dvd"))
    assert (first.state, first.progress, first.serial, first.reasons) == ("busy", 0.5, "4K7P2M9XQR3T", ("paused",))
    assert [(bin_.bin, bin_.remaining, bin_.by_machine) for bin_ in file.bins] == [("left", 40, True)]
    assert [(image.sha256, image.size, image.state) for image in file.images] == [(SHA256, 700, "ready")]
    assert (file.disk_capacity, file.disk_free) == (10**12, 10**11)


def test_what_was_last_heard_of_drives_is_unknown_once_nothing_is_heard(plant: Plant) -> None:
    busy(plant)
    plant.report()
    plant.clock.pass_(seconds=31)
    file = file_of(plant)
    assert (file.fresh, file.takes_work) == (False, False)
    drive = file.drives[0]
    assert (drive.state, drive.progress, drive.serial, drive.reasons) == ("unknown", None, "", ())


def test_facts_of_a_halted_writer_are_old_although_it_reports(plant: Plant) -> None:
    busy(plant)
    plant.report()
    lifecycle.halt_second_agent(plant.writer, "Two agents report.", now=plant.clock.now)
    assert (drive_of(plant).state, drive_of(plant).progress) == ("unknown", None)


def test_wear_is_what_was_counted_since_the_last_service(plant: Plant) -> None:
    Drive.objects.filter(ident="d1").update(discs=1200, discs_at_service=200, seconds=7200, warn_discs=1000)
    drive = drive_of(plant)
    assert (drive.discs, drive.hours, drive.since_service.discs) == (1200, 2.0, 1000)
    assert (drive.wear, drive.wear_text) == (Level.WARN, "1000 discs since its last service (warn at 1000 discs)")


def test_discs_that_are_sent_reserve_blanks_of_the_fullest_bins(plant: Plant) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin=name) for name in ("left", "right")]
    plant.report()
    for bin_ in BlankBin.objects.all():
        blanks.load(bin_, 3 if bin_.bin == "left" else 5, by="user:1 Anna", why="", now=plant.clock.now)
    plant.accepted(6)
    file = file_of(plant)
    assert {bin_.bin: bin_.reserved for bin_ in file.bins} == {"left": 1, "right": 5}
    plant.accepted(4)
    file = file_of(plant)
    assert sum(bin_.reserved for bin_ in file.bins) == 10


def test_the_fleet_costs_as_many_queries_as_one_writer(
    plant: Plant, new_plant: Callable[[str], Plant], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(2, 5):
        new_plant(f"Writer {number}")
    with django_assert_num_queries(7):
        files = resource_file.of_all(plant.clock.now)
    assert [file.name for file in files] == [f"Writer {number}" for number in range(1, 5)]


def test_of_a_fleets_disks_the_sums_are_read_and_not_each_image(
    plant: Plant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CachedImage.objects.bulk_create(
        CachedImage(writer=plant.writer, sha256=f"{number:064x}", size=1000, layout="iso", state="ready")
        for number in range(500)
    )
    with django_assert_num_queries(6):
        (file,) = resource_file.of_all(plant.clock.now, images=False)
    assert (file.images, file.images_count, file.images_bytes) == ((), 500, 500_000)
    assert len(file_of(plant).images) == 500


def test_a_writer_nobody_has_heard_of_is_offline_and_nothing_else(plant: Plant) -> None:
    never = Writer.objects.create(name="New", address="http://127.0.0.1:9", created_at=plant.clock.now)
    file = resource_file.of(never.pk, plant.clock.now + timedelta(days=1))
    assert file is not None
    assert (file.state, file.reasons, file.fresh, file.drives) == ("offline", (), False, ())
    assert resource_file.of(never.pk + 1, plant.clock.now) is None
