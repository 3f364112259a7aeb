"""Starts the shop's processes, shows what they say as one log, and ends them all. Knows nothing of the shop."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TextIO

GRACE: Final = 8.0  # seconds to end by itself before it is killed
COLOURS: Final = (36, 35, 34, 33, 32, 96, 95)
STAMPED = re.compile(r"^(?:(?P<utc>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)|\d\d:\d\d:\d\d) ")


class StartFailed(Exception):
    """A process ended before it was ready, or was not ready in time; the text says which and what it said."""


@dataclass(slots=True)
class Child:
    name: str
    process: subprocess.Popen[str]
    reader: threading.Thread
    said: list[str]


@dataclass(slots=True)
class Processes:
    """Children in sessions of their own, so that Ctrl-C reaches this process alone and it can end them in order."""

    out: TextIO
    quiet: bool = False
    children: list[Child] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: str | None = None) -> Child:
        process = subprocess.Popen(  # noqa: S603  (our own programs, no shell)
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        said: list[str] = []
        reader = threading.Thread(target=self._read, args=(name, process, said, len(self.children)), daemon=True)
        child = Child(name, process, reader, said)
        self.children.append(child)
        reader.start()
        return child

    def wait_until(self, ready: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Raises StartFailed when a child ends meanwhile, or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise StartFailed(f"{what} was not ready within {seconds:.0f} s.")
            time.sleep(0.05)

    def check(self) -> None:
        """Raises StartFailed if a child has ended."""
        for child in self.children:
            if (code := child.process.poll()) is not None:
                child.reader.join(1)
                last = "\n".join(child.said[-8:])
                raise StartFailed(f"{child.name} ended with code {code}.\n{last}")

    def stop(self) -> None:
        """Ends all, and the first started (the others need it) last; what doesn't end in time is killed."""
        self._end(self.children[1:])
        self._end(self.children[:1])
        for child in self.children:
            child.reader.join(2)
            if child.process.stdout:
                child.process.stdout.close()
        self.children.clear()

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            self._signal(child, signal.SIGTERM)
        for child in children:
            try:
                child.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self.say("demo", f"{child.name} does not end by itself: killed", 0)
            self._signal(child, signal.SIGKILL)  # what it may have left behind in its session
            child.process.wait()

    def say(self, name: str, line: str, number: int) -> None:
        line = _stamped(line)
        label = f"{name:<9}"
        if self.out.isatty():
            label = f"\x1b[{COLOURS[number % len(COLOURS)]}m{label}\x1b[0m"
        with self._lock:
            self.out.write(f"{label} {line}\n")
            self.out.flush()

    def _read(self, name: str, process: subprocess.Popen[str], said: list[str], number: int) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            text = line.rstrip()
            if not text:
                continue
            said.append(text)
            del said[:-200]
            if not self.quiet:
                self.say(name, text, number)

    @staticmethod
    def _signal(child: Child, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)


def _stamped(line: str) -> str:
    """The line with one kind of stamp: the local time of day."""
    stamp = STAMPED.match(line)
    if stamp is None:
        return time.strftime("%H:%M:%S ") + line
    if utc := stamp["utc"]:
        return f"{dt.datetime.fromisoformat(utc).astimezone():%H:%M:%S} {line[stamp.end() :]}"
    return line
