"""What a worker does first when Redis dies while one of its messages is not acknowledged. With a real Redis."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotThere
from redis.retry import Retry

from storefront.celery import app


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server of the test's own, and its address."""
    server, socket = shutil.which("redis-server"), tmp_path / "redis.sock"
    assert server, "make setup installs Debian's redis-server"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    running = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
    try:
        retry = Retry(ConstantBackoff(0.05), 200, (NotThere,))
        with Redis(unix_socket_path=str(socket), retry=retry) as client:
            client.ping()
        yield running, f"redis+socket://{socket}?virtual_host=0"
    finally:
        running.kill()
        running.wait()


def test_a_message_under_way_does_not_end_the_worker(redis: tuple[subprocess.Popen[bytes], str]) -> None:
    """Celery's cleaning up may come to a channel last. What it does not expect then ends the process."""
    server, address = redis
    with app.connection_for_read(url=address) as connection:
        channel: Any = connection.default_channel
        queue = connection.SimpleQueue("ticks", channel=channel)
        queue.put({})
        queue.get(timeout=5)
        server.kill()
        server.wait()
        connection._do_close_transport()  # seen in one of fifty outages: the transport went first
        channel.close()
        assert channel.closed
