"""Thin ticks: each does a bounded piece of work that is found in the database, and may be lost or doubled."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from devices.nudging import send_soon
from devices.tasks import nudge as nudge_devices
from fulfillment import papers, rolling
from fulfillment import tick as turns
from fulfillment.console import bringing


@shared_task(name="fulfillment.tick")
def tick() -> None:
    turn = turns.run(timezone.now())
    if turn.queued:
        nudge_devices()
    if turn.queued or turn.read:
        send_soon(roll)


@shared_task(name="fulfillment.roll")
def roll() -> None:
    rolling.run(timezone.now())


# Longer than a tick's. A quarter of the broker's visibility timeout at most, or a message runs twice.
@shared_task(name="fulfillment.bring_images", time_limit=3600, soft_time_limit=3540)
def bring_images() -> None:
    if bringing.bring_waiting():
        nudge()


@shared_task(name="fulfillment.print_papers")
def print_papers() -> None:
    papers.print_waiting(timezone.now())


def nudge() -> None:
    """Wakes the tick up now rather than at the next beat. Never fails, never waits."""
    send_soon(tick)
