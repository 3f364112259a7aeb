"""An image of 700 MB from the server to an agent's disk with its digest checked, behind gunicorn and behind nginx."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measuring import Row, in_turns, run, timed
from tests.devices.agent.plant import AgentProcess, await_true
from tests.production.compose import command
from tests.production.stack import Stack, free_port, running_stack

SIZE = 700_000_000
PEER = "cp, openssl sha256"


def measure(folder: Path, rounds: int) -> list[Row]:
    rows = []
    with running_stack(title_bytes=SIZE, also_called="127.0.0.1") as stack:
        (image,) = stack.images.glob("??/*.iso")
        for server, port in (("gunicorn", _bare_gunicorn(stack)), ("nginx", stack.plant)):
            agent = FetchingAgent(folder / server, drives=1, stack=stack, server_port=port)
            try:
                agent.start()
                ours, peers = in_turns(rounds, agent.fetched, _copied(image, folder))
            finally:
                agent.clean_up()
            rows.append(Row(f"Fetch and check 700 MB behind {server}", PEER, ours, peers, 1.2))
    return rows


@dataclass
class FetchingAgent(AgentProcess):
    """A real agent whose server is the production stack."""

    stack: Stack | None = None
    server_port: int = 0

    def config(self) -> str:
        assert self.stack is not None
        made = self.stack.made
        server = f'[server]\nurl = "http://127.0.0.1:{self.server_port}"\ntoken = "{made["token"]}"\n'
        return super().config().replace("[accept]", f"{server}[accept]").replace(self.writer, made["writer"])

    def fetched(self) -> float:
        assert self.stack is not None
        sha256, size = self.stack.made["sha256"], int(self.stack.made["size"])
        self.call("DELETE", f"/v1/images/{sha256}")

        def fetch() -> None:
            answer = self.announce(sha256, size)
            assert answer.status == 202, answer.raw
            ended = await_true(lambda: (image := self.image(sha256))["state"] != "receiving" and image, 60)
            assert ended["state"] == "ready", ended["reason"]

        return timed(fetch)


def _bare_gunicorn(stack: Stack) -> int:
    """The compose file's own web server with nothing before it: it sends the file itself, and asks for no TLS."""
    port = free_port()
    arguments = [part.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for part in command("web")]
    alone = {"SPINDLE_X_ACCEL": "", "SPINDLE_PRODUCTION": "false"}
    stack.start("bare", arguments, stack.env() | alone)
    stack.wait_for(port, "bare")
    return port


def _copied(image: Path, folder: Path) -> Callable[[], float]:
    target = folder / "copy.iso"

    def copy() -> float:
        target.unlink(missing_ok=True)
        return timed(lambda: run("cp", image, target)) + timed(lambda: run("openssl", "sha256", target))

    return copy
