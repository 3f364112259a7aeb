"""Stores roll-forwards, and reads the newest one back. A date that was shown can be replayed from its row."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import asdict, replace
from typing import Any, Final

from django.db.models import Exists, OuterRef

from fulfillment.models import PlanRun, Shipment
from fulfillment.planning.model import DriveView, Projection, Rates, Snapshot, WriterView
from fulfillment.planning.policies import Policy
from fulfillment.planning.projection import project

FRESH: Final = dt.timedelta(minutes=1)  # an older run is no ground for a promise
KEPT: Final = dt.timedelta(hours=3)  # longer than a payment page is open; for ever if a promise stands on it


def reckon(snapshot: Snapshot, policy: Policy, now: dt.datetime) -> tuple[PlanRun, Projection]:
    """Rolls the plan forward. The run holds what was seen and what came out; whoever wants to keep it saves it."""
    began = time.perf_counter()
    projection = project(snapshot, policy, now.timestamp())
    run = PlanRun(
        at=now,
        policy=policy.name,
        snapshot=_plain(asdict(snapshot)),
        projection=_plain(asdict(replace(projection, forecasts={}))),  # they can be reckoned again from the snapshot
        milliseconds=(time.perf_counter() - began) * 1000,
    )
    return run, projection


def newest(now: dt.datetime) -> tuple[PlanRun, Projection] | None:
    """The newest run, if it is fresh."""
    run = PlanRun.objects.filter(at__gte=now - FRESH).defer("snapshot").order_by("-id").first()
    return (run, read(run)) if run else None


def read(run: PlanRun) -> Projection:
    stored = run.projection
    return Projection(
        finishes=stored["finishes"],
        writers=tuple(_writer(writer) for writer in stored["writers"]),
        blanks_until=stored.get("blanks_until", {}),
        ahead=stored.get("ahead", {}),
    )


def sweep(now: dt.datetime) -> int:
    """Drops old runs on which no promise stands."""
    promised = Shipment.objects.filter(plan_run=OuterRef("pk"))
    dropped, _ = PlanRun.objects.filter(~Exists(promised), at__lt=now - KEPT).delete()
    return dropped


def _writer(stored: dict[str, Any]) -> WriterView:
    drives = tuple(
        DriveView(
            drive["id"],
            frozenset(drive["formats"]),
            drive["free_at"],
            drive.get("by_hand", 0.0),
            Rates(**drive["rates"]) if drive.get("rates") else None,
        )
        for drive in stored["drives"]
    )
    return WriterView(
        id=stored["id"],
        drives=drives,
        rates=Rates(**stored["rates"]),
        cached=frozenset(stored["cached"]),
        blanks=stored["blanks"],
        link_free_at=stored["link_free_at"],
        outstanding=stored["outstanding"],
        disk=stored.get("disk"),
    )


def _plain(value: Any) -> Any:
    """Sets as sorted lists: what JSON can hold, the same for the same content."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
