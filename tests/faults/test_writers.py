"""A frozen worker that wakes up late; agents with a journal of yesterday, with none, and twice; a server away."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from storefront.demo.commands import python
from tests.faults.buyer import Buyer
from tests.faults.ending import await_ready, ends_well
from tests.faults.plant import AGENTS, ROOT, Plant, Point, answers, free_ports, read_sqlite
from tests.queue.outage import all_booked, doubled, finished_at_agents, wait

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

RESUME = """
import sys, django
django.setup()
from django.utils import timezone
from devices import lifecycle
from devices.models import Writer
assert lifecycle.resume(Writer.objects.get(name=sys.argv[1]), who="user:1 Anna", why="inspected", now=timezone.now())
"""


def resume(plant: Plant, writer: str) -> None:
    """As an operator does it."""
    subprocess.run(python("-c", RESUME, writer), cwd=ROOT, env=plant.environment(), check=True)


def reasons(plant: Plant, writer: str) -> str:
    rows = plant.rows("SELECT name, reasons FROM devices_writer")
    return next(str(row["reasons"]) for row in rows if row["name"] == writer)


def journal_of(plant: Plant, agent: str) -> dict[str, str]:
    """State by serial."""
    path = plant.folder / agent / "state" / "journal.sqlite3"
    return {row["serial"]: row["state"] for row in read_sqlite(path, "SELECT serial, state FROM discs")}


def test_a_task_that_was_frozen_before_its_call_repeats_nothing(plant: Plant) -> None:  # F18
    """Its lease runs out and another task makes the call; then it wakes up, and makes it too."""
    plant.arm(Point("worker", "devices.client.AgentClient.put_write", "before-call", alone=True, freeze=True))
    order = Buyer(plant).order("QUICK", 2)
    plant.await_true(lambda: "worker" in plant.frozen, "the task to freeze")
    ends_well(plant, order)
    plant.thaw("worker")
    ends_well(plant, order, Buyer(plant).order("QUICK", 1))


def test_an_agent_with_a_journal_of_yesterday_writes_no_serial_twice(plant: Plant) -> None:  # F17, rule 6
    """The copy was made when discs were planned that were written since: to this agent they still wait."""
    plant.arm(Point("agent-1", "devices.agent.ledger.Ledger.start", "before-commit", freeze=True))
    order = Buyer(plant).order("QUICK", 2)
    plant.await_true(lambda: "agent-1" in plant.frozen, "a disc that is about to start")
    state, copy = plant.folder / "agent-1" / "state", plant.folder / "yesterday"
    shutil.copytree(state, copy)
    assert set(journal_of(plant, "agent-1").values()) >= {"planned"}
    plant.thaw("agent-1")
    ends_well(plant, order)

    plant.kill("agent-1")
    shutil.rmtree(state)
    shutil.copytree(copy, state)
    assert "planned" in journal_of(plant, "agent-1").values()
    plant.await_true(lambda: "journal-lost" in reasons(plant, "Writer 1"), "the writer to be stopped")
    others = Buyer(plant).order("QUICK", 2)
    await_ready(plant, others)  # the other writer makes it
    resume(plant, "Writer 1")
    plant.await_true(lambda: "planned" not in journal_of(plant, "agent-1").values(), "what waits there to be given up")
    last = Buyer(plant).order("QUICK", 3)
    ends_well(plant, order, others, last)


def test_discs_begun_under_a_lost_journal_are_unknown_and_made_anew(plant: Plant) -> None:
    state, copy = plant.folder / "agent-1" / "state", plant.folder / "before"
    plant.kill("agent-1")
    shutil.copytree(state, copy)
    plant.mend()
    order = Buyer(plant).order("LONG", 2)
    plant.await_true(lambda: plant.rows("SELECT id FROM devices_disc WHERE state = 'started'"), "a disc to start")
    plant.kill("agent-1", with_burner=True)
    shutil.rmtree(state)
    shutil.copytree(copy, state)
    plant.await_true(lambda: "journal-lost" in reasons(plant, "Writer 1"), "the writer to be stopped")
    ends_well(plant, order)
    resume(plant, "Writer 1")
    plant.await_true(lambda: "journal-lost" not in reasons(plant, "Writer 1"), "the writer to go on")
    ends_well(plant, order, Buyer(plant).order("QUICK", 3))


def test_an_agent_whose_journal_was_deleted_waits_for_a_person(plant: Plant) -> None:
    order = Buyer(plant).order("LONG", 2)
    plant.await_true(lambda: plant.rows("SELECT id FROM devices_disc WHERE state = 'started'"), "a disc to start")
    plant.kill("agent-1", with_burner=True)
    for file in (plant.folder / "agent-1" / "state").glob("journal.*"):
        file.unlink()
    plant.await_true(lambda: "journal-lost" in reasons(plant, "Writer 1"), "the writer to be stopped")
    ends_well(plant, order)  # by the other one
    assert journal_of(plant, "agent-1") == {}
    resume(plant, "Writer 1")
    plant.await_true(lambda: "journal-lost" not in reasons(plant, "Writer 1"), "the writer to go on")
    ends_well(plant, order, Buyer(plant).order("QUICK", 3))


@contextmanager
def cloned(plant: Plant, agent: str) -> Iterator[str]:
    """A copy of the agent's folder runs beside it on another port, as after a restored machine."""
    name = f"{agent}-clone"
    plant.kill(agent, with_burner=True)
    shutil.copytree(plant.folder / agent, plant.folder / name)
    config = plant.folder / name / "agent.toml"
    lines = config.read_text().splitlines()
    (port,) = free_ports(1)
    config.write_text("\n".join(f'listen = "127.0.0.1:{port}"' if "listen" in line else line for line in lines))
    plant.mend()
    known = journal_of(plant, name)
    with doubled(plant, name, name):
        yield name
    assert journal_of(plant, name) == known, "the copy wrote a disc"
    shutil.rmtree(plant.folder / name)  # the checker knows one folder for each agent


