"""From a write being due (image there, drive free) to its agent having it, with the real worker, beat and Redis."""

from __future__ import annotations

import statistics
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.bench.measuring import Row
from tests.faults.ending import ends_well
from tests.faults.plant import Plant, running_plant
from tests.queue.outage import buy

ORDERS: Final = 20  # a round
TIMES: Final = "SELECT id, queued_at, accepted_at FROM devices_write WHERE accepted_at IS NOT NULL"


def measure(folder: Path, rounds: int) -> list[Row]:
    with running_plant(postgres=False) as plant:
        first, _ = buy(plant, "QUICK", 6)  # brings the image to both writers
        ends_well(plant, first)
        seconds = tuple(_p95(plant) for _ in range(min(rounds, 3)))
    return [Row("From a write being due to its agent having it, p95", "–", seconds, (), 1)]


def _p95(plant: Plant) -> float:
    known = {row["id"] for row in plant.rows(TIMES)}
    orders = [buy(plant, "QUICK", 1)[0] for _ in range(ORDERS)]
    ends_well(plant, *orders)
    took = [
        (
            datetime.fromisoformat(str(row["accepted_at"])) - datetime.fromisoformat(str(row["queued_at"]))
        ).total_seconds()
        for row in plant.rows(TIMES)
        if row["id"] not in known
    ]
    return statistics.quantiles(took, n=20)[-1]
