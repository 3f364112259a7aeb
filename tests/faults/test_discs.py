"""Kills while a disc is written: its blank is spent, its serial never comes back, and another disc takes its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.buyer import Buyer
from tests.faults.ending import await_ready, ends_well
from tests.faults.plant import AGENTS, PROCESSES, Plant, Point
from tests.faults.stock import TITLES

pytestmark = pytest.mark.timeout(300)


def await_disc(plant: Plant, share: float, seconds: float = 60) -> tuple[str, str]:
    """The agent and the serial of the next disc, once this share of its image is on it."""
    known = set(plant.burns.read_text().splitlines()) if plant.burns.exists() else set()
    plant.await_true(
        lambda: plant.burns.exists() and set(plant.burns.read_text().splitlines()) - known, "a burn", seconds
    )
    (line, *_) = set(plant.burns.read_text().splitlines()) - known
    path = Path(line.removeprefix("dev=stdio:"))
    deadline = time.monotonic() + seconds
    while share and not (path.exists() and path.stat().st_size >= share * TITLES["LONG"]):
        assert time.monotonic() < deadline, plant.story()
        time.sleep(0.002)  # 99 % lasts a tenth of a second
    return path.parent.parent.name, path.stem


def state_of(plant: Plant, serial: str) -> str:
    rows = plant.rows("SELECT serial, state FROM devices_disc")
    return str(next(row["state"] for row in rows if row["serial"] == serial))


@pytest.mark.parametrize(
    ("share", "with_burner"),
    [
        pytest.param(share, dies, id=f"{share:.0%}, burner {'dies too' if dies else 'lives on'}", marks=marks)
        for share in (0.0, 0.01, 0.5, 0.99)
        for dies in (False, True)
        for marks in [() if (share, dies) == (0.5, False) else pytest.mark.slow]
    ],
)
def test_agent_killed_while_it_writes(plant: Plant, share: float, with_burner: bool) -> None:  # F11
    order = Buyer(plant).order("LONG", 1)
    agent, serial = await_disc(plant, share)
    plant.kill(agent, with_burner=with_burner)
    ends_well(plant, order)
    assert state_of(plant, serial) == "unknown"


@pytest.mark.slow
def test_agent_killed_at_100_percent_before_its_journal_says_so(plant: Plant) -> None:  # F12
    order = Buyer(plant).order("LONG", 1)
    agent, serial = await_disc(plant, 0.01)  # which of the two has it, the planner says
    plant.arm(Point(agent, "devices.agent.ledger.Ledger.finish", "before-commit"))
    plant.await_points()
    ends_well(plant, order)
    assert state_of(plant, serial) == "unknown"


@pytest.mark.slow
@pytest.mark.parametrize("process", ["redis", "web", "worker", "beat", "stripe"])
def test_whoever_else_dies_while_a_disc_is_written_it_becomes_good(plant: Plant, process: str) -> None:
    order = Buyer(plant).order("LONG", 1)
    _, serial = await_disc(plant, 0.5)
    plant.kill(process)
    ends_well(plant, order)
    assert state_of(plant, serial) == "good"


@pytest.mark.slow
def test_a_power_cut_of_everything_while_two_discs_are_written(plant: Plant) -> None:
    order = Buyer(plant).order("LONG", 2)
    await_disc(plant, 0.5)
    for process in PROCESSES:
        plant.kill(process, with_burner=process in AGENTS)
    ends_well(plant, order)


@pytest.mark.slow
@pytest.mark.parametrize("process", ["web", "agent-1"])
def test_a_partition_from_one_side_or_both_costs_no_disc(plant: Plant, process: str) -> None:  # F16
    """The shop hears nothing for longer than it takes to ask; the burner doesn't notice."""
    order = Buyer(plant).order("LONG", 1)
    agent, serial = await_disc(plant, 0.5)
    frozen = agent if process in AGENTS else process
    plant.freeze(frozen)
    cut_off = time.monotonic() + 40
    plant.await_true(lambda: time.monotonic() > cut_off, "the partition to last", 50)
    plant.thaw(frozen)
    ends_well(plant, order)
    assert state_of(plant, serial) == "good"


@pytest.mark.slow
@pytest.mark.parametrize("process", ["postgres", "redis", "worker", "web", "agent-1"])
def test_kills_on_postgresql(postgres_plant: Plant, process: str) -> None:
    plant = postgres_plant
    order = Buyer(plant).order("LONG", 1)
    await_disc(plant, 0.5)
    plant.kill(process)
    ends_well(plant, order)


def test_postgresql_killed_between_payment_and_disc(postgres_plant: Plant) -> None:
    order = Buyer(postgres_plant).order("QUICK", 2)
    postgres_plant.kill("postgres")
    await_ready(postgres_plant, order)
    ends_well(postgres_plant, order)
