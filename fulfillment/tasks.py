"""Thin ticks: each does a bounded piece of work that is found in the database, and may be lost or doubled."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from devices.nudging import send_soon
from devices.tasks import nudge as nudge_devices
from fulfillment import papers
from fulfillment import tick as turn


@shared_task(name="fulfillment.tick")
def tick() -> None:
    if turn.run(timezone.now()):
        nudge_devices()


@shared_task(name="fulfillment.print_papers")
def print_papers() -> None:
    papers.print_waiting(timezone.now())


def nudge() -> None:
    """Wakes the tick up now rather than at the next beat. Never fails, never waits."""
    send_soon(tick)
