"""Wakes a tick up without ever making anybody wait for Redis: without it the next beat finds the same rows."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

# Names of ticks with a message on its way; a second one would say nothing new.
_on_the_way: Final[set[str]] = set()
_lock: Final = threading.Lock()


def send_soon(task: Any) -> None:
    """Sends the task in the background. Never raises, never waits; a lost message costs one beat.

    Redis's client tries a dead server for some seconds, which no page has.
    """
    name = str(task.name)
    with _lock:
        if name in _on_the_way:
            return
        _on_the_way.add(name)
    threading.Thread(target=_send, args=(task, name), name=f"nudge {name}", daemon=True).start()


def _send(task: Any, name: str) -> None:
    try:
        task.delay()
    except (OperationalError, OSError) as error:
        logger.warning("Redis is away, %s waits for the next beat: %s", name, error)
    finally:
        with _lock:
            _on_the_way.discard(name)