def test_two_agents_with_one_identity_both_stop_until_a_person_says_which(plant: Plant) -> None:  # F17
    with cloned(plant, "agent-1"):
        plant.await_true(lambda: "second-agent" in reasons(plant, "Writer 1"), "both to be stopped")
        order = Buyer(plant).order("QUICK", 2)
        await_ready(plant, order)  # by the other writer
        told = "SELECT id FROM storefront_alert WHERE kind = 'writer-waits' AND key LIKE '%second-agent'"
        plant.await_true(lambda: plant.rows(told), "an alert")
    since = plant.rows("SELECT last_seen FROM devices_writer WHERE name = 'Writer 1'")
    plant.await_true(
        lambda: plant.rows("SELECT last_seen FROM devices_writer WHERE name = 'Writer 1'") != since,
        "the one that is left to be heard",
    )
    resume(plant, "Writer 1")
    plant.await_true(lambda: "second-agent" not in reasons(plant, "Writer 1"), "the writer to go on")
    ends_well(plant, order, Buyer(plant).order("QUICK", 3))


def test_discs_that_were_finished_while_the_server_was_away_are_booked_at_its_return(plant: Plant) -> None:
    """Away for longer than it takes a writer to be called offline: when it is back, nobody was."""
    order = Buyer(plant).order("LONG", 2)
    had = finished_at_agents(plant)
    plant.await_true(lambda: plant.rows("SELECT id FROM devices_disc WHERE state = 'started'"), "a disc to start")
    for process in ("beat", "worker", "web"):
        plant.kill(process)
    wait(plant, lambda: len(finished_at_agents(plant) - had) >= 2, "the agents to finish without the server", 120)
    with closing(sqlite3.connect(plant.folder / "spindle.sqlite3")) as shop, shop:  # minutes that nobody waits for
        shop.execute("UPDATE devices_writer SET last_seen = datetime(last_seen, '-5 minutes')")
    plant.mend()
    wait(plant, lambda: answers(plant.commands.shop_url), "the shop")
    seconds = wait(plant, lambda: all_booked(plant), "the results")
    assert seconds < 10
    assert len(plant.rows("SELECT id FROM devices_writer WHERE state IN ('idle', 'busy')")) == len(AGENTS)
    ends_well(plant, order)
