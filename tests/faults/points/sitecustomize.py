"""Read by every process of a plant under test, by way of PYTHONPATH: ends the process at a named point.

A point is an event (a commit, a call) with a function on the stack. It is armed by a file
`<SPINDLE_TEST_POINTS>/<process>.json` and fires once: whoever renames the file away dies by SIGKILL.
Must never change what the program does until then.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any

FOLDER = os.environ.get("SPINDLE_TEST_POINTS", "")
ARMED = f"{FOLDER}/{os.environ.get('SPINDLE_TEST_PROCESS', '')}.json"
_seen: Counter[str] = Counter()
_lock = threading.Lock()


def reached(event: str) -> None:
    """Dies here if this is the armed point, for the n-th time in this process."""
    try:
        with open(ARMED) as file:  # noqa: PTH123  (called at every commit: nothing more is imported here)
            text = file.read()
    except OSError:
        return
    point = json.loads(text)
    if point["event"] != event or not _is_on_stack(point["function"]):
        return
    with _lock:
        _seen[text] += 1
        if _seen[text] != point["nth"]:
            return
        try:
            os.rename(ARMED, ARMED + ".fired")  # noqa: PTH104  (no import before the kill)
        except FileNotFoundError:
            return  # another process of this name was first
    number = signal.SIGSTOP if point["freeze"] else signal.SIGKILL
    if point["alone"]:
        os.kill(os.getpid(), number)
    else:
        os.killpg(os.getpgrp(), number)


def _is_on_stack(function: str) -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}" == function:
            return True
        frame = frame.f_back
    return False


class WatchedConnection(sqlite3.Connection):
    """Django commits by the method, the agent's journal and the stand-in's ledger by the statement."""

    def commit(self) -> None:
        reached("before-commit")
        super().commit()
        reached("after-commit")

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        reached("before-commit")
        done = super().execute(sql, *parameters)
        reached("after-commit")
        return done


def _watch_sqlite() -> None:
    plain = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        options.setdefault("factory", WatchedConnection)
        made: sqlite3.Connection = plain(*arguments, **options)
        return made

    sqlite3.connect = sqlite3.dbapi2.connect = connect  # type: ignore[assignment]  # one signature for all its overloads


def _watch_postgres() -> None:
    import psycopg  # noqa: PLC0415  (only where it is used: it costs every start)

    plain = psycopg.Connection.commit

    def commit(self: psycopg.Connection[Any]) -> None:
        reached("before-commit")
        plain(self)
        reached("after-commit")

    psycopg.Connection.commit = commit  # type: ignore[method-assign]


def _watch_calls() -> None:
    """Every client in the house ends in http.client."""
    send, receive = http.client.HTTPConnection.endheaders, http.client.HTTPConnection.getresponse

    def endheaders(self: http.client.HTTPConnection, *arguments: Any, **options: Any) -> None:
        reached("before-call")
        send(self, *arguments, **options)

    def getresponse(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        answer = receive(self)
        reached("after-reply")
        return answer

    http.client.HTTPConnection.endheaders = endheaders  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]


if FOLDER:
    _watch_sqlite()
    _watch_calls()
    if os.environ.get("DATABASE_URL"):
        _watch_postgres()
