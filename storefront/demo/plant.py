"""Which processes make the shop, at which addresses, in which order. Runs them; decides nothing."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import Writer
from fulfillment.models import PlanRun
from storefront.demo.commands import LOOPBACK, Commands
from storefront.demo.processes import Processes, StartFailed

SPEED: Final = "52c"  # as quick as the quickest CD writer; xorriso paces its pseudo-drives by it
DISC: Final = "stdio:discs/{serial}.img"
PAIR: Final = ("--drive", DISC, "--drive", DISC, "--kinds", "CD-R,DVD-R", "--speed", SPEED, "--blanks", "100")
# What the shop sells is made by the first two; the others are there for the fleet's pages and the copy console.
WRITERS: Final[dict[str, tuple[str, ...]]] = {
    "Writer 1": PAIR,
    "Writer 2": PAIR,
    "Front desk": ("--drive", DISC, "--kinds", "DVD+R DL", "--feed", "hand", "--source", "stdio:source.iso"),
    "Robot": ("--kind", "virtual", "--drive", "left", "--drive", "right", "--kinds", "BD-R"),
}
ROBOT: Final = """
[driver.options]
clock = 20
load_seconds = 5
bins = [{ bin = "hopper", kind = "BD-R", count = 50, capacity = 100 }]
printer = { id = "printer", supplies = ["cyan", "magenta", "yellow", "black"], per_face = 0.5 }
"""


class PortTaken(Exception):
    """Another program listens where the demo wants to; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    shop: int
    stripe: int
    agents: tuple[int, ...]

    @classmethod
    def after(cls, first: int) -> Ports:
        return cls(first, first + 10, tuple(first + 101 + number for number in range(len(WRITERS))))

    def check(self) -> None:
        """Raises PortTaken."""
        for port in (self.shop, self.stripe, *self.agents):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((LOOPBACK, port))
                except OSError:
                    raise PortTaken(
                        f"Port {port} is taken; perhaps another demo still runs. End that one, or choose other ports: "
                        f'make demo ARGS="--port {self.shop + 200}"'
                    ) from None


class Plant:
    """The processes of one demo. `start` returns when every one of them answers."""

    def __init__(self, processes: Processes, ports: Ports) -> None:
        self.processes = processes
        self.ports = ports
        self.folder = settings.SPINDLE_DATA / "demo"
        self.commands = Commands(settings.SPINDLE_DATA, ports.shop, ports.stripe)
        self.env = self.commands.environment()

    @property
    def shop_url(self) -> str:
        return self.commands.shop_url

    @property
    def stripe_url(self) -> str:
        return self.commands.stripe_url

    def start(self) -> None:
        began = timezone.now()
        self._start_redis()
        self._start_shop()
        for number, name in enumerate(WRITERS):
            config = self._agent_config(name, self.ports.agents[number])
            self.processes.start(f"agent-{number + 1}", self.commands.agent(config), self.env)
        self.processes.wait_until(lambda: _answers(self.stripe_url + "/"), "the payment stand-in")
        self.processes.wait_until(lambda: _answers(self.shop_url + "/"), "the shop")
        self.processes.wait_until(lambda: _all_reporting(began), "the writers' agents")
        self.processes.wait_until(lambda: _dates_are_shown(began), "the first plan")

    def _start_redis(self) -> None:
        server = shutil.which("redis-server")
        if server is None:
            raise StartFailed("redis-server is not installed; `make demo` installs it, or names the command that does.")
        folder = settings.SPINDLE_DATA / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.commands.redis_socket.unlink(missing_ok=True)
        self.processes.start("redis", self.commands.redis(server), self.env)
        self.processes.wait_until(self.commands.redis_socket.exists, "redis-server")

    def _start_shop(self) -> None:
        commands = self.commands
        self.processes.start("stripe", commands.stand_in(self.folder / "stripe-ledger.sqlite3"), self.env)
        self.processes.start("web", commands.web(), self.env)
        self.processes.start("worker", commands.worker(), self.env)
        self.processes.start("beat", commands.beat(), self.env)

    def _agent_config(self, name: str, port: int) -> Path:
        """The agent's configuration, as `manage.py writer add` prints it once; kept, and moved to today's ports."""
        folder = self.folder / name.lower().replace(" ", "-")
        config = folder / "agent.toml"
        address = f"http://{LOOPBACK}:{port}"
        if not config.exists() or not Writer.objects.filter(name=name).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            config.write_text(self._add_writer(name, address) + (ROBOT if name == "Robot" else ""))
            if name == "Front desk":
                self._put_disc_in(folder / "source.iso")
            config.chmod(0o600)
        text = re.sub(r"(?m)^listen = .*$", f'listen = "{LOOPBACK}:{port}"', config.read_text())
        config.write_text(re.sub(r"(?m)^url = .*$", f'url = "{self.shop_url}"', text))
        Writer.objects.filter(name=name).update(address=address)
        return config

    @staticmethod
    def _put_disc_in(disc: Path) -> None:
        """Something for the source drive to read in."""
        content = disc.parent / "holiday"
        content.mkdir()
        (content / "README.TXT").write_text("A disc that a customer has brought.\n")
        (content / "PICTURES.DAT").write_bytes(bytes(range(256)) * 20_000)
        program = shutil.which("xorriso") or "xorriso"
        options = ["-as", "mkisofs", "-quiet", "-V", "HOLIDAY", "-J", "-R", "-o", str(disc), str(content)]
        subprocess.run([program, "-no_rc", *options], check=True, capture_output=True)  # noqa: S603  (no shell)

    def _add_writer(self, name: str, address: str) -> str:
        """As an operator would; what the command prints."""
        toml = StringIO()
        options = ["--address", address, "--server", self.shop_url, *WRITERS[name]]
        try:
            call_command("writer", "add", name, *options, stdout=toml, stderr=StringIO())
        except CommandError as error:
            raise StartFailed(f"manage.py writer add failed: {error}") from error
        return toml.getvalue()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  (our own address)
            return True
    except urllib.error.HTTPError:
        return True  # it answers, if only to say no
    except OSError:
        return False


def _dates_are_shown(since: dt.datetime) -> bool:
    """A plan that knows the whole fleet: without one the shop would show no date."""
    run = PlanRun.objects.filter(at__gte=since).order_by("-id").first()
    return run is not None and len(run.projection["writers"]) >= len(WRITERS)


def _all_reporting(since: dt.datetime) -> bool:
    return Writer.objects.filter(name__in=WRITERS, last_seen__gte=since).count() == len(WRITERS)
