"""Two hundred writers report to gunicorn, by progress every five seconds and on each change; and all at once."""

from __future__ import annotations

import heapq
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from storefront.demo.commands import LOOPBACK, Commands, python
from tests.bench.measuring import ROOT, Row, timed
from tests.bench.virtual_fleet import VirtualWriter, read
from tests.production.stack import answers, free_port, wait
from tests.servers.postgres import running_postgres

WRITERS: Final = 200
EVERY: Final = 5.0  # seconds between two reports of a writer at work
CHANGES: Final = 3  # every third report tells of a disc that is done
SECONDS: Final = 60.0
AT_ONCE: Final = 16  # calls under way at most


def measure(folder: Path, rounds: int) -> list[Row]:
    rows = _on("SQLite", folder / "sqlite", "", rounds)
    with running_postgres() as postgres:
        return rows + _on("PostgreSQL", folder / "postgresql", postgres.url(), rounds)


def _on(database: str, folder: Path, url: str, rounds: int) -> list[Row]:
    folder.mkdir()
    with running_web(folder, url) as (port, env):
        seeded = subprocess.run(
            python("-m", "tests.bench.virtual_fleet", str(WRITERS)), cwd=ROOT, env=env, check=True, capture_output=True
        )
        fleet = read(seeded.stdout.decode())
        _at_the_real_rate(fleet, port, 10.0)  # warms up
        calls = [1000 * _p95(_at_the_real_rate(fleet, port, SECONDS)) for _ in range(min(rounds, 3))]
        herd = [timed(lambda: _all_at_once(fleet, port)) for _ in range(min(rounds, 3))]
    return [
        Row(f"A report of one of 200 writers taken, p95, on {database}", "–", tuple(calls), (), 50, "ms"),
        Row(f"… all 200 come back at once: until each was taken, on {database}", "–", tuple(herd), (), 15),
    ]


@contextmanager
def running_web(folder: Path, database: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The shop's own web server with a migrated database; its port, and its environment."""
    port = free_port()
    commands = Commands(folder, port, free_port())
    env = commands.environment() | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "storefront.settings"}
    env["SPINDLE_LOG_LEVEL"] = "WARNING"
    subprocess.run(python("manage.py", "migrate", "--verbosity", "0"), cwd=ROOT, env=env, check=True)
    with (folder / "web.log").open("wb") as log:
        web = subprocess.Popen(commands.web(), cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        wait(lambda: answers(port), "the web server")
        yield port, env
    finally:
        web.terminate()
        web.wait()


def report(writer: VirtualWriter, port: int) -> float:
    """One report as an agent sends it, on a connection of its own; the seconds until its answer was there."""
    body = writer.state().model_dump_json().encode()
    headers = {"Authorization": f"Bearer {writer.token}", "Content-Type": "application/json"}

    def call() -> None:
        connection = HTTPConnection(LOOPBACK, port, timeout=60)
        try:
            connection.request("POST", f"/api/v1/writers/{writer.uuid}/report", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
        finally:
            connection.close()

    return timed(call)


def _at_the_real_rate(fleet: Sequence[VirtualWriter], port: int, seconds: float) -> list[float]:
    """Each writer by its own clock; one that waits for its turn here counts from when it was to begin, as it would."""
    began = time.perf_counter()
    due = [(began + EVERY * number / len(fleet), number, 0) for number in range(len(fleet))]
    heapq.heapify(due)
    taken: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                at, number, turn = heapq.heappop(due)
                if at > began + seconds:
                    heapq.heappush(due, (at, number, turn))
                    return
                heapq.heappush(due, (at + EVERY, number, turn + 1))
            time.sleep(max(0.0, at - time.perf_counter()))  # until it is this writer's time
            fleet[number].move(finish=turn % CHANGES == CHANGES - 1)
            took = report(fleet[number], port)
            with lock:
                taken.append(took)

    _in_threads(work, AT_ONCE)
    return taken


def _all_at_once(fleet: Sequence[VirtualWriter], port: int) -> None:
    """As after a server that was away: two hundred connections in the same moment."""
    for writer in fleet:
        writer.move(finish=True)
    with ThreadPoolExecutor(len(fleet)) as crowd:
        list(crowd.map(lambda writer: report(writer, port), fleet))


def _in_threads(work: Callable[[], None], count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]
