"""The whole shop as real processes in a folder of its own, each killed, frozen and restarted by name.

Restarts what has died, as a supervisor does, and remembers who died when. Decides nothing about right or wrong.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from storefront.demo.commands import LOOPBACK, Commands, python
from tests.made_once import lay_out
from tests.servers.postgres import Postgres

ROOT: Final = Path(__file__).resolve().parents[2]
POINTS: Final = Path(__file__).parent / "points"
AGENTS: Final = ("agent-1", "agent-2")
PROCESSES: Final = ("redis", "stripe", "web", "worker", "beat", *AGENTS)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is to die: at the n-th `event` (before-commit, after-commit, before-call, after-reply) that
    happens with `function` on the stack. `alone`: not with the processes it started or was started by. `freeze`:
    it is stopped there, until it is thawed."""

    process: str
    function: str
    event: str
    nth: int = 1
    alone: bool = False
    freeze: bool = False

    def __str__(self) -> str:
        nth = f", time {self.nth}" if self.nth > 1 else ""
        alone = ", the one alone" if self.alone else ""
        return f"{self.process} {self.event} in {self.function.rpartition('.')[2]}{nth}{alone}"


@dataclass
class Plant:
    folder: Path
    commands: Commands
    addresses: tuple[str, ...]
    postgres: Postgres | None = None
    history: list[str] = field(default_factory=list)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)
    _redis_died: bool = False
    _waiting: dict[str, list[Point]] = field(default_factory=dict)
    _unmet: list[Point] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)  # who kills and who mends are two threads

    # -- processes -------------------------------------------------------------------------------------------------

    def environment(self, process: str = "") -> dict[str, str]:
        mine = {
            "DJANGO_SETTINGS_MODULE": "storefront.settings",
            "PATH": f"{POINTS}:{os.environ['PATH']}",
            "PYTHONPATH": f"{POINTS}:{ROOT}",
            "SPINDLE_TEST_POINTS": str(self.points),
            "SPINDLE_TEST_PROCESS": process,
            "SPINDLE_TEST_BURNS": str(self.burns),
            "DATABASE_URL": self.postgres.url() if self.postgres else "",  # whatever the tests around us use
            "REDIS_URL": f"redis+socket://{self.commands.redis_socket}?virtual_host=0",
        }
        return self.commands.environment() | mine

    @property
    def points(self) -> Path:
        return self.folder / "points"

    @property
    def burns(self) -> Path:
        return self.folder / "burns"

    def log(self, process: str) -> Path:
        return self.folder / f"{process}.log"

    def _command(self, process: str) -> list[str]:
        match process:
            case "redis":
                return self.commands.redis(shutil.which("redis-server") or "redis-server")
            case "stripe":
                return self.commands.stand_in(self.folder / "stripe-ledger.sqlite3")
            case "web":
                return self.commands.web(workers=1)
            case "worker":
                return self.commands.worker()
            case "beat":
                return self.commands.beat()
            case _:
                return self.commands.agent(self.folder / process / "agent.toml")

    def start(self, process: str) -> None:
        if process == "postgres" and self.postgres:
            self.postgres.start()
            return
        with self.log(process).open("ab") as log:
            self.running[process] = subprocess.Popen(
                self._command(process),
                cwd=ROOT,
                env=self.environment(process),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, process: str, *, with_burner: bool = False) -> None:
        """SIGKILL to the process and all it forked; a burner lives on, as one beside a dead agent does."""
        self.note(f"{process} killed{' with its burner' if with_burner else ''}")
        if process == "postgres" and self.postgres:
            self.postgres.kill()
            return
        with self._lock:
            self._redis_died = self._redis_died or process == "redis"
            self._signal(process, signal.SIGKILL)
            for pid in self.burners(process) if with_burner else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if held := self.running.pop(process, None):
                held.wait()
            self.frozen.discard(process)

    def freeze(self, process: str) -> None:
        self.note(f"{process} frozen")
        self._signal(process, signal.SIGSTOP)
        self.frozen.add(process)

    def thaw(self, process: str) -> None:
        self.note(f"{process} thawed")
        self._signal(process, signal.SIGCONT)
        self.frozen.discard(process)

    def _signal(self, process: str, number: signal.Signals) -> None:
        if process in self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.running[process].pid, number)

    def alive(self) -> set[str]:
        return {process for process, held in self.running.items() if held.poll() is None}

    def burners(self, agent: str) -> list[int]:
        """Processes of xorriso that write into this agent's folder."""
        wanted = f"{self.folder / agent}/".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"xorriso") and any(wanted in word for word in words):
                    found.append(int(entry.name))
        return found

    # -- points ----------------------------------------------------------------------------------------------------

    def arm(self, *points: Point) -> None:
        """Each process dies at its points in this order, the next one armed while it is dead."""
        for point in points:
            self._waiting.setdefault(point.process, []).append(point)
            self._unmet.append(point)
        for process in self._waiting:
            self._arm_next(process)

    def _arm_next(self, process: str) -> None:
        armed = self.points / f"{process}.json"
        if armed.exists() or not (waiting := self._waiting.get(process)):
            return
        point = waiting.pop(0)
        draft = self.points / "draft"
        draft.write_text(json.dumps(asdict(point)))
        draft.rename(armed)  # whole from the first moment on
        self.note(f"armed: {point}")

    def _take_fired(self) -> None:
        for fired in self.points.glob("*.fired"):
            process = fired.name.partition(".")[0]
            fired.unlink()
            point = next(point for point in self._unmet if point.process == process)
            self._unmet.remove(point)
            self.note(f"{'frozen' if point.freeze else 'died'}: {point}")
            if point.freeze:
                self.frozen.add(process)

    def await_points(self, seconds: float = 60) -> None:
        """A point that is never reached proves nothing."""
        self.await_true(self._met, "each point to be reached", seconds)

    def met_points(self, seconds: float) -> bool:
        """Whether each point is reached in this time."""
        deadline = time.monotonic() + seconds
        while not self._met() and time.monotonic() < deadline:
            time.sleep(0.05)  # between two looks
        return not self._unmet

    def _met(self) -> bool:
        self.mend()
        return not self._unmet

    def disarm(self) -> None:
        """What a failed test left behind must not meet the next one."""
        self._waiting.clear()
        self._unmet.clear()
        for armed in self.points.glob("*.json*"):
            armed.unlink(missing_ok=True)

    # -- supervision -----------------------------------------------------------------------------------------------

    def mend(self) -> None:
        """Starts again what has died by our hand. Raises AssertionError where one ended by itself."""
        with self._lock:
            self._take_fired()
            for process in PROCESSES:
                self._mend(process)
        if self.postgres and (self.postgres.process is None or self.postgres.process.poll() is not None):
            self.note("postgres started again")
            self.postgres.start()

    def _mend(self, process: str) -> None:
        held = self.running.get(process)
        code = held.poll() if held else -signal.SIGKILL
        if code is not None:
            excused = process in {"worker", "beat"} and self._redis_died  # Celery may end then; a supervisor goes on
            assert code == -signal.SIGKILL or excused, f"{process} ended by itself ({code}):\n{self.tail(process)}"
            self._take_fired()  # it may have died since
            self._arm_next(process)
            self.note(f"{process} ({code}) started again")
            self.start(process)
        elif not (self.points / f"{process}.json").exists():
            self._arm_next(process)  # a part of it died and was replaced by the rest

    def await_true(self, condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Polls, mending meanwhile; the condition's last value."""
        deadline = time.monotonic() + seconds
        while not (found := self._look(condition)):
            self.mend()
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}\n{self.story()}"
            time.sleep(0.05)  # between two looks
        return found

    @staticmethod
    def _look(condition: Callable[[], Any]) -> Any:
        try:
            return condition()
        except psycopg.OperationalError:  # PostgreSQL is one of those that are killed
            return None

    def note(self, text: str) -> None:
        self.history.append(f"{time.monotonic() - self._began:7.2f} s  {text}")

    def tail(self, process: str, lines: int = 25) -> str:
        return "\n".join(self.log(process).read_text(errors="replace").splitlines()[-lines:])

    def story(self) -> str:
        """Who was killed when, and what each said last: enough to see it again."""
        said = [f"--- {process}\n{self.tail(process)}" for process in PROCESSES]
        return "\n".join([f"plant in {self.folder}", *self.history[-40:], *said])

    # -- what the shop holds ---------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[Row]:
        """Reads the shop's database, whichever it is."""
        if self.postgres:
            with psycopg.connect(self.postgres.url(), connect_timeout=2) as connection:
                return connection.cursor(row_factory=dict_row).execute(sql.encode()).fetchall()
        return read_sqlite(self.folder / "spindle.sqlite3", sql)

    def state_of(self, order: str) -> str:
        found = self.rows(f"SELECT state FROM storefront_order WHERE number = '{order}'")  # noqa: S608  (our own number)
        return str(found[0]["state"])

    # -- beginning and end -----------------------------------------------------------------------------------------

    def open(self) -> None:
        lay_out(self.folder)
        self.points.mkdir()
        (self.folder / "redis").mkdir(mode=0o700)
        if self.postgres:
            self.postgres.start()
            self.postgres.make()
        stock = python("-m", "tests.faults.stock", *self.addresses)
        subprocess.run(stock, cwd=ROOT, env=self.environment() | {"SPINDLE_TEST_POINTS": ""}, check=True)
        for process in PROCESSES:
            self.start(process)
        self.await_true(self.is_open, "the plant to open", 60)

    def is_open(self) -> bool:
        """Pages are answered, both writers report, and a plan shows dates."""
        return (
            answers(self.commands.shop_url)
            and answers(self.commands.stripe_url)
            and len(self.rows("SELECT id FROM devices_writer WHERE state IN ('idle', 'busy')")) == len(AGENTS)
            and bool(self.rows("SELECT id FROM fulfillment_planrun LIMIT 1"))
        )

    def close(self) -> None:
        for process in list(self.running):
            self.kill(process, with_burner=process in AGENTS)
        if self.postgres:
            self.postgres.remove()
            self.postgres = None


def read_sqlite(path: Path, sql: str) -> list[Row]:
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/", timeout=2):  # noqa: S310  (our own address)
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Below the range that clients' sockets come from: nobody takes one while its owner is dead."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            found.append(port)
    return found


@contextmanager
def running_plant(*, postgres: bool = False) -> Iterator[Plant]:
    folder = Path(tempfile.mkdtemp(prefix="spindle-plant-", dir="/tmp"))  # a short path, for Redis's socket
    shop, stripe, *agents = free_ports(2 + len(AGENTS))
    addresses = tuple(f"http://{LOOPBACK}:{port}" for port in agents)
    plant = Plant(folder, Commands(folder, shop, stripe), addresses)
    try:
        if postgres:
            plant.postgres = Postgres.create()
        plant.open()
        yield plant
    finally:
        plant.close()
        shutil.rmtree(folder, ignore_errors=True)
