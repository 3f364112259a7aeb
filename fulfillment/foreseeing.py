"""What the plant foresees of an order before it is paid, and what it learns from how that turned out.

Alone writes what was foreseen and what that taught. What is shown and promised of it, others decide.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final

from django.db import transaction
from django.db.models import F, Q

from fulfillment import arrivals, plan_runs, ranking, score_sheet
from fulfillment.models import ForecastMemory, JobEvent, PlanRun, Shipment, ShipmentForecast
from fulfillment.planning.belief import Belief, kind_of
from fulfillment.planning.calibration import Calibration, Said
from fulfillment.planning.experience import Experience
from fulfillment.planning.forecast import Chance, Forecast
from fulfillment.planning.model import JobView, Projection
from fulfillment.planning.policies import Policy
from fulfillment.planning.projection import queue_up, quote
from fulfillment.reasons import HELD_BY_HAND

SAMPLE: Final = 40  # instants, each as likely, by which a distribution is carried over into calendars
AT_ONCE: Final = 200  # shipments scored in one roll


@dataclass(frozen=True, slots=True)
class Foreseen:
    """When work will be made: the distribution, of which kind it is, and what was believed of such ones then.

    `load`: discs under way or waiting for each drive of its format.
    """

    forecast: Forecast
    kind: str
    belief: Belief
    load: float = 0.0

    def ready(self, share: float) -> dt.datetime:
        """The instant by which so large a share of such orders is made."""
        return _instant(self.belief.ready(self.forecast, self.kind, share))

    def made_by(self, instant: dt.datetime) -> float:
        """The share of such orders that is made by then."""
        return self.belief.made_by(self.forecast, self.kind, instant.timestamp())

    def sample(self) -> list[dt.datetime]:
        return [self.ready((number + 0.5) / SAMPLE) for number in range(SAMPLE)]

    def levels(self) -> tuple[dt.datetime, ...]:
        """The instants of LEVELS: what coverage is scored by."""
        return tuple(_instant(ready) for ready in self.belief.levels(self.forecast, self.kind))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run leaves to those who come after it. `policy`: the one that it was made by; None if another one is in
    force by now, or nobody can overtake anybody: then they queue behind all that the run knows, and what `came` since.
    """

    standing: Projection
    belief: Belief
    policy: Policy | None
    came: Sequence[JobView] = ()

    def foresee(self, wanted: Sequence[JobView], now: dt.datetime) -> Foreseen | None:
        """When `wanted` would be made if it came in now; None if some of it can't be."""
        chance = self.belief.chance
        forecast = quote(self.standing, wanted, now.timestamp(), chance=chance, policy=self.policy, came=self.came)
        if forecast is None:
            return None
        format_ = wanted[0].format
        kind = kind_of(format_, sum(job.copies for job in wanted), forecast)
        return Foreseen(forecast, kind, self.belief, self.standing.load.get(format_, 0.0))


def outlook(run: PlanRun, now: dt.datetime) -> Outlook:
    """With what came since the run: a moment later it stands in the next one."""
    came, policy = arrivals.since(run.at, now), None
    standing = queue_up(plan_runs.standing(run), came, now.timestamp())
    if standing.marks or standing.coming:
        in_force = ranking.in_force(now)
        policy = in_force if in_force.name == run.policy else None
    return Outlook(standing, plan_runs.belief(run), policy, came)


def remember(shipment: Shipment, foreseen: Foreseen) -> None:
    """Keeps what was foreseen when it was promised. Once: what was said does not change."""
    p50, p90, p97 = foreseen.levels()
    ShipmentForecast.objects.get_or_create(
        shipment=shipment,
        defaults={
            "at": _instant(foreseen.forecast.at),
            "kind": foreseen.kind,
            "load": foreseen.load,
            "forecast": asdict(foreseen.forecast),
            "ready_p50": p50,
            "ready_p90": p90,
            "ready_p97": p97,
        },
    )


def belief(now: dt.datetime) -> Belief:
    """What is believed of chance now: wider where the last week's forecasts were too sure."""
    memory = ForecastMemory.objects.filter(pk=1).first() or ForecastMemory()
    learned = Calibration.load(memory.calibration).belief(Experience.load(memory.experience).chance)
    return replace(learned, is_wide=score_sheet.is_too_sure(now))


@contextmanager
def learning() -> Iterator[tuple[Experience, Calibration]]:
    """What was learned so far, to be told more; kept when it ends. Others who learn wait until then."""
    with transaction.atomic():
        ForecastMemory.objects.get_or_create(pk=1)
        ForecastMemory.objects.filter(pk=1).update(revision=F("revision") + 1)  # holds the row, on every database
        memory = ForecastMemory.objects.get(pk=1)
        experience, calibration = Experience.load(memory.experience), Calibration.load(memory.calibration)
        yield experience, calibration
        memory.experience, memory.calibration = experience.dump(), calibration.dump()
        memory.save(update_fields=["experience", "calibration"])


def score(now: dt.datetime) -> int:
    """Finds how forecasts turned out: of shipments that are made, or will never be. Each teaches once."""
    unscored = ShipmentForecast.objects.filter(scored_at=None)
    over = Q(shipment__ready_at__isnull=False) | Q(shipment__state=Shipment.State.CANCELLED)
    ended = list(unscored.filter(over).select_related("shipment").order_by("shipment__ready_at", "pk")[:AT_ONCE])
    if not ended:
        return 0
    left_out = _held_by_hand(ended)
    still_open = unscored.count() - len(ended)
    with learning() as (experience, calibration):
        for row in ended:
            _score(row, row.shipment_id in left_out, experience, calibration, still_open, now)
    return len(ended)


def _score(
    row: ShipmentForecast,
    left_out: bool,
    experience: Experience,
    calibration: Calibration,
    still_open: int,
    now: dt.datetime,
) -> None:
    made_at = row.shipment.ready_at
    forecast = forecast_of(row)
    place = forecast.part(made_at.timestamp()) if made_at and not left_out else None
    if not ShipmentForecast.objects.filter(pk=row.pk, scored_at=None).update(scored_at=now, place=place):
        return  # somebody else scored it at this moment
    if made_at is None or place is None:
        return
    done = made_at.timestamp()
    experience.order_done(forecast, done)
    said = Said(row.kind, tuple(each.timestamp() for each in (row.ready_p50, row.ready_p90, row.ready_p97)))
    calibration.learn(said, place, done, still_open)


def forecast_of(row: ShipmentForecast) -> Forecast:
    """The distribution that its dates were read from."""
    stored = dict(row.forecast)
    begins = tuple(stored.get("begins", ()))
    return Forecast(**stored | {"chance": Chance(**stored["chance"]), "begins": begins})


def _held_by_hand(rows: Iterable[ShipmentForecast]) -> set[object]:
    """Shipments that a person held back: nobody could foresee that, and nothing is learned from it."""
    shipments = [row.shipment_id for row in rows]
    events = JobEvent.objects.filter(job__shipment__in=shipments, text__startswith=HELD_BY_HAND)
    return set(events.values_list("job__shipment", flat=True))


def _instant(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
