"""What this agent's log lines are about: the call, the write, the disc, and the order that the server named.

For the log alone. Must never decide anything, nor let a header put more into a line than a name.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from devices.agent.journal import Journal
from devices.agent.wire import ORDER_HEADER, REQUEST_HEADER

log = logging.getLogger("agent")

SANE: Final = re.compile(r"[A-Za-z0-9._,-]{1,200}")
HEADERS: Final = {REQUEST_HEADER.lower().encode(): "request_id", ORDER_HEADER.lower().encode(): "order"}


def bind_caller(headers: Mapping[bytes, bytes]) -> None:
    """For one call: what the server says that it is about."""
    clear_contextvars()
    said = {name: headers.get(header, b"").decode("latin-1") for header, name in HEADERS.items()}
    bind_contextvars(**{name: value for name, value in said.items() if SANE.fullmatch(value)})


def remember_order(journal: Journal, write: UUID) -> None:
    """Keeps this call's order with the write: its discs are written long after the call, perhaps after a restart.

    The write is accepted by then: a fault here must not tell the caller that it is not.
    """
    if order := get_contextvars().get("order"):
        try:
            journal.keep(f"order of {write}", str(order))
        except sqlite3.Error as fault:
            log.warning("write %s: its order %s is missing from later lines: %s", write, order, fault)


def about(journal: Journal, write: UUID, serial: str) -> dict[str, str]:
    order = journal.meta(f"order of {write}")
    return {"write": str(write), "serial": serial} | ({"order": order} if order else {})
