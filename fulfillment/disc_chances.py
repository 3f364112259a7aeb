"""What ended discs teach of chance: how far their time is from what was expected, how many go bad, how long until the
next try. Reads rows and tells `foreseeing`; writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from django.db.models import F

from devices.models import DeviceEvent, Disc
from devices.states import DiscState
from fulfillment import foreseeing
from fulfillment.counting import SPOILT
from fulfillment.models import Job

ENDS: Final = frozenset({DiscState.GOOD, *SPOILT})


def learn(events: Iterable[DeviceEvent], ratios: Mapping[str, float]) -> None:
    """ratios: by serial, the time a disc took over what was expected of it; one without an entry was not timed."""
    ended = {event.serial: event.new for event in events if event.kind == "disc" and event.new in ENDS}
    if not ended:
        return
    with foreseeing.learning() as (experience, _):
        for serial, state in ended.items():
            experience.disc_ended(ratios.get(serial), good=state == DiscState.GOOD)
        for waited in _waits_for_another_try(ended):
            experience.tried_again(waited)


def _waits_for_another_try(ended: Iterable[str]) -> list[float]:
    """From each bad disc to the beginning of the next one of its job, in times of that one; told when that one ends."""
    losers = Job.objects.filter(lost__gt=0, shares__write__discs__serial__in=list(ended))
    timed = Disc.objects.filter(started_at__isnull=False, finished_at__isnull=False)
    began = timed.filter(write__shares__job__in=losers).annotate(job=F("write__shares__job"))
    waits = []
    for before, after in pairwise(began.order_by("job", "started_at", "id").distinct()):
        if before.job == after.job and after.serial in ended and before.state in SPOILT:
            waits += _wait(before, after)
    return waits


def _wait(before: Disc, after: Disc) -> list[float]:
    """Nothing where the clocks of two agents don't agree."""
    if before.finished_at is None or after.started_at is None or after.finished_at is None:
        return []
    took = (after.finished_at - after.started_at).total_seconds()
    waited = (after.started_at - before.finished_at).total_seconds()
    return [waited / took] if took > 0 and waited >= 0 else []
