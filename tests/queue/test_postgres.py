"""PostgreSQL is killed, restarted, and cuts its connections while work is under way (F21)."""

from __future__ import annotations

import time

import psycopg
import pytest

from tests.faults.ending import ends_well
from tests.faults.plant import Plant, answers
from tests.queue.outage import at_agents, buy, wait

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

GOES_ON = 60.0  # seconds; the log is recovered first, and agents pause between their tries to fetch
CUTS = 12
CUT = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"""


def test_connections_that_are_cut_cost_nothing_but_time(postgres_plant: Plant) -> None:
    plant = postgres_plant
    assert plant.postgres is not None
    order, _ = buy(plant, "MIDDLING", 4)

    with psycopg.connect(plant.postgres.url(), autocommit=True) as connection:
        for _ in range(CUTS):  # between two there is time for some work, and never for all of it
            next_at = time.monotonic() + 0.7
            wait(plant, lambda at=next_at: time.monotonic() > at, "the next cut")  # type: ignore[misc]  # bound now
            connection.execute(CUT)
    ends_well(plant, order)
    assert answers(plant.commands.shop_url)


def test_a_killed_server_is_back_and_work_goes_on(postgres_plant: Plant) -> None:
    plant = postgres_plant
    order, _ = buy(plant, "QUICK", 2)
    plant.kill("postgres")
    assert answers(plant.commands.shop_url)  # an error page is an answer
    plant.start("postgres")
    wait(plant, lambda: at_agents(plant, order), "dispatch", GOES_ON)
    page, seconds = buy(plant, "QUICK", 1)
    assert seconds
    for process in ("web", "worker", "beat"):
        assert plant.running[process].poll() is None, plant.story()
    ends_well(plant, order, page)
