"""The whole shop as `make demo` starts it, in a data folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.made_once import lay_out, stocked_shop

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "disc-disc-disc"


@dataclass
class Demo:
    url: str
    data: Path
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What the shop's own database says; read only."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'spindle.sqlite3'}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()


def free_port_block() -> int:
    """A first port such that those the demo derives from it are free as well. Each process looks elsewhere first."""
    for turn in range(36):
        first = 20_000 + (os.getpid() + turn) % 36 * 331
        taken = False
        for port in (first, first + 10, first + 101, first + 102):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    taken = True
        if not taken:
            return first
    raise RuntimeError("no free ports")


def environment(data: Path) -> dict[str, str]:
    """The demo runs on SQLite, whatever database the tests have."""
    return os.environ | {"SPINDLE_DATA": str(data), "PYTHONWARNINGS": "", "DATABASE_URL": ""}


@contextlib.contextmanager
def running_demo(data: Path) -> Iterator[Demo]:
    lay_out(data, stocked_shop)
    port = free_port_block()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--port", str(port)],
        cwd=ROOT,
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    demo = Demo(f"http://127.0.0.1:{port}", data, process)
    opened = threading.Event()
    reader = threading.Thread(target=_read, args=(demo, opened), daemon=True)
    reader.start()
    try:
        if not opened.wait(120) or process.poll() is not None:
            raise RuntimeError("the demo did not open:\n" + "\n".join(demo.said[-40:]))
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(5)
        if process.stdout:
            process.stdout.close()


def _read(demo: Demo, opened: threading.Event) -> None:
    for line in demo.process.stdout or ():
        demo.said.append(line.rstrip())
        if "Ctrl-C ends it" in line:
            opened.set()
    opened.set()  # it ended: whoever waits sees that
