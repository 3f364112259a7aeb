"""Thin Celery ticks: short, repeatable, and nothing is lost with a message."""

from __future__ import annotations

from typing import Final

from celery import shared_task
from django.utils import timezone

from devices import dispatch, errands, reports, trouble, visits
from devices.models import Write
from devices.nudging import send_soon

# Seconds that a message may wait for a free worker: by then later ticks have sent others for the same writer.
ATTEND_WITHIN: Final = 6


@shared_task(name="devices.tick")
def tick() -> None:
    """Notes who fell silent, and sends one `attend` per writer that there is something to do for."""
    now = timezone.now()
    reports.note_silence(now)
    trouble.sweep({step: Write.objects.filter(errand) for step, errand in errands.ERRANDS.items()})
    for writer_pk in visits.due(now):
        # One message each, so that an agent that does not answer delays nobody else.
        attend.apply_async((writer_pk,), expires=ATTEND_WITHIN)


@shared_task(name="devices.attend")
def attend(writer_pk: int) -> None:
    dispatch.attend(writer_pk, timezone.now())


def nudge() -> None:
    """Wakes the tick up. Never raises and never waits."""
    send_soon(tick)
