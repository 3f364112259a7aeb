"""Notes how every task of every app ran, from above: the ticks themselves know nothing of it.

A note that can't be written is said in the log and lost; it must never stop a tick.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import Any, Final

from celery.signals import task_postrun, task_prerun
from celery.states import SUCCESS
from django.db import Error, IntegrityError
from django.db.models import F
from django.utils import timezone
from structlog.contextvars import bind_contextvars, clear_contextvars

from storefront.models import TickRun

log = logging.getLogger(__name__)

_began: Final[dict[str, float]] = {}  # by task id


@task_prerun.connect
def begin(task_id: str, task: Any, **kwargs: Any) -> None:
    clear_contextvars()
    bind_contextvars(task=task.name, request_id=task_id)
    _began[task_id] = time.monotonic()


@task_postrun.connect
def end(task_id: str, task: Any, state: str | None = None, **kwargs: Any) -> None:
    seconds = time.monotonic() - _began.pop(task_id, time.monotonic())
    try:
        note(task.name, seconds, timezone.now(), failed=state != SUCCESS)
    except Error as error:
        log.warning("the run of %s could not be noted: %s", task.name, error)
    finally:
        clear_contextvars()


def note(name: str, seconds: float, now: dt.datetime, *, failed: bool) -> None:
    """Adds a run of `seconds` to the row of this task."""
    newest: dict[str, Any] = {"last_seconds": seconds, "finished_at": now}
    if not failed:
        newest["succeeded_at"] = now
    if _add(name, seconds, failed, newest):
        return
    try:
        TickRun.objects.create(name=name, runs=1, failures=int(failed), seconds=seconds, **newest)
    except IntegrityError:  # its first two runs ended at once
        _add(name, seconds, failed, newest)


def _add(name: str, seconds: float, failed: bool, newest: dict[str, Any]) -> bool:
    return bool(
        TickRun.objects.filter(name=name).update(
            runs=F("runs") + 1, failures=F("failures") + int(failed), seconds=F("seconds") + seconds, **newest
        )
    )
