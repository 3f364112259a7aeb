"""Another host: a network namespace with one cable to this one, for what must cross a network. Needs root.

Addresses are of TEST-NET-2 (RFC 5737), which leads nowhere else.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_numbers = itertools.count(1)
_PREFIX: Final = "198.51.100"


@dataclass(frozen=True, slots=True)
class OtherHost:
    """`there` is its address, `here` is ours on the cable between."""

    name: str
    here: str
    there: str

    @property
    def network(self) -> str:
        return f"{self.here}/30"

    def command(self, *arguments: str) -> list[str]:
        """What runs the program over there."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def limit(self, rate: str) -> None:
        """Both ends of the cable send at this rate at most, as `tc` writes it: 1gbit."""
        shape = ("root", "tbf", "rate", rate, "burst", "512kb", "latency", "50ms")
        _run("tc", "qdisc", "replace", "dev", f"{self.name}-h", *shape)
        _run(*self.command("tc", "qdisc", "replace", "dev", f"{self.name}-t", *shape))

    def cut(self) -> None:
        """Somebody pulls the cable: nothing is refused, nothing comes."""
        _run("ip", "link", "set", f"{self.name}-h", "down")

    def mend(self) -> None:
        _run("ip", "link", "set", f"{self.name}-h", "up")


@contextmanager
def other_host() -> Iterator[OtherHost]:
    number = next(_numbers)
    name = f"sp{os.getpid() % 100_000}-{number}"
    block = (os.getpid() * 7 + number) % 64 * 4  # each pair has four addresses of its own
    host = OtherHost(name, f"{_PREFIX}.{block + 1}", f"{_PREFIX}.{block + 2}")
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", f"{name}-h", "type", "veth", "peer", "name", f"{name}-t", "netns", name)
        _run("ip", "addr", "add", f"{host.here}/30", "dev", f"{name}-h")
        _run("ip", "-n", name, "addr", "add", f"{host.there}/30", "dev", f"{name}-t")
        _run("ip", "link", "set", f"{name}-h", "up")
        for device in ("lo", f"{name}-t"):
            _run("ip", "-n", name, "link", "set", device, "up")
        yield host
    finally:
        _run("ip", "netns", "del", name)  # the cable goes with it


def _run(*command: str) -> None:
    done: subprocess.CompletedProcess[str] = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
