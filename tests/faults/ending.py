"""How a test of kills ends: the order is made by itself, everything comes to rest, and nothing is violated."""

from __future__ import annotations

from typing import Final

from tests.faults import checker
from tests.faults.evidence import Evidence, gather
from tests.faults.plant import Plant

BOUND: Final = 120.0  # seconds from the last kill to a shipment that is ready


def evidence_of(plant: Plant) -> Evidence:
    return gather(plant.folder, plant.postgres.url() if plant.postgres else "")


def await_ready(plant: Plant, order: str, seconds: float = BOUND) -> None:
    """Without anybody's help."""
    plant.await_true(lambda: plant.state_of(order) == "ready", f"order {order} to be ready", seconds)


def await_rest(plant: Plant, seconds: float = BOUND) -> None:
    plant.await_true(lambda: not list(checker.rest(evidence_of(plant))), "everything to come to rest", seconds)


def check(plant: Plant) -> None:
    found = checker.violations(evidence_of(plant))
    assert found == [], "\n".join([*found, plant.story()])


def ends_well(plant: Plant, *orders: str) -> None:
    for order in orders:
        await_ready(plant, order)
    await_rest(plant)
    check(plant)
