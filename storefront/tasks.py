"""Thin ticks: each does a bounded piece of work that is found in the database, and may be lost or doubled."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from storefront import outbox, progress


@shared_task(name="storefront.tick")
def tick() -> None:
    progress.read(timezone.now())


@shared_task(name="storefront.send_mail")
def send_mail() -> None:
    outbox.send_waiting(timezone.now())
