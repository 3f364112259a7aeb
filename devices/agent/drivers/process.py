"""Burner processes: told apart by pid and start time, so that a recycled pid is never ended.

Where there is no /proc nothing can be known about a process of an earlier agent, and none is touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from devices.agent.drivers.base import Burner

PROC: Final = Path("/proc")


def mark_of(pid: int) -> str | None:
    """Boot of this machine and start of the process in clock ticks; None if it is gone or can't be known."""
    try:
        # The name in brackets may hold spaces and brackets itself: count from the last one.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    dead = fields[0] in ("Z", "X")
    return None if dead else f"{boot}/{fields[19]}"


def find(burner: Burner) -> Burner | None:
    """The burner if it still runs, surely the same process.

    An agent that died between start and journal never named its pid: then the whole command line, in which
    the image's path is this agent's own, tells it.
    """
    if burner.pid is not None:
        same = burner.mark is not None and mark_of(burner.pid) == burner.mark
        return burner if same else None
    if not burner.command:
        return None
    wanted = b"".join(os.fsencode(part) + b"\0" for part in burner.command)
    for entry in PROC.glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes() == wanted:
                pid = int(entry.name)
                return Burner(pid, mark_of(pid), burner.command)
        except OSError:
            continue  # it has just ended
    return None


def outlive(burner: Burner, *, patience: float, grace: float, stop: Event, tell: Callable[[str], None]) -> None:
    """Wait `patience` seconds for the burner to end by itself, then end it."""
    found = find(burner)
    if found is None or found.pid is None:
        return
    tell(f"a burner of an earlier agent still runs (pid {found.pid}): waiting up to {patience:.0f} s for it")
    if _wait_gone(found, patience, stop):
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if stop.is_set() or find(found) is None:
            return
        tell(f"ending the burner of an earlier agent (pid {found.pid}, {sign.name})")
        try:
            os.kill(found.pid, sign)
        except ProcessLookupError:
            return
        if _wait_gone(found, grace, stop):
            return
    # A process that survives SIGKILL hangs in the kernel, at this very drive.
    while not _wait_gone(found, grace, stop) and not stop.is_set():
        tell(f"the burner of an earlier agent (pid {found.pid}) can't be ended: the drive stays stopped")


def _wait_gone(burner: Burner, seconds: float, stop: Event) -> bool:
    until = monotonic() + seconds
    while find(burner) is not None:
        if monotonic() >= until or stop.wait(0.1):
            return False
    return True


def end(process: subprocess.Popen[bytes], grace: float = 2.0) -> None:
    """End a process of our own and wait for it."""
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Asker:
    """Runs short questions to a program: their whole output, or None where they took too long or were broken off."""

    timeout: float
    environment: Mapping[str, str]

    def ask(self, argv: Sequence[str], stop: Event) -> str | None:
        with tempfile.TemporaryFile() as out:
            running = subprocess.Popen(  # noqa: S603 — an argument list, made by the driver
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=dict(self.environment)
            )
            until = monotonic() + self.timeout
            try:
                while running.poll() is None:
                    if monotonic() > until or stop.wait(0.05):
                        return None
            finally:
                if running.poll() is None:
                    end(running)
            out.seek(0)
            return out.read().decode(errors="replace")
