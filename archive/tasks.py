"""Wakes mastering up. The rows say what is to be made; a lost or doubled message changes nothing."""

from __future__ import annotations

from celery import shared_task

from archive.making import make_waiting


# The limits override those of the ticks; a quarter of the broker's visibility timeout, so no message runs twice.
@shared_task(queue="mastering", time_limit=3600, soft_time_limit=3540)
def master_waiting() -> None:
    make_waiting()
