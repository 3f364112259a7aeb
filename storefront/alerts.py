"""Opens an alert for each fact that staff must know of, tells it once, and closes it when the fact is gone.

The only module that writes alerts. Facts are read from the rows of every floor: nothing below knows of this.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from typing import Final

from django.db import IntegrityError, transaction

from storefront import facts, outbox
from storefront.facts import Fact
from storefront.models import Alert

log = logging.getLogger(__name__)

QUIET: Final = dt.timedelta(hours=1)  # a fact that comes and goes is told once in this time


def watch(now: dt.datetime) -> int:
    """Brings the open alerts in step with the facts; returns how many were opened. Right when run twice at once."""
    return bring_in_step(facts.all_facts(now), now)


def bring_in_step(seen: Iterable[Fact], now: dt.datetime) -> int:
    """Opens, closes and rewords alerts; one that opened in the quiet after another is told when that is over."""
    wanted = {(fact.kind, fact.key): fact for fact in seen}
    for alert in Alert.objects.filter(closed_at=None):
        fact = wanted.pop((alert.kind, alert.key), None)
        if fact is None:
            if Alert.objects.filter(pk=alert.pk, closed_at=None).update(closed_at=now):
                log.info("alert closed: %s %s", alert.kind, alert.key)
            continue
        if fact.text != alert.text:
            Alert.objects.filter(pk=alert.pk, closed_at=None).update(text=fact.text)
            alert.text = fact.text
        if alert.told_at is None:
            with transaction.atomic():
                _tell(alert, now)
    return sum(_open(fact, now) for fact in wanted.values())


def _open(fact: Fact, now: dt.datetime) -> bool:
    try:
        with transaction.atomic():
            alert = Alert.objects.create(kind=fact.kind, key=fact.key, text=fact.text, opened_at=now)
            _tell(alert, now)
    except IntegrityError:  # another watch opened it at this moment
        return False
    log.warning("alert opened: %s", alert)
    return True


def _tell(alert: Alert, now: dt.datetime) -> None:
    """Once, and not within the quiet time after the same matter was told: what flaps fills no letter box."""
    if Alert.objects.filter(kind=alert.kind, key=alert.key, told_at__gt=now - QUIET).exists():
        return
    if Alert.objects.filter(pk=alert.pk, told_at=None, closed_at=None).update(told_at=now):
        outbox.post_alert(alert, now)
