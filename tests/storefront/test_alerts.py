"""Alerts: one for each matter, told once, closed by itself."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from archive.models import Image
from devices import blanks, trouble
from devices.agent import wire
from devices.models import BlankBin, CachedImage, Disc, Writer
from fulfillment import intake, operators, rolling, tick
from fulfillment.models import Job, JobEvent, Paper
from fulfillment.planning.model import Wait
from storefront import alerts, facts, outbox
from storefront.facts import Fact
from storefront.models import Alert, Mail
from tests.at_once import at_once
from tests.scene import Plant, ask_for, make_image

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 18, 9, 0, tzinfo=dt.UTC)
STAFF = "staff@spindle.example"


@pytest.fixture(autouse=True)
def staff_mail(settings: Settings) -> None:
    settings.SPINDLE_STAFF_MAIL = STAFF


def open_alerts() -> list[tuple[str, str]]:
    return sorted(Alert.objects.filter(closed_at=None).values_list("kind", "key"))


def after(**passed: float) -> dt.datetime:
    return NOW + dt.timedelta(**passed)


def test_a_fact_is_told_once_and_closed_when_it_is_gone() -> None:
    fact = Fact("trial", "one", "Something is amiss. Mend it.")
    assert [alerts.bring_in_step([fact], after(seconds=second)) for second in range(3)] == [1, 0, 0]
    assert open_alerts() == [("trial", "one")]
    mail = Mail.objects.get()
    assert (mail.to, mail.subject) == (STAFF, "Spindle: trial")
    assert mail.text.startswith("Something is amiss. Mend it.")
    assert "/admin/storefront/alert/" in mail.text
    alerts.bring_in_step([], after(minutes=1))
    assert open_alerts() == []
    assert Alert.objects.get().closed_at == after(minutes=1)


def test_what_comes_and_goes_is_told_once_an_hour() -> None:
    fact = Fact("trial", "one", "Something is amiss.")
    for minute in range(0, 50, 10):
        alerts.bring_in_step([fact], after(minutes=minute))
        alerts.bring_in_step([], after(minutes=minute + 5))
    assert (Alert.objects.count(), Mail.objects.count()) == (5, 1)
    alerts.bring_in_step([fact], after(minutes=200))
    assert Mail.objects.count() == 2


def test_what_comes_and_goes_for_hours_is_told_every_hour_or_so() -> None:
    fact = Fact("trial", "one", "Something is amiss.")
    for minute in range(0, 650, 50):
        alerts.bring_in_step([fact], after(minutes=minute))
        alerts.bring_in_step([], after(minutes=minute + 5))
    assert (Alert.objects.count(), Mail.objects.count()) == (13, 7)


def test_what_came_back_in_the_quiet_and_stays_is_told_when_it_is_over() -> None:
    fact = Fact("trial", "one", "Something is amiss.")
    alerts.bring_in_step([fact], NOW)
    alerts.bring_in_step([], after(minutes=5))
    told = []
    for minute in (10, 30, 59, 61, 90, 180):
        alerts.bring_in_step([fact], after(minutes=minute))
        told.append(Mail.objects.count())
    assert told == [1, 1, 1, 2, 2, 2]


def test_a_parcel_packed_before_it_was_cancelled_is_to_be_unpacked(plant: Plant) -> None:
    job = ask_for(1)
    plant.make_all()
    shipment = job.shipment
    shipment.refresh_from_db()
    assert operators.pack(shipment, "user:1 Anna", NOW)
    assert intake.cancel(shipment, actor="order:S-1", now=NOW, even_packed=True)
    alerts.watch(after(days=3))
    assert ("unpack", shipment.reference) in open_alerts()
    alerts.watch(after(days=8))
    assert open_alerts() == []


def test_of_too_many_holds_always_the_same_are_shown(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MOST", 2)
    for reason in ("c", "a", "b"):
        Job.objects.filter(pk=ask_for(1, make_image(reason)).pk).update(state="held", reason=reason)
    assert [fact.key for fact in facts.held_work(NOW)] == ["a:cd", "b:cd"]


def test_a_text_that_changes_is_not_told_again() -> None:
    alerts.bring_in_step([Fact("trial", "one", "2 jobs wait.")], NOW)
    alerts.bring_in_step([Fact("trial", "one", "3 jobs wait.")], NOW)
    assert Alert.objects.get().text == "3 jobs wait."
    assert Mail.objects.count() == 1


def test_without_an_address_the_admin_alone_shows_it(settings: Settings, admin_client: Client) -> None:
    settings.SPINDLE_STAFF_MAIL = ""
    alerts.bring_in_step([Fact("trial", "one", "Something is amiss.")], NOW)
    assert not Mail.objects.exists()
    assert b"Something is amiss." in admin_client.get("/admin/storefront/alert/").content


def test_the_mail_goes_out_by_the_one_outbox(mailoutbox: list[object]) -> None:
    alerts.bring_in_step([Fact("trial", "one", "Something is amiss.")], NOW)
    assert outbox.send_waiting(NOW) == 1
    assert len(mailoutbox) == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_six_watches_at_once_open_one_alert() -> None:
    fact = Fact("trial", "one", "Something is amiss.")
    opened = at_once(*[lambda: alerts.bring_in_step([fact], NOW)] * 6)
    assert sum(opened) == 1
    assert (Alert.objects.count(), Mail.objects.count()) == (1, 1)
    at_once(*[lambda: alerts.bring_in_step([], NOW)] * 6)
    assert open_alerts() == []


def test_one_shortage_of_blanks_is_one_alert_and_ends_by_loading(plant: Plant) -> None:
    for drive in ("d1", "d2"):
        BlankBin.objects.create(writer=plant.writer, bin=drive, format="cd", kind="CD-R", counted=True)
    for number in range(3):
        ask_for(2, make_image(f"image-{number}"))
    plant.turn()
    assert set(Job.objects.values_list("state", "reason")) == {("held", "media-needed")}
    alerts.watch(NOW)
    assert open_alerts() == [("media-needed", "media-needed:cd")]
    assert Alert.objects.get().text == (
        "CD-R blanks are used up in Writer 1 and no other writer at work has any; 3 jobs, 6 discs wait. "
        "Load some; work goes on by itself."
    )
    BlankBin.objects.update(loaded=50)
    plant.turn()
    alerts.watch(after(minutes=1))
    assert open_alerts() == []
    assert Mail.objects.filter(to=STAFF).count() == 1


def test_a_job_that_lacks_blanks_for_its_rest_is_told_while_the_others_are_written(plant: Plant) -> None:
    bin_ = BlankBin.objects.create(writer=plant.writer, bin="d1", format="cd", kind="CD-R")
    blanks.load(bin_, 3, by="user:1 Anna", why="the last ones", now=NOW)
    ask_for(5)
    plant.turn()
    alerts.watch(NOW)
    assert Alert.objects.get().text.startswith("Too few CD-R blanks: 3 left in Writer 1")
    assert "; 1 job, 2 discs wait." in Alert.objects.get().text
    blanks.load(bin_, 50, by="user:1 Anna", why="a new spindle", now=NOW)
    plant.turn()
    alerts.watch(after(minutes=1))
    assert open_alerts() == []


def test_a_shortage_stays_one_alert_while_the_blanks_that_there_are_are_written(plant: Plant) -> None:
    bin_ = BlankBin.objects.create(writer=plant.writer, bin="d1", format="cd", kind="CD-R")
    blanks.load(bin_, 12, by="user:1 Anna", why="the last ones", now=NOW)
    job = ask_for(30)
    plant.turn()
    for _ in range(6):
        job.refresh_from_db()
        assert job.reason == "media-needed"
        alerts.watch(plant.now)
        serial = Disc.objects.filter(state="planned").earliest("id").serial
        plant.agent.set_disc(serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
        plant.report()
        alerts.watch(plant.now)
        plant.turn()
    assert Alert.objects.count() == 1
    assert not JobEvent.objects.filter(job=job, new="writing", text="").exists()  # each one was for a command


def test_work_that_fits_no_disk_is_one_alert(plant: Plant) -> None:
    plant.report()
    Writer.objects.update(disk_capacity=10_000)
    ask_for(1)
    tick.run(NOW)
    alerts.watch(NOW)
    assert open_alerts() == [("writer-needed", f"{Wait.ROOM.value}:cd")]
    assert "Raise disk_limit" in Alert.objects.get().text
    Writer.objects.update(disk_capacity=10**12)
    tick.run(NOW)
    alerts.watch(NOW)
    assert open_alerts() == []


def test_a_disk_on_which_no_room_may_be_made_is_told_if_it_stays_so(plant: Plant) -> None:
    for name in ("first", "second"):
        ask_for(1, make_image(name, 20_480_000))
        tick.run(NOW)
    Writer.objects.update(disk_capacity=30_000_000, disk_free=9_520_000)
    CachedImage.objects.create(
        writer=plant.writer, sha256=make_image("first").sha256 or "", size=20_480_000, layout="iso", state="ready"
    )
    alerts.watch(NOW)
    assert open_alerts() == []
    alerts.watch(after(minutes=6))
    assert open_alerts() == [("disk-full", str(plant.writer.uuid))]
    assert Alert.objects.get().text.startswith("Writer 1's disk has no room for 1 image (Nine songs)")
    Writer.objects.update(disk_capacity=60_000_000, disk_free=39_520_000)
    alerts.watch(after(minutes=7))
    assert open_alerts() == []


def test_work_that_waits_for_a_writer_is_one_alert(plant: Plant) -> None:
    Writer.objects.update(draining=True)
    ask_for(1)
    ask_for(1, make_image("another"))
    plant.turn()
    alerts.watch(NOW)
    assert open_alerts() == [("writer-needed", f"{Wait.WRITER.value}:cd")]
    assert "resume one that is draining" in Alert.objects.get().text


def test_a_job_set_aside_names_itself_and_one_held_by_hand_does_not(plant: Plant) -> None:
    bad, by_hand = ask_for(1), ask_for(1, make_image("another"))
    Job.objects.filter(pk=bad.pk).update(state="held", reason="too-many-bad-discs")
    assert operators.hold(by_hand, "user:1 Anna", NOW)
    alerts.watch(NOW)
    assert open_alerts() == [("work-set-aside", "too-many-bad-discs:cd")]
    assert bad.reference in Alert.objects.get().text
    assert operators.release(Job.objects.get(pk=bad.pk), "user:1 Anna", NOW)
    alerts.watch(NOW)
    assert open_alerts() == []


def test_rows_that_a_tick_set_aside_are_one_alert_for_each_reason(plant: Plant) -> None:
    rows = [ask_for(1, make_image(name)) for name in ("a", "b")]
    for row in rows:
        for minute in range(trouble.TRIES):
            trouble.note("fulfillment.plan", row, ValueError("no such thing"), after(minutes=minute))
    alerts.watch(NOW)
    ((kind, key),) = open_alerts()
    assert (kind, key) == ("work-set-aside", "fulfillment.plan: ValueError: no such thing")


def test_a_writer_that_waits_for_a_person_is_told_until_he_came(plant: Plant) -> None:
    why = {"keyword": "second-agent", "text": "Two agents report as this writer. Stop one of them.", "since": ""}
    jam = {"keyword": "media-empty", "text": "Bin 1 is empty.", "since": ""}
    Writer.objects.filter(pk=plant.writer.pk).update(reasons=[jam, why])
    alerts.watch(NOW)
    (alert,) = Alert.objects.filter(closed_at=None)
    assert (alert.kind, alert.key) == ("writer-waits", f"{plant.writer.uuid}:second-agent")
    assert alert.text == f"{plant.writer.name}: Two agents report as this writer. Stop one of them."
    Writer.objects.filter(pk=plant.writer.pk).update(reasons=[jam])
    alerts.watch(after(minutes=1))
    assert open_alerts() == []


def test_papers_and_images_that_failed_are_told(plant: Plant) -> None:
    job = ask_for(1)
    plant.make_all()
    Paper.objects.update(state="failed", reason="The printer is gone.")
    assert Paper.objects.exists()
    waiting = ask_for(1, make_image("broken"))
    Image.objects.filter(pk=waiting.image_id).update(
        state="failed", reason="Its folder is empty.", sha256=None, size=None
    )
    alerts.watch(NOW)
    kinds = {kind for kind, _ in open_alerts()}
    assert {"papers-failed", "image-failed"} <= kinds
    assert job.shipment.reference in Alert.objects.filter(kind="papers-failed").first().text  # type: ignore[union-attr]  # it is there


def test_watching_costs_no_more_queries_for_more_jobs(plant: Plant, django_assert_max_num_queries: object) -> None:
    for number in range(4):
        ask_for(1, make_image(f"image-{number}"))
    Job.objects.update(state="held", reason="media-needed")
    rolling.roll(timezone.now())
    with django_assert_max_num_queries(26):  # type: ignore[operator]  # pytest-django's own fixture
        list(facts.all_facts(NOW))
