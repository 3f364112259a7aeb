"""Asks Redis how it is: whether it answers, and how many messages wait. Sends nothing and keeps nothing."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

import redis
from django.conf import settings

SECONDS: Final = 1.0  # to connect, and again for each answer
QUEUES: Final = ("ticks", "documents", "mastering")


def answers() -> bool:
    try:
        with closing(_client()) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def queue_lengths() -> dict[str, int] | None:
    """Messages that no worker has taken yet, by queue; None: Redis is away."""
    try:
        with closing(_client()) as client:
            pipe: Any = client.pipeline(transaction=False)
            for queue in QUEUES:
                pipe.llen(queue)
            return dict(zip(QUEUES, pipe.execute(), strict=True))
    except (redis.RedisError, OSError):
        return None


def _client() -> redis.Redis:
    """For the broker's URL; Celery writes a socket's address in a way of its own."""
    url = settings.REDIS_URL.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    return redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
