"""Thin Celery ticks: short, repeatable, and nothing is lost with a message."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from devices import dispatch, reports, visits

logger = logging.getLogger(__name__)


@shared_task(name="devices.tick")
def tick() -> None:
    """Notes who fell silent, and sends one `attend` per writer that there is something to do for."""
    now = timezone.now()
    reports.note_silence(now)
    for writer_pk in visits.due(now):
        # One message each, so that an agent that does not answer delays nobody else.
        attend.delay(writer_pk)


@shared_task(name="devices.attend")
def attend(writer_pk: int) -> None:
    dispatch.attend(writer_pk, timezone.now())


def nudge() -> None:
    """Wakes the tick up. Never raises: without Redis the next beat finds the same rows."""
    try:
        tick.delay()
    except (OperationalError, OSError) as error:
        logger.warning("Redis is away, devices.tick waits for the next beat: %s", error)
