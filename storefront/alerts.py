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
    wanted = {(fact.kind, fact.key): fact for fact in seen}
    for alert in Alert.objects.filter(closed_at=None):
        fact = wanted.pop((alert.kind, alert.key), None)
        if fact is None:
            if Alert.objects.filter(pk=alert.pk, closed_at=None).update(closed_at=now):
                log.info("alert closed: %s %s", alert.kind, alert.key)
        elif fact.text != alert.text:
            Alert.objects.filter(pk=alert.pk, closed_at=None).update(text=fact.text)
    return sum(_open(fact, now) for fact in wanted.values())


def _open(fact: Fact, now: dt.datetime) -> bool:
    told = Alert.objects.filter(kind=fact.kind, key=fact.key, opened_at__gt=now - QUIET).exists()
    try:
        with transaction.atomic():
            alert = Alert.objects.create(kind=fact.kind, key=fact.key, text=fact.text, opened_at=now)
            if not told:
                outbox.post_alert(alert, now)
    except IntegrityError:  # another watch opened it at this moment
        return False
    log.warning("alert opened: %s", alert)
    return True
