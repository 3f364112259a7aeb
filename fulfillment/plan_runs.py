"""Stores roll-forwards, and reads the newest one back. A date that was shown can be replayed from its row."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import asdict, replace
from typing import Any, Final

from django.db.models import Exists, OuterRef
from pydantic import TypeAdapter

from fulfillment.models import PlanRun, Shipment
from fulfillment.planning.belief import Belief
from fulfillment.planning.forecast import Forecast
from fulfillment.planning.model import Projection, Snapshot
from fulfillment.planning.policies import Policy
from fulfillment.planning.projection import project

FRESH: Final = dt.timedelta(minutes=1)  # an older run is no ground for a promise
KEPT: Final = dt.timedelta(hours=3)  # longer than a payment page is open; for ever if a promise stands on it
OF_JOBS: Final = ("finishes", "forecasts", "bars", "waits")  # what is read apart: it is much, and few ask for it
BELIEF: Final = Belief()  # while nothing was learned

_BELIEF: Final = TypeAdapter(Belief)
_PROJECTION: Final = TypeAdapter(Projection)
_SNAPSHOT: Final = TypeAdapter(Snapshot)


def reckon(snapshot: Snapshot, policy: Policy, now: dt.datetime, belief: Belief = BELIEF) -> tuple[PlanRun, Projection]:
    """Rolls the plan forward. The run holds what was seen and what came out; whoever wants to keep it saves it."""
    began = time.perf_counter()
    projection = project(snapshot, policy, now.timestamp(), chance=belief.chance)
    # Of a forecast, what all of them have in common is in the row already.
    stored = asdict(replace(projection, forecasts={}))
    stored["forecasts"] = {job: _own(forecast) for job, forecast in projection.forecasts.items()}
    run = PlanRun(
        at=now,
        policy=policy.name,
        snapshot=_plain(asdict(snapshot)),
        belief=_plain(asdict(belief)),
        projection=_plain({name: value for name, value in stored.items() if name not in OF_JOBS}),
        jobs=_plain({name: stored[name] for name in OF_JOBS}),
        milliseconds=(time.perf_counter() - began) * 1000,
    )
    return run, projection


def newest(now: dt.datetime) -> PlanRun | None:
    """The newest run, if it is fresh, without what only a replay or a board of all jobs needs."""
    return PlanRun.objects.filter(at__gte=now - FRESH).defer("snapshot", "jobs").order_by("-id").first()


def standing(run: PlanRun) -> Projection:
    """What it leaves to those who come after it: nothing of its jobs."""
    return _PROJECTION.validate_python({"finishes": {}} | run.projection)


def read(run: PlanRun) -> Projection:
    """All that came out of it."""
    believed, at = belief(run), run.at.timestamp()
    own: dict[str, tuple[float, float, float, int, int, list[float]]] = run.jobs.get("forecasts", {})
    forecasts = {
        job: Forecast(at, start, doubt, disc, last, earlier, believed.chance, tuple(begins))
        for job, (start, doubt, disc, last, earlier, begins) in own.items()
    }
    whole = {"finishes": {}} | run.projection | run.jobs | {"forecasts": {}}
    return replace(_PROJECTION.validate_python(whole), forecasts=forecasts)


def seen(run: PlanRun) -> Snapshot:
    """What it saw."""
    return _SNAPSHOT.validate_python(run.snapshot)


def busy_until(run: PlanRun) -> dict[tuple[str, str], float]:
    """When each drive (its writer's key and its own) is done with what was given out. A board of all of them asks it
    every few seconds: what was seen of the jobs is not looked at."""
    return {
        (writer["id"], drive["id"]): drive["free_at"]
        for writer in run.snapshot["writers"]
        for drive in writer["drives"]
    }


def belief(run: PlanRun) -> Belief:
    """What was believed of chance then."""
    return _BELIEF.validate_python(run.belief)


def sweep(now: dt.datetime) -> int:
    """Drops old runs on which no promise stands."""
    promised = Shipment.objects.filter(plan_run=OuterRef("pk"))
    dropped, _ = PlanRun.objects.filter(~Exists(promised), at__lt=now - KEPT).delete()
    return dropped


def _own(forecast: Forecast) -> list[object]:
    begins = list(forecast.begins)
    return [forecast.start, forecast.doubt, forecast.disc, forecast.last, forecast.earlier, begins]


def _plain(value: Any) -> Any:
    """Sets as sorted lists: what JSON can hold, the same for the same content."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
