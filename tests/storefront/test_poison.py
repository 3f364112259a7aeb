"""One row that fails each time, in each tick: its siblings go on, it is set aside, and one click brings it back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from archive import lifecycle as archive_lifecycle
from archive import making
from archive.models import Image
from devices import trouble
from devices.models import Trouble
from fulfillment import tick
from fulfillment.models import Job, PlanRun
from storefront import outbox, progress
from storefront.models import Mail
from tests.scene import NOW, Plant, ask_for, make_image, running_plant

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def plant(db: None) -> Iterator[Plant]:
    with running_plant() as running:
        yield running


@pytest.fixture
def poison(plant: Plant) -> Job:
    """A job beside a healthy one of another image."""
    job = ask_for(1, make_image("image-p"))
    ask_for(1, make_image("image-h"))
    return job


def states(poison: Job) -> tuple[str, str]:
    return Job.objects.get(pk=poison.pk).state, Job.objects.exclude(pk=poison.pk).get().state


def fail_for(monkeypatch: pytest.MonkeyPatch, path: str, poison: Any, position: int = 0) -> None:
    """The function at `path` raises for this row, and works for all others."""
    module, _, name = path.rpartition(".")
    imported = __import__(module, fromlist=[name])
    real = getattr(imported, name)

    def fail(*arguments: Any, **named: Any) -> Any:
        given = arguments[position]
        if getattr(given, "job", given).pk == poison.pk:
            raise RuntimeError("poison")
        return real(*arguments, **named)

    monkeypatch.setattr(path, fail)


def turns(plant: Plant) -> None:
    """As many as three tries take, with the agent at work."""
    for _ in range(4):
        plant.turn(seconds=40)
        plant.agent.make_all()
        plant.report()
    plant.turn()


def try_all_again(plant: Plant) -> None:
    for noted in Trouble.objects.all():
        trouble.try_again(noted, plant.now)
    plant.now += dt.timedelta(minutes=1)
    plant.make_all()


def test_a_job_that_breaks_the_plan_is_set_aside_and_the_others_are_planned(
    plant: Plant, poison: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "fulfillment.snapshot.view_of", poison)
    runs = PlanRun.objects.count()
    turns(plant)
    assert states(poison) == ("waiting", "made")
    assert PlanRun.objects.count() > runs  # dates are still shown
    assert set(Trouble.objects.values_list("step", "row")) == {
        ("fulfillment.plan", str(poison.pk)),
        ("fulfillment.roll", str(poison.pk)),
    }
    assert not Trouble.objects.filter(set_aside_at=None).exists()
    monkeypatch.undo()
    try_all_again(plant)
    assert states(poison) == ("made", "made")
    assert not Trouble.objects.exists()


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("fulfillment.lifecycle._move", "fulfillment.queue-write"),
        ("fulfillment.progress.settle", "fulfillment.read-write"),
    ],
)
def test_a_job_that_can_not_be_moved_is_set_aside_and_the_others_are_made(
    plant: Plant, poison: Job, monkeypatch: pytest.MonkeyPatch, path: str, step: str
) -> None:
    fail_for(monkeypatch, path, poison)
    turns(plant)
    assert states(poison)[1] == "made"
    assert Trouble.objects.filter(step=step).exclude(set_aside_at=None).exists()
    monkeypatch.undo()
    try_all_again(plant)
    assert states(poison) == ("made", "made")


def test_an_order_that_can_not_follow_does_not_stop_the_others(
    plant: Plant, poison: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "storefront.progress._read_shipment", poison.shipment)
    plant.make_all()
    other = Job.objects.exclude(pk=poison.pk).get().shipment
    for _ in range(4):
        progress.read(plant.now)
        plant.now += dt.timedelta(minutes=1)
    noted = Trouble.objects.get()
    assert (noted.step, noted.row) == ("storefront.read-shipment", str(poison.shipment.pk))
    assert noted.set_aside_at is not None
    other.refresh_from_db()
    assert other.revision_read == other.revision
    monkeypatch.undo()
    trouble.try_again(noted, plant.now)
    progress.read(plant.now)
    poison.shipment.refresh_from_db()
    assert poison.shipment.revision_read == poison.shipment.revision


def mail(key: str) -> Mail:
    return Mail.objects.create(key=key, to="zoe@example.com", subject=key, text=key, created_at=NOW, next_try_at=NOW)


class Backend:
    """A mail server; what it does with a mail is said by its subject."""

    asked: list[str] = []
    sent: list[str] = []

    def __init__(self, **options: Any) -> None:
        del options

    def send_messages(self, messages: list[Any]) -> int:
        for message in messages:
            if message.subject == "poison":
                raise KeyError("a header")
            if message.subject == "slow":
                raise SoftTimeLimitExceeded
            if message.subject == "unwanted":
                raise SMTPRecipientsRefused({"zoe@example.com": (550, b"no such box")})
            self.asked.append(message.subject)
            if message.subject == "away":
                raise SMTPServerDisconnected("away")
            self.sent.append(message.subject)
        return len(messages)


def test_a_mail_that_breaks_the_mailer_is_given_up_and_the_others_are_sent(settings: Settings, client: Client) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    poison, away, _ = mail("poison"), mail("away"), mail("fine")
    now = NOW
    for _ in range(4):
        outbox.send_waiting(now)
        now += dt.timedelta(hours=1)
    assert Backend.sent == ["fine"]
    poison.refresh_from_db()
    away.refresh_from_db()
    assert (poison.state, poison.attempts, poison.reason) == ("failed", 3, "'a header'")
    assert (away.state, away.attempts) == ("waiting", 4)  # a server that is away comes back
    client.force_login(User.objects.create_superuser("anna"))
    client.post("/admin/storefront/mail/", {"action": "send_again", "_selected_action": [poison.pk]})
    poison.refresh_from_db()
    assert (poison.state, poison.attempts) == ("waiting", 0)


def test_a_server_that_is_away_is_asked_once_in_a_batch(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    Backend.asked.clear()
    for number in range(3):
        Mail.objects.filter(pk=mail(f"away-{number}").pk).update(subject="away")
    assert outbox.send_waiting(NOW) == 0
    assert Backend.asked == ["away"]
    assert list(Mail.objects.order_by("id").values_list("attempts", flat=True)) == [1, 0, 0]


def test_an_address_that_is_refused_does_not_hold_up_the_others(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    for subject in ("unwanted", "fine"):
        mail(subject)
    assert outbox.send_waiting(NOW) == 1


def test_the_end_of_the_tasks_time_is_no_fault_of_the_mail(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    slow = mail("slow")
    for hours in range(4):
        with pytest.raises(SoftTimeLimitExceeded):
            outbox.send_waiting(NOW + dt.timedelta(hours=hours))
    slow.refresh_from_db()
    assert (slow.state, slow.attempts) == ("waiting", 4)


def test_a_mail_asked_for_again_that_ends_the_process_is_given_up_again(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    killer = mail("fine")
    Mail.objects.update(state="failed", attempts=3, reason="Each try ended the whole process.")
    assert outbox.send_again(killer, NOW)
    Mail.objects.update(attempts=3)  # three more, and nothing was heard of them
    assert outbox.send_waiting(NOW) == 0
    killer.refresh_from_db()
    assert killer.state == "failed"


def test_a_mail_that_ends_the_process_each_time_is_given_up_with_a_reason(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    killer = mail("fine")
    Mail.objects.update(attempts=3)  # counted before each try, and nothing was heard of it
    assert outbox.send_waiting(NOW) == 0
    killer.refresh_from_db()
    assert (killer.state, killer.reason) == ("failed", "Each try ended the whole process.")


def test_an_image_whose_making_ends_the_process_is_given_up_and_tried_again_by_a_click(client: Client) -> None:
    image = Image.objects.create(recipe="a" * 64, source="/nowhere", created_at=NOW)
    now = NOW
    for number in range(archive_lifecycle.TRIES):
        assert archive_lifecycle.claim(image, f"process-{number}", now)  # and nothing more is heard of it
        now += archive_lifecycle.LEASE + dt.timedelta(seconds=1)
    assert not archive_lifecycle.claim(image, "the fourth", now)
    image.refresh_from_db()
    assert (image.state, image.reason) == ("failed", archive_lifecycle.ENDED_ITS_PROCESS)
    client.force_login(User.objects.create_superuser("anna"))
    client.post("/admin/archive/image/", {"action": "try_again", "_selected_action": [image.pk]})
    image.refresh_from_db()
    assert (image.state, image.tries, image.reason) == ("waiting", 0, "")


def test_an_image_whose_making_raises_does_not_stop_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        Image.objects.create(recipe=f"{number}" * 64, source="/nowhere", created_at=NOW)
    tried = []

    def fail(image: Image, *rest: Any) -> bool:
        tried.append(image.pk)
        raise RuntimeError("poison")

    monkeypatch.setattr(making, "_make_again", fail)
    assert making.make_waiting() == 0
    assert len(tried) == 2
    assert set(Image.objects.values_list("state", "reason")) == {("failed", "RuntimeError: poison")}


def test_a_turn_with_nothing_wrong_notes_nothing(plant: Plant, poison: Job) -> None:
    plant.make_all()
    tick.run(plant.now)
    assert states(poison) == ("made", "made")
    assert not Trouble.objects.exists()
