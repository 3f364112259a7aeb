"""The command line and environment of every process of the shop on one machine. Starts nothing."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


@dataclass(frozen=True, slots=True)
class Commands:
    """`data` is the data folder; `shop` and `stripe` are ports of this machine."""

    data: Path
    shop: int
    stripe: int

    @property
    def shop_url(self) -> str:
        return f"http://{LOOPBACK}:{self.shop}"

    @property
    def stripe_url(self) -> str:
        return f"http://{LOOPBACK}:{self.stripe}"

    @property
    def redis_socket(self) -> Path:
        return self.data / "redis" / "redis.sock"

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore:You're running the worker",  # as root; nobody else can reach this broker
            "SPINDLE_DATA": str(self.data),
            "SPINDLE_BASE_URL": self.shop_url,
            "STRIPE_API_BASE": self.stripe_url,
            "STRIPE_CHECKOUT_ORIGIN": self.stripe_url,
        }

    def redis(self, server: str) -> list[str]:
        """A private one: nothing but its socket in the data folder, and nothing kept."""
        options = ["--port", "0", "--unixsocket", str(self.redis_socket), "--unixsocketperm", "700", "--save", ""]
        folder = str(self.redis_socket.parent)
        return [server, *options, "--dir", folder, "--appendonly", "no", "--loglevel", "warning", "--logfile", ""]

    def stand_in(self, ledger: Path) -> list[str]:
        webhook = f"{self.shop_url}/stripe/webhook/"
        options = ["--port", str(self.stripe), "--ledger", str(ledger), "--webhook-url", webhook]
        return python("manage.py", "stripe_standin", *options)

    def web(self, workers: int = 2) -> list[str]:
        gunicorn = ["-m", "gunicorn", "storefront.wsgi", "--bind", f"{LOOPBACK}:{self.shop}", "--threads", "4"]
        quiet = ["--log-level", "warning", "--worker-tmp-dir", "/dev/shm"]  # noqa: S108  (memory for a heartbeat file, nothing is kept there)
        return python(*gunicorn, "--workers", str(workers), *quiet)

    def worker(self) -> list[str]:
        queues = ["-Q", "ticks,documents,mastering", "-c", "3", "--without-gossip", "--without-mingle"]
        return _celery("worker", *queues)

    def beat(self) -> list[str]:
        return _celery("beat", "--pidfile=")

    def agent(self, config: Path) -> list[str]:
        return python("-m", "devices.agent", "--config", str(config))


def _celery(*arguments: str) -> list[str]:
    return python("-m", "celery", "--quiet", "-A", "storefront", *arguments, "--loglevel", "WARNING")
