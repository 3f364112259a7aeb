"""Real processes with the test's database, which all begin at the same moment."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any, Final

SIZE: Final = 4
Doing = tuple[Callable[..., Any], tuple[Any, ...]]
_ready: Barrier


def _begin(database: str, ready: Barrier) -> None:
    """In the new process: Django, on the test's database."""
    global _ready
    _ready = ready
    os.environ["DJANGO_SETTINGS_MODULE"] = "storefront.settings"
    from storefront import settings  # noqa: PLC0415 - changed before Django reads it

    settings.DATABASES["default"]["NAME"] = database
    import django  # noqa: PLC0415  (only once the process is set up)

    django.setup()


def _call(call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from django.db import connection  # noqa: PLC0415 - after the set-up

    connection.ensure_connection()
    _ready.wait(60)
    return call(*arguments)


class Crowd:
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def all(self, call: Callable[..., Any], *arguments: Any) -> list[Any]:
        """The same call in each process, at the same moment. What it raises there is raised here."""
        return self.mixed([(call, arguments)] * SIZE)

    def mixed(self, calls: list[Doing]) -> list[Any]:
        """One call per process, as many as there are processes; what they return, in their order."""
        assert len(calls) == SIZE
        futures = [self._pool.submit(_call, call, arguments) for call, arguments in calls]
        return [future.result(120) for future in futures]


@contextmanager
def gathered(database: str) -> Iterator[Crowd]:
    spawn = multiprocessing.get_context("spawn")  # forking would share pytest's own connection
    ready = spawn.Barrier(SIZE)
    with ProcessPoolExecutor(SIZE, mp_context=spawn, initializer=_begin, initargs=(database, ready)) as pool:
        yield Crowd(pool)
