"""Worker, beat and Redis die, sleep, come twice and are away: the shop sells on, and work goes on soon after."""

from __future__ import annotations

import time

import pytest
import redis

from tests.faults.ending import ends_well
from tests.faults.plant import AGENTS, Plant, answers
from tests.queue.outage import all_booked, at_agents, buy, doubled, finished_at_agents, visited, wait

pytestmark = pytest.mark.timeout(300)

GOES_ON = 15.0  # seconds from a return to the next dispatch
BOOKED = 10.0  # seconds from an agent's return to its results
A_PAGE = 1.0  # seconds that a page may take longer without Redis than with it: nobody waits for a dead server


def test_a_worker_killed_in_a_visit_delays_its_writers_by_seconds(plant: Plant) -> None:
    for agent in AGENTS:
        plant.freeze(agent)  # so that the visit hangs in a call, and the worker dies in the middle of it
    order, _ = buy(plant, "QUICK", 2)
    wait(plant, lambda: visited(plant), "a visit")
    plant.kill("worker")
    for agent in AGENTS:
        plant.thaw(agent)
    plant.start("worker")
    seconds = wait(plant, lambda: at_agents(plant, order), "dispatch")
    print(f"worker's restart to dispatch: {seconds:.1f} s")  # noqa: T201  (told to whoever runs it)
    assert seconds <= GOES_ON
    ends_well(plant, order)


def test_without_redis_the_shop_sells_and_work_goes_on_after_its_return(plant: Plant) -> None:
    _, before = buy(plant, "QUICK", 1)
    plant.kill("redis")
    order, without = buy(plant, "QUICK", 2)
    slower = {page: seconds for page, seconds in without.items() if seconds > before.get(page, 0.0) + A_PAGE}
    assert not slower, slower
    gone_until = time.monotonic() + 12
    wait(plant, lambda: time.monotonic() > gone_until, "the outage to last", 20)
    for process in ("web", "worker", "beat"):
        assert plant.running[process].poll() is None, plant.story()
    plant.start("redis")
    seconds = wait(plant, lambda: at_agents(plant, order), "dispatch")
    print(f"slowest page without Redis {max(without.values()):.2f} s; its return to dispatch: {seconds:.1f} s")  # noqa: T201  (told to whoever runs it)
    assert seconds <= GOES_ON
    ends_well(plant, order)


@pytest.mark.slow
def test_after_a_long_outage_work_goes_on_as_soon(plant: Plant) -> None:
    """Pauses between tries to connect must not have grown: two minutes are as an hour."""
    plant.kill("redis")
    gone_until = time.monotonic() + 120
    order, _ = buy(plant, "QUICK", 2)
    wait(plant, lambda: time.monotonic() > gone_until, "the outage to last", 130)
    plant.start("redis")
    seconds = wait(plant, lambda: at_agents(plant, order), "dispatch")
    assert seconds <= GOES_ON
    ends_well(plant, order)


def test_two_beats_two_workers_and_a_queue_that_is_flushed_lead_to_the_same(plant: Plant) -> None:
    with doubled(plant, "beat"), doubled(plant, "worker"):
        orders = [buy(plant, part_number, 3)[0] for part_number in ("QUICK", "QUICK", "MIDDLING")]
        with redis.Redis(unix_socket_path=str(plant.commands.redis_socket)) as broker:
            for order in orders:
                broker.flushall()
                wait(plant, lambda order=order: at_agents(plant, order), "dispatch")  # type: ignore[misc]  # bound now
                broker.flushall()
    ends_well(plant, *orders)


@pytest.mark.slow
def test_a_worker_that_slept_through_a_visit_changes_nothing_when_it_wakes(plant: Plant) -> None:
    for agent in AGENTS:
        plant.freeze(agent)
    order, _ = buy(plant, "QUICK", 3)
    wait(plant, lambda: visited(plant), "a visit")
    plant.freeze("worker")
    for agent in AGENTS:
        plant.thaw(agent)
    with doubled(plant, "worker"):
        seconds = wait(plant, lambda: at_agents(plant, order), "dispatch by the other worker")
        print(f"worker frozen to dispatch by another: {seconds:.1f} s")  # noqa: T201  (told to whoever runs it)
        plant.thaw("worker")
        ends_well(plant, order)


def test_results_are_booked_soon_after_an_agent_and_after_the_server_is_back(plant: Plant) -> None:
    order, _ = buy(plant, "MIDDLING", 2)
    wait(plant, lambda: at_agents(plant, order), "dispatch")
    had = finished_at_agents(plant)
    plant.kill("web")
    wait(plant, lambda: len(finished_at_agents(plant) - had) == 2, "the agents to finish without the server")
    assert not all_booked(plant)
    for agent in AGENTS:
        plant.kill(agent)
    plant.start("web")
    wait(plant, lambda: answers(plant.commands.shop_url), "the shop")
    for agent in AGENTS:
        plant.start(agent)
    seconds = wait(plant, lambda: all_booked(plant), "the results")
    print(f"agents' return to booked: {seconds:.1f} s")  # noqa: T201  (told to whoever runs it)
    assert seconds <= BOOKED
    ends_well(plant, order)
