"""Whether this process can serve: its database answers and is migrated. Redis may be away and ticks late: it sells on.

Each question is asked in a thread and waited for at most `PATIENCE` seconds, because a connection that hangs
says nothing for minutes. One that still hangs is not asked a second time.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from storefront import broker
from storefront.models import TickRun

PATIENCE: Final = 1.5  # seconds for the database; Redis has been asked meanwhile
LATE: Final = dt.timedelta(seconds=60)
TICKS: Final = ("devices.tick", "fulfillment.tick", "storefront.tick")  # every two seconds each

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """`database`: ok, not migrated or away. `redis`: ok or away. `ticks`: ok, or late where one of
    them did not end well for a minute, or ever."""

    database: str
    redis: str
    ticks: str

    @property
    def ready(self) -> bool:
        return self.database == "ok"


class Question:
    """Something that may hang, asked by one thread at a time."""

    def __init__(self, name: str, ask: Callable[[], str]) -> None:
        self._name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._answer = ""

    def begin(self) -> None:
        with self._lock:
            if self._over.is_set():
                self._over.clear()
                threading.Thread(target=self._run, name=f"asks the {self._name}", daemon=True).start()

    def answer(self, seconds: float) -> str:
        return self._answer if self._over.wait(seconds) else "away"

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        finally:
            self._over.set()


_migrated = threading.Event()  # of this process: what was once migrated for its code stays so


def _ask_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated.is_set():
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "not migrated"
            _migrated.set()
        succeeded = dict(TickRun.objects.filter(name__in=TICKS).values_list("name", "succeeded_at"))
    except (Error, OSError) as error:
        log.debug("the database is away: %s", error)
        return "away"
    else:
        since = timezone.now() - LATE
        # Each of them: mastering's worker goes on where the ticks' worker is gone, and a tick that fails ends as well.
        return "ok" if all((at := succeeded.get(name)) is not None and at > since for name in TICKS) else "ticks late"
    finally:
        connection.close()  # this thread's own


DATABASE: Final = Question("database", _ask_database)
REDIS: Final = Question("broker", lambda: "ok" if broker.answers() else "away")


def look() -> Readiness:
    """Within two seconds, whatever hangs."""
    DATABASE.begin()
    REDIS.begin()
    said = DATABASE.answer(PATIENCE)
    late = said == "ticks late"
    database = "ok" if late else said
    ticks = "ok" if said == "ok" else "late"
    return Readiness(database=database, redis=REDIS.answer(PATIENCE / 5), ticks=ticks)
