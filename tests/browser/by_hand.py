"""A writer of the demo that a person feeds: its agent is the fake one, in this process, and reports over HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID, uuid4

from devices.agent import wire
from devices.testing import FakeAgent
from tests.browser.demo import ROOT, Demo, environment

AT_LEAST_EVERY: Final = 5.0  # seconds, though nothing changed


@contextmanager
def fed_by_hand(demo: Demo, name: str) -> Iterator[FakeAgent]:
    """One drive for Blu-ray, which nobody orders in the demo: what it does is the test's own."""
    with FakeAgent(uuid4(), [], drives=1) as agent:
        config = _added(demo, name, agent.address)
        agent.writer = UUID(config["writer"]["id"])
        agent.accepts = set(config["accept"]["tokens_sha256"])
        agent.set_drive("d1", feed=wire.Feed.HAND, formats=("bd",), kinds=("BD-R",))
        ended = threading.Event()
        url = f"{demo.url}/api/v1/writers/{agent.writer}/report"
        reporting = threading.Thread(target=_report, args=(agent, url, config["server"]["token"], ended))
        reporting.start()
        try:
            yield agent
        finally:
            ended.set()
            reporting.join()


def _added(demo: Demo, name: str, address: str) -> dict[str, Any]:
    """What an operator gets for a new writer."""
    command = [sys.executable, "manage.py", "writer", "add", name, "--address", address, "--server", demo.url]
    done = subprocess.run(command, cwd=ROOT, env=environment(demo.data), capture_output=True, text=True, check=True)
    return tomllib.loads(done.stdout)


def _report(agent: FakeAgent, url: str, token: str, ended: threading.Event) -> None:
    """On every change, as the contract says."""
    told, at = -1, 0.0
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while not ended.wait(0.1):
        state = agent.state()
        if state.sequence == told and time.monotonic() - at < AT_LEAST_EVERY:
            continue
        request = urllib.request.Request(url, state.model_dump_json().encode(), headers)  # noqa: S310  (our own demo)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (our own address)
            agent.take_answer(wire.ReportAnswer.model_validate_json(answer.read()))
        told, at = state.sequence, time.monotonic()
