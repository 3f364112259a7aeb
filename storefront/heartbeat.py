"""Files that worker and beat touch while they live, so that a container can ask for its own without network.

A worker touches its file while it holds its connection to Redis, beat with each tick it sends.
"""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path
from typing import Any, Final, Literal

from celery.signals import beat_init, before_task_publish, heartbeat_sent
from django.conf import settings

Role = Literal["worker", "beat"]
ROLES: Final[tuple[Role, ...]] = ("worker", "beat")
SILENT: Final = 60.0  # seconds; a worker's file is touched every 2 s, beat's with every tick

log = logging.getLogger(__name__)


def file_of(role: Role) -> Path:
    """Each host, so each container, has its own: two workers must not vouch for each other."""
    return Path(settings.SPINDLE_ALIVE) / f"{role}-{socket.gethostname()}"


def touch(role: Role) -> None:
    path = file_of(role)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:  # a full disk ends no worker; its health check says it
        log.warning("the heartbeat of %s could not be kept: %s", role, error)


def seconds_since(role: Role) -> float | None:
    """Since the last sign of life on this host; None: there was none."""
    try:
        return max(0.0, time.time() - file_of(role).stat().st_mtime)
    except FileNotFoundError:
        return None


@heartbeat_sent.connect
def worker_lives(**kwargs: Any) -> None:
    touch("worker")


@beat_init.connect
def beat_begins(**kwargs: Any) -> None:
    touch("beat")
    before_task_publish.connect(beat_lives)


def beat_lives(**kwargs: Any) -> None:
    touch("beat")
