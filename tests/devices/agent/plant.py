"""Real parts for the agent's tests: a small HTTP server that plays the shop, with faults, and agent processes."""

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
from hashlib import sha256
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from uuid import UUID, uuid4

from devices.agent.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
WRITER = UUID("5f0c0000-0000-4000-8000-000000000001")
COMMAND = "command-token-1"
REPORT = "report-token-1"


# Every agent is a process of its own, forked from one that has read the program already: that takes a tenth of
# the time of `python -m devices.agent`, which some tests start as well.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["devices.agent.__main__"])


def run_agent(arguments: list[str], log: str, environment: dict[str, str]) -> None:
    """In the new process: what `python -m devices.agent` does, with warnings as errors."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.environ.update(environment)
    warnings.simplefilter("error")
    sys.exit(main(arguments))


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


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
class Fault:
    """What the shop does with one request for a file instead of sending it."""

    status: int = 200
    body: bytes | None = None
    content_type: str = "application/octet-stream"
    cut_after: int | None = None
    no_range: bool = False
    location: str | None = None
    hold_after: int | None = None


class Shop(ThreadingHTTPServer):
    """Serves files with Range and takes reports, as the server does."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ShopHandler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.reports: list[dict[str, Any]] = []
        self.report_tokens: list[str] = []
        self.good_tokens = {REPORT}
        self.report_status = 200
        self.report_type = "journal-lost"
        self.answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda _report: {"recorded": []}
        self.news = Condition()
        self.let_go = Condition()
        self.holding = 0
        self.released = False
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, data: bytes, *faults: Fault) -> str:
        digest = digest_of(data)
        self.files[digest] = data
        self.faults[digest] = list(faults)
        return digest

    def release(self) -> None:
        with self.let_go:
            self.released = True
            self.let_go.notify_all()

    def await_report(self, condition: Callable[[dict[str, Any]], Any], seconds: float = 20.0) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [report for report in self.reports if condition(report)]
            return bool(found)

        with self.news:
            assert self.news.wait_for(look, seconds), f"no such report; last: {self.reports[-1:]}"
        return found[0]

    def close(self) -> None:
        self.release()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed agent breaks its connections: nothing to tell."""


class ShopHandler(BaseHTTPRequestHandler):
    server: Shop
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """The test output is for the tests."""

    def _token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _send(self, status: int, body: bytes, content_type: str = "application/json", **extra: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in extra.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        shop = self.server
        report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == f"/api/v1/writers/{WRITER}/report"
        with shop.news:
            shop.report_tokens.append(self._token())
            if self._token() not in shop.good_tokens:
                shop.news.notify_all()
                self._send(401, b'{"type": "unauthorized"}')
                return
            shop.reports.append(report)
            status, answer = shop.report_status, shop.answer(report)
            shop.news.notify_all()
        if status == 200:
            self._send(200, json.dumps(answer).encode())
        else:
            self._send(status, json.dumps({"type": shop.report_type}).encode())

    def do_GET(self) -> None:
        shop = self.server
        digest = self.path.rpartition("/")[2]
        asked = self.headers.get("Range")
        shop.asked.append((self.path, asked, self.headers.get("Authorization")))
        queue = shop.faults.get(digest) or []
        fault = queue.pop(0) if queue else Fault()
        at_home = self.path == f"/api/v1/writers/{WRITER}/files/{digest}"
        if at_home and self._token() not in shop.good_tokens:
            self._send(401, b"{}")
        elif fault.location:
            self._send(302, b"", Location=fault.location)
        elif fault.status != 200:
            self._send(fault.status, b"{}")
        elif digest not in shop.files:
            self._send(404, b"{}")
        else:
            self._send_file(shop.files[digest] if fault.body is None else fault.body, asked, fault)

    def _send_file(self, data: bytes, asked: str | None, fault: Fault) -> None:
        first = 0 if asked is None or fault.no_range else int(asked.removeprefix("bytes=").rstrip("-"))
        part = data[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Content-Length", str(len(part)))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if fault.cut_after is not None:
            self.wfile.write(part[: fault.cut_after])
            self.close_connection = True
            return
        if fault.hold_after is not None:
            self.wfile.write(part[: fault.hold_after])
            self.wfile.flush()
            shop = self.server
            with shop.let_go:
                shop.holding += 1
                shop.let_go.notify_all()
                shop.let_go.wait_for(lambda: shop.released, 30)
            self.wfile.write(part[fault.hold_after :])
            return
        self.wfile.write(part)


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
    extra: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    process: ForkServerProcess | None = None
    port: int = 0
    starts: int = 0

    def config(self) -> str:
        lines = [
            "[writer]",
            f'id = "{WRITER}"',
            'name = "Writer 1"',
            'listen = "127.0.0.1:0"',
            *([f"disk_limit = {self.disk_limit}"] if self.disk_limit is not None else []),
            *(["[server]", f'url = "{self.shop.url}"', f'token = "{self.report}"'] if self.shop else []),
            "[accept]",
            f'tokens_sha256 = ["{digest_of(self.command.encode())}"]',
            "[driver]",
            'name = "xorriso"',
        ]
        for number in range(1, self.drives + 1):
            lines += [
                "[[driver.drives]]",
                f'id = "d{number}"',
                f'device = "{self.device}"',
                f"kinds = {json.dumps(self.kinds)}",
                *([f'speed = "{self.speed}"'] if self.speed else []),
                *([f"blanks = {self.blanks}"] if self.blanks is not None else []),
            ]
        return "\n".join(lines) + "\n" + self.extra

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
            target=run_agent, args=(arguments, str(self.log), self.environment), daemon=True
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
