"""Thin Celery ticks: short, repeatable, and nothing is lost with a message."""

from __future__ import annotations

from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from devices import bookings, dispatch, errands, read_bookings, silence, trouble, visits
from devices.models import Read, Write
from devices.nudging import send_soon
from devices.states import READ_OPEN, WRITE_OPEN

# Seconds that a message may wait for a free worker: by then later ticks have sent others for the same writer.
ATTEND_WITHIN: Final = 6


@shared_task(name="devices.tick")
def tick() -> None:
    """Notes who fell silent, and sends one `attend` per writer that there is something to do for."""
    now = timezone.now()
    silence.note(now)
    trouble.sweep(
        {step: errand.all_rows for step, errand in errands.ERRANDS.items()}
        | {
            bookings.STEP: Write.objects.filter(state__in=WRITE_OPEN),
            read_bookings.STEP: Read.objects.filter(state__in=READ_OPEN),
        }
    )
    for writer_pk in visits.due(now):
        # One message each, so that an agent that does not answer delays nobody else.
        attend.apply_async((writer_pk,), expires=ATTEND_WITHIN)


@shared_task(name="devices.attend")
def attend(writer_pk: int) -> None:
    if dispatch.attend(writer_pk, timezone.now()):
        nudge()


@shared_task(name="devices.discover")
def discover() -> None:
    """Listens for some seconds, on a queue where nobody minds."""
    from devices import discovery  # noqa: PLC0415  (it uses the door from above, which nudges these ticks)

    if settings.SPINDLE_DISCOVERY:
        discovery.discover(timezone.now())


def nudge_discovery() -> None:
    """Listens now rather than at the next beat. Never raises and never waits."""
    send_soon(discover)


def nudge() -> None:
    """Wakes the tick up. Never raises and never waits."""
    send_soon(tick)
