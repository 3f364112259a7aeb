from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from devices import tasks
from devices.models import Writer
from devices.nudging import send_soon
from tests.devices.conftest import Plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The writers that the tick sent a visit to."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.attend, "apply_async", lambda arguments, **options: sent.extend(arguments))
    return sent


def test_tick_sends_one_visit_per_writer_with_something_to_do(plant: Plant, new_plant: Any, sent: list[int]) -> None:
    plant.clock.now = timezone.now()
    other = new_plant("Writer 2")
    other.report()
    plant.report()
    tasks.tick()
    assert sent == []
    plant.queue()
    plant.queue()
    tasks.tick()
    assert sent == [plant.new.writer.pk]


def test_tick_notes_silent_writers(plant: Plant, sent: list[int]) -> None:
    tasks.tick()  # the plant's clock stands at noon of some day
    assert (plant.writer.state, plant.keywords()) == ("offline", ["timed-out"])
    assert sent == [plant.new.writer.pk]


def test_attend_makes_the_visit(plant: Plant) -> None:
    write = plant.queue()
    tasks.attend(plant.new.writer.pk)
    write.refresh_from_db()
    assert write.state == "accepted"
    assert plant.writer.attended_until is None


def test_visit_to_a_writer_that_is_gone_does_nothing() -> None:
    tasks.attend(12345)
    assert not Writer.objects.exists()


class _Task:
    """A tick whose sending takes as long as the test wants."""

    name = "devices.tick"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.go, self.done = threading.Event(), threading.Event()
        self.sent = 0

    def delay(self) -> None:
        self.go.wait(10)
        self.sent += 1
        self.done.set()
        if self.error:
            raise self.error


def _settled() -> None:
    for thread in threading.enumerate():
        if thread.name == "nudge devices.tick":
            thread.join(10)


@pytest.mark.parametrize("error", [OperationalError("away"), ConnectionError("away"), OSError("no socket")])
def test_nudge_never_raises_without_redis(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    task = _Task(error)
    task.go.set()
    with caplog.at_level(logging.WARNING):
        send_soon(task)
        _settled()
    assert "Redis is away" in caplog.text


def test_nudge_does_not_wait_and_sends_one_message_at_a_time() -> None:
    task = _Task()
    for _ in range(5):
        send_soon(task)
    assert task.sent == 0
    task.go.set()
    _settled()
    assert task.sent == 1
    send_soon(task)
    _settled()
    assert task.sent == 2


def test_queueing_nudges_after_the_commit(
    plant: Plant, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudges: list[bool] = []
    monkeypatch.setattr("devices.intake.nudge", lambda: nudges.append(True))
    with django_capture_on_commit_callbacks(execute=True):
        plant.queue()
        assert nudges == []
    assert nudges == [True]
