"""Thin ticks: each does a bounded piece of work that is found in the database, and may be lost or doubled."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Final

from celery import shared_task
from django.utils import timezone

from devices.nudging import send_soon
from storefront import alerts, open_pages, outbox, progress, reconciling, refunding
from storefront.payer import PayerRefused, PayerUnreachable

log = logging.getLogger(__name__)

LOOK_BACK: Final = dt.timedelta(days=7)  # of the nightly reconciliation; more than the three days of the webhooks


@shared_task(name="storefront.tick")
def tick() -> None:
    progress.read(timezone.now())


@shared_task(name="storefront.send_mail")
def send_mail() -> None:
    outbox.send_waiting(timezone.now())


@shared_task(name="storefront.settle_money")
def settle_money() -> None:
    now = timezone.now()
    refunding.send_due(now)
    open_pages.close_needless(now)
    open_pages.look_again(now)


@shared_task(name="storefront.watch")
def watch() -> None:
    alerts.watch(timezone.now())


@shared_task(name="storefront.reconcile", time_limit=1800, soft_time_limit=1740)
def reconcile() -> None:
    now = timezone.now()
    try:
        for difference in reconciling.reconcile(now - LOOK_BACK, now):
            log.warning("%s", difference)
    except (PayerUnreachable, PayerRefused) as error:
        log.error("the reconciliation ended early, and comes again tomorrow: %s", error)
        raise  # a failed run is an alert (facts.py)


def nudge_money() -> None:
    """Has money paid back now rather than at the next beat. Never fails, never waits."""
    send_soon(settle_money)
