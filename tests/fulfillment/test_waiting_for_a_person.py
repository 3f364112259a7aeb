"""A person's time at a hand-fed drive is part of the plan, and is said where the discs wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from devices.models import CachedImage, Disc, Drive, Write, Writer
from fulfillment import obstacles, snapshot, tick
from fulfillment.models import Job
from fulfillment.planning.cost import disc_seconds, prior_rates
from fulfillment.planning.model import WriterView
from tests.scene import NOW, Plant, ask_for, make_image

BLANK, TAKE_OUT = 300.0, 100.0  # what the people of this plant were seen to need
SERIAL = "4K7P2M9XQR3T"


@pytest.fixture
def by_hand(plant: Plant) -> Plant:
    """A writer with one drive, fed by hand."""
    plant.writer.drives.filter(ident="d2").delete()
    plant.writer.drives.update(feed="hand")
    Writer.objects.filter(pk=plant.writer.pk).update(blank_wait=BLANK, take_out_wait=TAKE_OUT)
    return plant


def view() -> WriterView:
    (only,) = snapshot.take([], NOW).writers
    return only


def wants(what: str, *, since: float, serial: str = "") -> None:
    Drive.objects.update(wants=what, wants_since=NOW - timedelta(seconds=since), serial=serial)


def test_each_disc_is_projected_with_what_people_were_seen_to_need(by_hand: Plant) -> None:
    assert [drive.by_hand for drive in view().drives] == [BLANK + TAKE_OUT]
    Drive.objects.update(feed="robot")
    assert [drive.by_hand for drive in view().drives] == [0.0]


@pytest.mark.parametrize(("waited", "left"), [(0.0, BLANK), (200.0, BLANK - 200), (9999.0, BLANK / 10)])
def test_a_wait_that_has_begun_is_projected_with_what_is_left_of_it(by_hand: Plant, waited: float, left: float) -> None:
    job = ask_for(1)
    tick.run(NOW)
    CachedImage.objects.create(
        writer=by_hand.writer, sha256=job.image.sha256 or "", size=job.image.size or 0, layout="iso", state="ready"
    )
    wants("blank", since=waited)
    disc = disc_seconds(prior_rates(), job.image.size or 0, "cd")
    assert view().drives[0].free_at == pytest.approx(NOW.timestamp() + left + disc + TAKE_OUT)
    Disc.objects.update(state="started", started_at=NOW, drive="d1")
    wants("", since=0)
    assert view().drives[0].free_at == pytest.approx(NOW.timestamp() + disc + TAKE_OUT)


def test_a_finished_disc_occupies_its_drive_until_it_is_taken_out(by_hand: Plant) -> None:
    wants("take-out", since=40, serial=SERIAL)
    assert view().drives[0].free_at == NOW.timestamp() + TAKE_OUT - 40


@pytest.mark.parametrize(("format_", "medium"), [("cd", b"CD-R"), ("dvd", b"DVD-R")])
def test_a_job_says_that_its_discs_wait_for_a_person_and_for_what(
    by_hand: Plant, admin_client: Client, format_: str, medium: bytes
) -> None:
    job = ask_for(1, format=format_)
    tick.run(NOW)
    assert obstacles.of_jobs([job.pk], NOW) == {}
    wants("blank", since=9)
    text = b"Drive 1 of Writer 1 waits for somebody to insert a %b." % medium
    assert obstacles.of_jobs([job.pk], NOW) == {job.pk: (text.decode(),)}
    assert text in admin_client.get(f"/admin/fulfillment/job/{job.pk}/change/").content
    assert text in admin_client.get("/admin/fulfillment/job/").content
    wants("take-out", since=9, serial=SERIAL)
    texts = obstacles.of_jobs([job.pk], NOW)[job.pk]
    assert texts == ("Drive 1 of Writer 1 waits for somebody to take out disc 4K7P-2M9X-QR3T and mark it.",)
    assert by_hand.writer.reasons == []


def test_a_job_does_not_wait_at_drives_that_its_discs_can_not_go_into(by_hand: Plant) -> None:
    job = ask_for(1)
    tick.run(NOW)
    wants("blank", since=9)
    for change in ({"formats": ["bd"]}, {"held_for": "copy-1"}, {"state": "stopped"}):
        before = Drive.objects.values(*change).get()
        Drive.objects.update(**change)
        assert obstacles.of_jobs([job.pk], NOW) == {}
        Drive.objects.update(**before)
    Disc.objects.update(state="started")
    assert obstacles.of_jobs([job.pk], NOW) == {}


def test_a_job_says_that_there_is_no_room_for_its_image(plant: Plant) -> None:
    jobs = [ask_for(1, make_image(name, 20_480_000)) for name in ("first", "second")]
    tick.run(NOW)
    first = jobs[0].image
    CachedImage.objects.create(
        writer=plant.writer, sha256=first.sha256 or "", size=first.size or 0, layout="iso", state="ready"
    )
    Writer.objects.update(disk_capacity=30_000_000, disk_free=9_520_000)
    assert obstacles.of_jobs([job.pk for job in jobs], NOW) == {
        jobs[1].pk: ("Writer 1's disk has no room for its image, and nothing on it may be dropped now.",)
    }
    assert Write.objects.count() == 2


def test_obstacles_of_many_jobs_cost_as_many_queries_as_of_one(
    by_hand: Plant, django_assert_max_num_queries: object
) -> None:
    jobs = [ask_for(1, make_image(f"image-{number}")) for number in range(5)]
    tick.run(NOW)
    wants("blank", since=9)
    for keys in ([jobs[0].pk], [job.pk for job in Job.objects.all()]):
        with django_assert_max_num_queries(8):  # type: ignore[operator]  # pytest-django's own fixture
            obstacles.of_jobs(keys, NOW)
