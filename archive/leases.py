"""Renews a lease beside the work that it is for, which may wait for a disk or a network for minutes.

Whose lease, and on which row, says whoever calls: `renew` writes it and tells whether it is still held.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import Error, connection

log = logging.getLogger(__name__)

RENEWAL_SECONDS: Final = 3.0


def new_owner() -> str:
    """A name for whoever holds a lease: machine, process, and a random part for each claim."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


@contextmanager
def renewed(name: str, renew: Callable[[], bool]) -> Iterator[threading.Event]:
    """Renews until the end of the block. Yields «the lease is lost»: the work looks at it, and stops."""
    lost, finished = threading.Event(), threading.Event()

    def keep() -> None:
        try:
            while not finished.wait(RENEWAL_SECONDS) and not lost.is_set():
                try:
                    held = renew()
                except Error as error:  # the database is away: the next renewal may come in time
                    log.warning("The lease of %s was not renewed: %s", name, error)
                    connection.close()
                else:
                    if not held:
                        lost.set()
        finally:
            connection.close()  # of this thread

    thread = threading.Thread(target=keep, name=f"lease of {name}", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        finished.set()
        thread.join()
