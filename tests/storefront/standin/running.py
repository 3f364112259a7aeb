"""A real stand-in process and a real receiver of webhooks, for every test that needs money to move."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
KEY: Final = "sk_test_running"
SECRET: Final = "whsec_running"
SECONDS: Final = 20.0  # until something that must happen is called missing


@dataclass(slots=True)
class StandIn:
    """The process; `kill` is a SIGKILL, and `start` goes on with the same port and ledger."""

    ledger_path: Path
    webhook_url: str | None
    flags: tuple[str, ...]
    url: str = ""
    secret: str = SECRET
    key: str = KEY
    process: subprocess.Popen[str] | None = None

    def start(self, *flags: str) -> None:
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "storefront.standin", "--port", port, "--ledger", str(self.ledger_path)]
        command += ["--secret", self.secret, "--key", self.key, *self.flags, *flags]
        if self.webhook_url:
            command += ["--webhook-url", self.webhook_url]
        with self.log_path.open("a") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline() if self.process.stdout else ""
        if " on http://" not in line:
            self.stop()
            raise RuntimeError(f"The stand-in did not start: {self.log_path.read_text()}")
        self.url = line.split()[3]

    @property
    def log_path(self) -> Path:
        return self.ledger_path.with_suffix(".log")

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(how)
        with process:
            return process.wait(SECONDS)

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """What the ledger says; tables: sessions, payment_intents, charges, refunds, events, idempotency."""
        with closing(sqlite3.connect(f"file:{self.ledger_path}?mode=ro", uri=True, timeout=20)) as ledger:
            ledger.row_factory = sqlite3.Row
            return [dict(row) for row in ledger.execute(sql, values)]

    def change(self, sql: str, *values: object) -> None:
        """Reaches into the ledger, for what would take a day to happen."""
        with closing(sqlite3.connect(self.ledger_path, timeout=20)) as ledger, ledger:
            ledger.execute(sql, values)


@contextmanager
def running_standin(tmp_path: Path, webhook_url: str | None = None, *flags: str) -> Iterator[StandIn]:
    """A stand-in on a free port, with its ledger in `tmp_path`; `flags` as on its command line."""
    standin = StandIn(tmp_path / "standin.sqlite3", webhook_url, flags)
    standin.start()
    try:
        yield standin
    finally:
        standin.stop()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came in."""

    body: bytes
    signature: str


@dataclass(slots=True)
class Receiver:
    """Takes webhooks and answers them with `status`."""

    url: str
    status: int = 200
    deliveries: list[Delivery] = field(default_factory=list)

    def wait(self, enough: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        """The deliveries, once they are enough."""
        await_until(lambda: enough(list(self.deliveries)), lambda: f"got {len(self.deliveries)} webhooks")
        return list(self.deliveries)


@contextmanager
def receiving_webhooks(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.deliveries.append(Delivery(body, self.headers["Stripe-Signature"]))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def await_until(condition: Callable[[], bool], otherwise: Callable[[], str] = lambda: "") -> None:
    """Returns as soon as the condition holds; fails after a while, saying `otherwise`."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"Waited {SECONDS} s in vain: {otherwise()}")
        time.sleep(0.02)


def still_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
