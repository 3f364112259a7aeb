"""Real agents for the tests: each a process with a folder of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from http.client import HTTPConnection
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from devices.agent import journal
from devices.agent.__main__ import main
from tests.devices.agent.shop import REPORT, WRITER, Fault, Shop, digest_of

__all__ = ["REPORT", "WRITER", "AgentProcess", "Fault", "Shop", "await_true", "digest_of", "image_of", "running"]

ROOT = Path(__file__).resolve().parents[3]
COMMAND = "command-token-1"
DRIVE = "{drive}"  # in a device: the drive's id


# Every agent is a process of its own, forked from one that has read the program already: that takes a tenth of
# the time of `python -m devices.agent`, which some tests start as well.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["devices.agent.__main__"])


def run_agent(arguments: list[str], log: str, environment: dict[str, str], clock: float) -> None:
    """In the new process: what `python -m devices.agent` does. Warnings are errors, the clock is `clock` hours off."""
    vars(journal)["datetime"] = clock_that_is_off(clock)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.environ.update(environment)
    warnings.simplefilter("error")
    sys.exit(main(arguments))


def clock_that_is_off(hours: float) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return super().now(tz) + timedelta(hours=hours)

    return Clock


def image_of(size: int, seed: int = 1) -> bytes:
    """Bytes nobody can guess: a disc of zeros would look right by accident."""
    return random.Random(seed).randbytes(size)


def await_true(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until `condition()` is true; its last value tells what was there instead."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"did not come within {seconds} s; last: {found!r}"
        time.sleep(0.02)
    return found


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class AgentProcess:
    """A real agent: `python -m devices.agent`, with a folder of its own."""

    folder: Path
    shop: Shop | None = None
    drives: int = 2
    kinds: tuple[str, ...] = ("CD-R", "DVD-R")
    speed: str | None = None
    blanks: int | None = 100
    device: str = "stdio:discs/{serial}.img"
    disk_limit: int | None = None
    command: str = COMMAND
    report: str = REPORT
    driver: str = "xorriso"
    feed: str = "robot"
    listen: str = "127.0.0.1:0"
    advertise: bool = False
    enrolled: bool = True  # agent.toml says who this agent is
    extra: str = ""
    writer: str = str(WRITER)
    environment: dict[str, str] = field(default_factory=dict)
    clock: float = 0.0  # hours by which this machine's clock is off
    process: ForkServerProcess | None = None
    port: int = 0
    starts: int = 0

    def config(self) -> str:
        lines = [
            "[writer]",
            *([f'id = "{self.writer}"'] if self.enrolled else []),
            'name = "Writer 1"',
            f'listen = "{self.listen}"',
            f"advertise = {json.dumps(self.advertise)}",
            *([f"disk_limit = {self.disk_limit}"] if self.disk_limit is not None else []),
            *(self._known() if self.enrolled else []),
            "[driver]",
            f'name = "{self.driver}"',
        ]
        for number in range(1, self.drives + 1):
            lines += [
                "[[driver.drives]]",
                f'id = "d{number}"',
                f'device = "{self.device.replace(DRIVE, f"d{number}")}"',
                f'feed = "{self.feed}"',
                f"kinds = {json.dumps(self.kinds)}",
                *([f'speed = "{self.speed}"'] if self.speed else []),
                *([f"blanks = {self.blanks}"] if self.blanks is not None else []),
            ]
        return "\n".join(lines) + "\n" + self.extra

    def _known(self) -> list[str]:
        server = ["[server]", f'url = "{self.shop.url}"', f'token = "{self.report}"'] if self.shop else []
        return [*server, "[accept]", f'tokens_sha256 = ["{digest_of(self.command.encode())}"]']

    @property
    def log(self) -> Path:
        return self.folder / f"agent-{self.starts}.log"

    def start(self) -> AgentProcess:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "agent.toml").write_text(self.config())
        self.starts += 1
        arguments = ["--config", str(self.folder / "agent.toml")]
        self.log.touch()
        self.process = PROCESSES.Process(
            target=run_agent, args=(arguments, str(self.log), self.environment, self.clock), daemon=True
        )
        self.process.start()
        line = await_true(self._listening)
        self.port = int(line.rpartition("127.0.0.1:")[2].partition(",")[0])
        return self

    def _listening(self) -> str:
        assert self.process is not None
        assert self.process.is_alive(), self.log.read_text()
        return next((line for line in self.log.read_text().splitlines() if "listening on" in line), "")

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.join()

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """A signal, as an operator or the system sends it; the exit code."""
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, sign)
        self.process.join(15)
        assert self.process.exitcode is not None, "it did not end"
        return self.process.exitcode

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {"Authorization": f"Bearer {token or self.command}", **(headers or {})}
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            if data is not None:
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    # -- the usual steps -------------------------------------------------------------------------------------------

    def announce(self, digest: str, size: int, layout: str = "iso") -> Answer:
        return self.call("PUT", f"/v1/images/{digest}", {"layout": layout, "size": size, "name": "P-1001"})

    def have(self, data: bytes, layout: str = "iso") -> str:
        """Announce a file of the shop and wait until it is ready."""
        assert self.shop is not None
        digest = self.shop.put(data)
        self.announce(digest, len(data), layout)
        self.await_image(digest, "ready")
        return digest

    def image(self, digest: str) -> Any:
        return self.call("GET", f"/v1/images/{digest}").json

    def await_image(self, digest: str, state: str, seconds: float = 20.0) -> Any:
        return await_true(lambda: (found := self.image(digest))["state"] == state and found, seconds)

    def write(self, image: str, *serials: str, uuid: UUID | None = None, **more: Any) -> tuple[UUID, Answer]:
        uuid = uuid or uuid4()
        body = {"image": image, "format": "cd", "discs": [{"serial": serial} for serial in serials], **more}
        return uuid, self.call("PUT", f"/v1/writes/{uuid}", body)

    def read(self, drive: str = "s1", uuid: UUID | None = None) -> tuple[UUID, Answer]:
        uuid = uuid or uuid4()
        return uuid, self.call("PUT", f"/v1/reads/{uuid}", {"drive": drive})

    def await_read(self, uuid: UUID, state: str = "done", seconds: float = 20.0) -> Any:
        path = f"/v1/reads/{uuid}"
        return await_true(lambda: (found := self.call("GET", path).json)["state"] == state and found, seconds)

    def say(self, drive: str, verb: str, **word: str) -> Answer:
        """An operator's word to a drive."""
        return self.call("POST", f"/v1/drives/{drive}/{verb}", word or None)

    def await_drive(self, id_: str, condition: Callable[[Any], Any], seconds: float = 20.0) -> Any:
        return await_true(lambda: condition(found := self.drive(id_)) and found, seconds)

    def found(self, uuid: UUID) -> Any:
        return self.call("GET", f"/v1/writes/{uuid}").json

    def discs(self, uuid: UUID) -> dict[str, Any]:
        return {disc["serial"]: disc for disc in self.found(uuid)["discs"]}

    def await_write(self, uuid: UUID, state: str = "done", seconds: float = 30.0) -> dict[str, Any]:
        await_true(lambda: self.found(uuid)["state"] == state, seconds)
        return self.discs(uuid)

    def await_disc(self, uuid: UUID, serial: str, *states: str, seconds: float = 30.0) -> Any:
        return await_true(lambda: (disc := self.discs(uuid)[serial])["state"] in states and disc, seconds)

    def state(self) -> Any:
        return self.call("GET", "/v1/state").json

    def await_let_in(self) -> None:
        """Newly enrolled it starts anew by itself: its door says 401 first, then nothing for a moment, then yes."""

        def lets_in() -> bool:
            try:
                return self.call("GET", "/v1/state").status == 200
            except OSError:
                return False

        await_true(lets_in)

    def drive(self, id_: str) -> Any:
        return next(drive for drive in self.state()["drives"] if drive["id"] == id_)

    def disc(self, serial: str) -> Path:
        return self.folder / "discs" / f"{serial}.img"

    def burners(self) -> list[int]:
        """Processes of xorriso that write into this agent's folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"xorriso") and any(str(self.folder).encode() in word for word in words):
                found.append(int(entry.name))
        return found

    def clean_up(self) -> None:
        if self.process is not None:
            self.kill()
        for pid in self.burners():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def running(folder: Path, shop: Shop | None = None, **options: Any) -> Iterator[AgentProcess]:
    agent = AgentProcess(folder, shop, **options)
    try:
        yield agent.start()
    finally:
        agent.clean_up()
