"""Eight agents on another host fetch an image at once through a cable of 1 Gbit/s, and what memory that takes."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from tests.bench.measuring import Row, run, timed
from tests.production.stack import Stack, running_stack, wait
from tests.servers.network import OtherHost, other_host

SIZE: Final = 200_000_000
AGENTS: Final = 8
RATE: Final = 125_000_000  # bytes a second: 1 Gbit/s
MEMORY: Final = 100.0  # MB


def measure(folder: Path, rounds: int) -> list[Row]:
    if os.geteuid() != 0:
        print("sending: left out, a network of its own needs root", file=sys.stderr)  # noqa: T201  (told to whoever asked)
        return []
    with other_host() as host:
        host.limit("1gbit")
        with running_stack(title_bytes=SIZE, also_called=host.here, plant_host=host.here, writers=AGENTS + 1) as stack:
            agents = [Fetching(folder / f"agent-{number}", stack, host, number) for number in range(AGENTS)]
            with started(agents):
                size = int(stack.made["size"])
                with watched(list(_servers(stack))) as serving:
                    ours = tuple(_all_at_once(agents) for _ in range(rounds))
                bare = tuple(_bare_stream(host, AGENTS * size) for _ in range(rounds))
                limit = tuple(AGENTS * size / RATE for _ in range(rounds))
                memory = tuple(_peak(psutil.Process(agent.pid)) for agent in agents)
    return [
        Row("Eight agents fetch and check 200 MB each, at once", "1 Gbit/s", ours, limit, 1 / 0.9),
        Row("… the same bytes as one bare TCP stream", "1 Gbit/s", bare, limit, None),
        Row("… memory of an agent, the largest of eight", "–", (max(memory),), (), MEMORY, "MB"),
        Row(
            "… memory of a server's process, the largest; what they share is shared out",
            "–",
            (max(serving),),
            (),
            MEMORY,
            "MB",
        ),
    ]


@dataclass(slots=True)
class Fetching:
    """A real agent over there, whose server is the production stack here."""

    folder: Path
    stack: Stack
    host: OtherHost
    number: int
    pid: int = 0

    @property
    def made(self) -> dict[str, str]:
        writers: Sequence[dict[str, str]] = json.loads(self.stack.made["writers"])
        return writers[self.number]

    @property
    def port(self) -> int:
        return 9101 + self.number

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        config = self.folder / "agent.toml"
        config.write_text(self._config())
        command = self.host.command(sys.executable, "-m", "devices.agent", "--config", str(config))
        self.pid = self.stack.start(f"agent-{self.number}", command, self.stack.env("agent")).pid

    def _config(self) -> str:
        return "\n".join([
            "[writer]", f'id = "{self.made["writer"]}"', f'name = "Writer {self.number}"', "advertise = false",
            f'listen = "{self.host.there}:{self.port}"', "[server]", f'url = "http://{self.host.here}:{self.stack.plant}"',
            f'token = "{self.made["token"]}"', "[accept]", f'tokens_sha256 = ["{self.made["command_sha256"]}"]',
            "[driver]", 'name = "xorriso"', "[[driver.drives]]", 'id = "d1"', 'device = "stdio:discs/{serial}.img"',
            'kinds = ["CD-R"]',
        ])  # fmt: skip

    def answers(self) -> bool:
        try:
            return self.call("GET", "/v1/state")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        with closing(http.client.HTTPConnection(self.host.there, self.port, timeout=20)) as connection:
            headers = {"Authorization": f"Bearer {self.made['command']}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else None

    def forget(self) -> None:
        self.call("DELETE", f"/v1/images/{self.stack.made['sha256']}")

    def fetch(self) -> None:
        address = f"/v1/images/{self.stack.made['sha256']}"
        order = {"layout": "iso", "size": int(self.stack.made["size"]), "name": "P-7"}
        status, answer = self.call("PUT", address, order)
        assert status in {200, 202}, answer
        while answer["state"] == "receiving":
            time.sleep(0.05)
            _, answer = self.call("GET", address)
        assert answer["state"] == "ready", answer


@contextmanager
def started(agents: Sequence[Fetching]) -> Iterator[None]:
    """They end with the stack."""
    for agent in agents:
        agent.start()
    for agent in agents:
        wait(agent.answers, f"agent {agent.number}")
    yield


def _all_at_once(agents: Sequence[Fetching]) -> float:
    for agent in agents:
        agent.forget()
    os.sync()
    threads = [threading.Thread(target=agent.fetch) for agent in agents]

    def fetch() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    seconds = timed(fetch)
    for agent in agents:
        assert agent.call("GET", f"/v1/images/{agent.stack.made['sha256']}")[1]["state"] == "ready"
    return seconds


_SEND: Final = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as line:
    piece, left = bytes(1 << 20), int(sys.argv[3])
    while left:
        left -= line.send(piece[:left])
"""


def _bare_stream(host: OtherHost, size: int) -> float:
    """What the cable itself carries: the other host sends, which the limit holds back as well."""
    with socket.create_server((host.here, 0)) as door:
        port = door.getsockname()[1]
        sender = threading.Thread(target=_in_namespace, args=(host, port, size))
        sender.start()
        line, _ = door.accept()
        with line:
            return timed(lambda: _drain(line))


def _in_namespace(host: OtherHost, port: int, size: int) -> None:
    run(*host.command(sys.executable, "-c", _SEND, host.here, str(port), str(size)))


def _drain(line: socket.socket) -> None:
    buffer = bytearray(1 << 20)
    while line.recv_into(buffer):
        pass


def _servers(stack: Stack) -> Iterator[psutil.Process]:
    """gunicorn and nginx, with their workers."""
    for process in stack.running:
        found = psutil.Process(process.pid)
        if {"gunicorn", "nginx"} & set(" ".join(found.cmdline()).replace("/", " ").replace(":", " ").split()):
            yield found
            yield from found.children(recursive=True)


@contextmanager
def watched(processes: Sequence[psutil.Process]) -> Iterator[list[float]]:
    """The memory of the largest of them at each look, in MB: its own, and its part of what several have together."""
    seen, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.25):
            seen.append(max(process.memory_full_info().pss for process in processes) / 1e6)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield seen
    finally:
        over.set()
        looker.join()


def _peak(process: psutil.Process) -> float:
    """The most memory this process ever had, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
