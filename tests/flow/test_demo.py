"""`manage.py demo` as a newcomer runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.demo import ROOT, environment, free_port_block, running_demo
from tests.made_once import lay_out

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once")
    lay_out(folder)
    return folder


def demo(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(data), capture_output=True, text=True, check=False)


def processes_of(data: Path) -> list[str]:
    """Command lines of processes that work in that data folder."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environ = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if f"SPINDLE_DATA={data}".encode() in environ:
                found.append(command)
    return found


def test_once_orders_a_disc_and_shows_every_step(data: Path) -> None:
    done = demo(data, "--once", "--port", str(free_port_block()))
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    for step in ("placed and paid", "promised for", "2 of 2 discs written", "ready to pack", "printed"):
        assert step in said
    (digest,) = set(re.findall(r"sha256 ([0-9a-f]{64}) \(as the image\)", said))
    assert len(digest) == 64
    for path in re.findall(r"(?:disc [0-9A-Z]{12}|address-label|packing-slip|disc-face) +(/\S+)", said):
        assert Path(path).stat().st_size > 0
    assert processes_of(data) == []


@pytest.mark.slow
def test_a_failed_step_ends_with_its_name(data: Path) -> None:
    done = demo(data, "--once", "--part-number", "P-9999", "--port", str(free_port_block()))
    assert done.returncode == 1
    assert "/titles/P-9999/ answered 404" in done.stderr
    assert processes_of(data) == []


def test_a_taken_port_is_a_clear_message_and_starts_nothing(data: Path) -> None:
    port = free_port_block()
    with socket.create_server(("127.0.0.1", port)):
        done = demo(data, "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert "make demo ARGS=" in done.stderr
    assert processes_of(data) == []


def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    with running_demo(tmp_path) as running:
        assert len(processes_of(tmp_path)) > 6
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(40) == 0
        assert processes_of(tmp_path) == []
    assert running.said[-1] == "All processes have ended."
