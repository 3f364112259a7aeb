"""Which processes make the shop, at which addresses, in which order. Runs them; decides nothing."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils import timezone

from devices.models import Writer
from fulfillment.models import PlanRun
from storefront.demo.processes import Processes, StartFailed, python

WRITERS: Final = {"Writer 1": ("CD-R", "DVD-R"), "Writer 2": ("CD-R", "DVD-R")}
SPEED: Final = "52c"  # as quick as the quickest CD writer; xorriso paces its pseudo-drives by it
LOOPBACK: Final = "127.0.0.1"


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
        self.env = os.environ | {
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore:You're running the worker",  # as root; nobody else can reach this broker
            "SPINDLE_DATA": str(settings.SPINDLE_DATA),
            "SPINDLE_BASE_URL": self.shop_url,
            "STRIPE_API_BASE": self.stripe_url,
            "STRIPE_CHECKOUT_ORIGIN": self.stripe_url,
        }

    @property
    def shop_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.shop}"

    @property
    def stripe_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.stripe}"

    def start(self) -> None:
        began = timezone.now()
        self._start_redis()
        self._start_shop()
        for number, name in enumerate(WRITERS):
            config = self._agent_config(name, self.ports.agents[number])
            self.processes.start(
                f"agent-{number + 1}", python("-m", "devices.agent", "--config", str(config)), self.env
            )
        self.processes.wait_until(lambda: _answers(self.stripe_url + "/"), "the payment stand-in")
        self.processes.wait_until(lambda: _answers(self.shop_url + "/"), "the shop")
        self.processes.wait_until(lambda: _all_reporting(began), "the writers' agents")
        self.processes.wait_until(lambda: _dates_are_shown(began), "the first plan")

    def manage(self, *arguments: str) -> str:
        """Runs one of the shop's own commands, as an operator would; returns what it printed."""
        done = subprocess.run(  # noqa: S603  (our own program, no shell)
            python("manage.py", *arguments), env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StartFailed(f"manage.py {arguments[0]} {arguments[1]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _start_redis(self) -> None:
        server = shutil.which("redis-server")
        if server is None:
            raise StartFailed("redis-server is not installed; `make demo` installs it, or names the command that does.")
        folder = settings.SPINDLE_DATA / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        socket_path = folder / "redis.sock"
        socket_path.unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700", "--save", ""]
        options += ["--dir", str(folder), "--appendonly", "no", "--loglevel", "warning", "--logfile", ""]
        self.processes.start("redis", [server, *options], self.env)
        self.processes.wait_until(socket_path.exists, "redis-server")

    def _start_shop(self) -> None:
        celery = python("-m", "celery", "--quiet", "-A", "storefront")
        queues = ["-Q", "ticks,documents,mastering", "-c", "3", "--without-gossip", "--without-mingle"]
        quiet = ["--loglevel", "WARNING"]
        webhook = f"{self.shop_url}/stripe/webhook/"
        ledger = str(self.folder / "stripe-ledger.sqlite3")
        stand_in = ["stripe_standin", "--port", str(self.ports.stripe), "--ledger", ledger, "--webhook-url", webhook]
        gunicorn = ["-m", "gunicorn", "storefront.wsgi", "--bind", f"{LOOPBACK}:{self.ports.shop}"]
        gunicorn += ["--workers", "2", "--threads", "4", "--log-level", "warning", "--worker-tmp-dir", "/dev/shm"]  # noqa: S108
        self.processes.start("stripe", python("manage.py", *stand_in), self.env)
        self.processes.start("web", python(*gunicorn), self.env)
        self.processes.start("worker", [*celery, "worker", *queues, *quiet], self.env)
        self.processes.start("beat", [*celery, "beat", *quiet, "--pidfile="], self.env)

    def _agent_config(self, name: str, port: int) -> Path:
        """The agent's configuration, as `manage.py writer add` prints it once; kept, and moved to today's ports."""
        folder = self.folder / name.lower().replace(" ", "-")
        config = folder / "agent.toml"
        address = f"http://{LOOPBACK}:{port}"
        if not config.exists() or not Writer.objects.filter(name=name).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            config.write_text(self._add_writer(name, address))
            config.chmod(0o600)
        text = re.sub(r"(?m)^listen = .*$", f'listen = "{LOOPBACK}:{port}"', config.read_text())
        config.write_text(re.sub(r"(?m)^url = .*$", f'url = "{self.shop_url}"', text))
        Writer.objects.filter(name=name).update(address=address)
        return config

    def _add_writer(self, name: str, address: str) -> str:
        drives = ["--drive", "stdio:discs/{serial}.img"] * 2
        kinds = ["--kinds", ",".join(WRITERS[name]), "--speed", SPEED, "--blanks", "100"]
        return self.manage("writer", "add", name, "--address", address, *drives, *kinds)


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
