"""What tests of the queue do to a plant: wait without mending, double a process, and buy with a watch in the hand."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from storefront.demo.customer import Customer, Page
from tests.faults.plant import AGENTS, ROOT, Plant, read_sqlite


def wait(plant: Plant, condition: Callable[[], Any], what: str, seconds: float = 60) -> float:
    """Seconds until it holds. Starts nothing again, unlike the plant's own waiting."""
    began = time.monotonic()
    while not plant._look(condition):
        assert time.monotonic() - began < seconds, f"waited {seconds:.0f} s for {what}\n{plant.story()}"
        time.sleep(0.05)  # between two looks
    return time.monotonic() - began


@contextmanager
def doubled(plant: Plant, process: str, name: str = "") -> Iterator[None]:
    """A second worker or beat beside the first, or another agent of this name."""
    name = name or f"{process}-again"
    with plant.log(name).open("ab") as log:
        plant.running[name] = subprocess.Popen(
            plant._command(process),
            cwd=ROOT,
            env=plant.environment(process) | {"SPINDLE_TEST_POINTS": ""},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        plant.kill(name)


def numbers(plant: Plant) -> set[str]:
    return {str(row["number"]) for row in plant.rows("SELECT number FROM storefront_order")}


class Timed(Customer):
    """Notes how long each page of the shop took."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}

    def _open(self, request: urllib.request.Request) -> Page:
        began = time.monotonic()
        page = super()._open(request)
        where = f"{request.get_method()} {urlsplit(request.full_url).path}"
        self.seconds[where] = time.monotonic() - began
        return page


def buy(plant: Plant, part_number: str, copies: int) -> tuple[str, dict[str, float]]:
    """The order's number, and how long each page took."""
    before = numbers(plant)
    customer = Timed()
    customer.order(plant.commands.shop_url, part_number, copies)
    (number,) = numbers(plant) - before
    return number, customer.seconds


def at_agents(plant: Plant, order: str) -> bool:
    """Whether all of the order's discs were given to agents that took them."""
    states = plant.rows(
        f"SELECT w.state FROM devices_write w JOIN fulfillment_writeshare s ON s.write_id = w.id"  # noqa: S608  (our own number)
        f" JOIN fulfillment_job j ON j.id = s.job_id WHERE j.reference LIKE '{order}%'"
    )
    return bool(states) and {row["state"] for row in states} <= {"accepted", "writing", "done"}


def visited(plant: Plant) -> bool:
    """Whether a worker is in a visit now."""
    return bool(plant.rows("SELECT id FROM devices_writer WHERE attended_until IS NOT NULL"))


def finished_at_agents(plant: Plant) -> set[str]:
    """Serials that the agents' own journals call good, whether the server has heard of them or not."""
    journals = [plant.folder / agent / "state" / "journal.sqlite3" for agent in AGENTS]
    rows = [row for journal in journals for row in read_sqlite(journal, "SELECT serial, state FROM discs")]
    return {str(row["serial"]) for row in rows if row["state"] == "good"}


def booked(plant: Plant) -> set[str]:
    return {str(row["serial"]) for row in plant.rows("SELECT serial FROM devices_disc WHERE state = 'good'")}


def all_booked(plant: Plant) -> bool:
    """Of every agent's journal as it is now: one that was deleted has left its discs with the server alone."""
    return finished_at_agents(plant) <= booked(plant)
