"""How soon work goes on after the worker was killed in a visit, and results are booked after an agent's return."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measuring import Row
from tests.faults.ending import ends_well
from tests.faults.plant import AGENTS, Plant, answers, running_plant
from tests.queue.outage import all_booked, at_agents, buy, finished_at_agents, visited, wait


def measure(folder: Path, rounds: int) -> list[Row]:
    rounds = min(rounds, 3)  # each takes a minute
    with running_plant(postgres=False) as plant:
        dispatch = tuple(_dispatch_after_kill(plant) for _ in range(rounds))
        booking = tuple(_booked_after_return(plant) for _ in range(rounds))
    return [
        Row("Dispatch after the killed worker's restart", "–", dispatch, (), 15),
        Row("Results booked after the agents' return", "–", booking, (), 10),
    ]


def _dispatch_after_kill(plant: Plant) -> float:
    for agent in AGENTS:
        plant.freeze(agent)  # so that the visit hangs in a call, and the worker dies in the middle of it
    order, _ = buy(plant, "QUICK", 2)
    wait(plant, lambda: visited(plant), "a visit")
    plant.kill("worker")
    for agent in AGENTS:
        plant.thaw(agent)
    plant.start("worker")
    seconds = wait(plant, lambda: at_agents(plant, order), "dispatch")
    ends_well(plant, order)
    return seconds


def _booked_after_return(plant: Plant) -> float:
    """The server is away while the agents finish; they are away when it comes back."""
    order, _ = buy(plant, "MIDDLING", 2)
    wait(plant, lambda: at_agents(plant, order), "dispatch")
    had = finished_at_agents(plant)
    plant.kill("web")
    wait(plant, lambda: len(finished_at_agents(plant) - had) == 2, "the agents to finish without the server")
    for agent in AGENTS:
        plant.kill(agent)
    plant.start("web")
    wait(plant, lambda: answers(plant.commands.shop_url), "the shop")
    for agent in AGENTS:
        plant.start(agent)
    seconds = wait(plant, lambda: all_booked(plant), "the results")
    ends_well(plant, order)
    return seconds
