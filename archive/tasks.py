"""Wakes mastering up. The rows say what is to be made; a lost or doubled message changes nothing."""

from __future__ import annotations

from typing import Final

from celery import shared_task

from archive.making import make_waiting
from archive.uploads import making as uploads

# Longer than a tick's. A quarter of the broker's visibility timeout at most, or a message runs twice.
TIME_LIMIT: Final = 3600  # seconds


# Its queue, `mastering`, is given by whoever sends it (the beat schedule, the task routes).
@shared_task(name="archive.master_waiting", time_limit=TIME_LIMIT, soft_time_limit=TIME_LIMIT - 60)
def master_waiting() -> None:
    make_waiting()


@shared_task(name="archive.make_uploads", time_limit=TIME_LIMIT, soft_time_limit=TIME_LIMIT - 60)
def make_uploads() -> None:
    uploads.make_waiting()
