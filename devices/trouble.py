"""Gives each row's work in a tick its own guard: what fails is noted, tried again, and set aside after three tries.

A row that fails never stops its siblings. The one piece of its kind: the apps above use it as well.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Model, QuerySet
from structlog.contextvars import bound_contextvars

from devices.compiled import Compiled
from devices.models import Trouble
from devices.text import clean

logger = logging.getLogger(__name__)


class Keyed(Protocol):
    """A row, or the values of one that were read."""

    @property
    def pk(self) -> Any: ...


Row = TypeVar("Row", bound=Keyed)
Result = TypeVar("Result")

PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=30))  # between the tries; after the last one it is set aside
TRIES: Final = len(PAUSES) + 1
_MOST_CULPRITS: Final = 8  # more rows than these don't fail by themselves: then what they have in common is broken
OF_THE_DATABASE: Final = (OperationalError, InterfaceError)
# Of an OperationalError: only these say that the statement itself can't be done, as a row's would be each time.
_OF_THE_STATEMENT: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG}
# SQLSTATE: connection, rollback of a deadlock, resources, a lock not had, shutdown, the system, read-only for now.
_PASSING: Final = ("08", "40", "53", "55P03", "57P", "58", "25006")


_seen: ContextVar[dict[str, dict[str, Trouble]] | None] = ContextVar(
    "troubles, while they were looked up", default=None
)


class NotTried(Exception):
    """Raised by `work` where it did not come to the row: neither a failure nor a success."""


@contextmanager
def looked_up_once() -> Iterator[None]:
    """Within, the troubles are read once: a turn has a dozen steps, and troubles are few and rare."""
    by_step: dict[str, dict[str, Trouble]] = {}
    for trouble in _all():
        by_step.setdefault(trouble.step, {})[trouble.row] = trouble
    token = _seen.set(by_step)
    try:
        yield
    finally:
        _seen.reset(token)


@Compiled
def _all() -> QuerySet[Trouble]:
    return Trouble.objects.all()


def left_alone(step: str, now: datetime) -> list[str]:
    """The keys of rows that this step must not touch now: for `exclude(pk__in=…)`, so that they fill no batch."""
    return [trouble.row for trouble in _troubles(step).values() if _resting(trouble, now)]


def has_any(step: str) -> bool:
    """Whether a row of this step failed and has not gone well since."""
    return bool(_troubles(step))


def all_left_alone(steps: Iterable[str], now: datetime) -> dict[str, list[str]]:
    """The same for several steps at once, with one query."""
    found: dict[str, list[str]] = {step: [] for step in steps}
    for trouble in Trouble.objects.filter(step__in=found):
        if _resting(trouble, now):
            found[trouble.step].append(trouble.row)
    return found


def is_last_try(step: str, row: Model) -> bool:
    """Whether a failure of this row now would set it aside."""
    return Trouble.objects.filter(step=step, row=str(row.pk), tries=TRIES - 1).exists()


def each(
    step: str,
    rows: Iterable[Row],
    work: Callable[[Row], Any],
    now: datetime,
    *,
    not_the_rows: tuple[type[Exception], ...] = (),
) -> int:
    """Does `work` for every row that is not left alone. Returns for how many it went well.

    Raises only what is no row's fault: `not_the_rows`, a lost database, the end of the task's time.
    """
    went_well = 0
    known: dict[str, Trouble] | None = None
    for row in rows:
        known = _troubles(step) if known is None else known
        trouble = known.get(str(row.pk))
        if trouble and _resting(trouble, now):
            continue
        try:
            with bound_contextvars(**getattr(row, "about", {})):
                work(row)
        except NotTried:
            continue
        except not_the_rows:
            raise
        except Exception as error:
            _take_failure(step, row, error, now)
        else:
            went_well += 1
            if trouble:
                trouble.delete()
    return went_well


def _take_failure(step: str, row: Keyed, error: Exception, now: datetime) -> None:
    if isinstance(error, OF_THE_DATABASE) and not connection.is_usable():
        raise error
    if passes(error):
        logger.warning("%s %s waits for the next tick: %s", step, row.pk, error)
        return
    note(step, row, error, now)
    if isinstance(error, SoftTimeLimitExceeded):
        raise error


def together(
    step: str, rows: Iterable[Row], work: Callable[[list[Row]], Result], now: datetime
) -> tuple[list[Row], Result]:
    """`work` for all rows at once, without those that make it raise; those are noted. `work` must change nothing.

    Returns the rows that took part, and what `work` gave. Raises what `work` raises for no row in particular.
    """
    known = _troubles(step)
    wanted = list(rows)
    if known:
        wanted = [row for row in wanted if not (str(row.pk) in known and _resting(known[str(row.pk)], now))]
    try:
        result = work(wanted)
    except Exception as fault:
        if _nobodys(fault):
            raise
        work([])  # raises as well where something else than the rows is broken
        culprits: list[tuple[Row, Exception]] = []
        _find(wanted, work, culprits)
        if not culprits or len(culprits) == len(wanted) > 1 or len(culprits) >= _MOST_CULPRITS:
            raise
        for row, error in culprits:
            note(step, row, error, now)
        guilty = {row.pk for row, _ in culprits}
        wanted = [row for row in wanted if row.pk not in guilty]
        result = work(wanted)
    for row in wanted if known else ():
        if trouble := known.get(str(row.pk)):
            trouble.delete()
    return wanted, result


def note(step: str, row: Keyed, error: Exception, now: datetime) -> Trouble:
    """Counts a failed try with its reason and its traceback; the last one sets the row aside."""
    reason = clean(f"{type(error).__name__}: {error}", 1000)
    trouble, _ = Trouble.objects.get_or_create(
        step=step,
        row=str(row.pk),
        defaults={
            "name": clean(str(row), 200),
            "reason": reason,
            "first_at": now,
            "last_at": now,
            "next_try_at": now,
        },
    )
    tries = trouble.tries + 1
    last = tries >= TRIES
    # Compare-and-set: two ticks at once that fail for the same reason are one try.
    rows = Trouble.objects.filter(pk=trouble.pk, tries=trouble.tries, next_try_at__lte=now, set_aside_at=None)
    if rows.update(
        tries=tries,
        reason=reason,
        last_at=now,
        next_try_at=now + PAUSES[min(tries, len(PAUSES)) - 1],
        set_aside_at=now if last else None,
    ):
        then = "set aside" if last else "tried again later"
        logger.error("%s failed for %s (try %s): %s", step, row.pk, tries, then, exc_info=error)
    trouble.refresh_from_db()
    return trouble


def try_again(trouble: Trouble, now: datetime) -> bool:
    """Somebody mended it: the next tick tries again, as if for the first time."""
    rows = Trouble.objects.filter(pk=trouble.pk).exclude(set_aside_at=None)
    return bool(rows.update(tries=0, set_aside_at=None, next_try_at=now))


def sweep(wanted: Mapping[str, QuerySet[Any]]) -> None:
    """Forgets troubles whose row their step no longer has to do with. wanted: by step, the rows that it still has."""
    rows = Trouble.objects.filter(step__in=wanted).values_list("step", "row", "pk")
    noted: dict[str, dict[str, int]] = {}
    for step, row, pk in rows:
        noted.setdefault(step, {})[row] = pk
    for step, troubles in noted.items():
        alive = {str(pk) for pk in wanted[step].filter(pk__in=troubles).values_list("pk", flat=True)}
        Trouble.objects.filter(pk__in=[pk for row, pk in troubles.items() if row not in alive]).delete()


def passes(error: Exception) -> bool:
    """Whether it is the database's trouble and may be over by the next tick: a deadlock, a lock, a lost connection."""
    if not isinstance(error, OF_THE_DATABASE):
        return False
    cause = error.__cause__
    if (state := getattr(cause, "sqlstate", None)) is not None:
        return str(state).startswith(_PASSING)
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF not in _OF_THE_STATEMENT  # the rest of an extended code


def _nobodys(error: Exception) -> bool:
    return isinstance(error, SoftTimeLimitExceeded) or passes(error)


def _troubles(step: str) -> dict[str, Trouble]:
    if (seen := _seen.get()) is not None:
        return seen.get(step, {})
    return {trouble.row: trouble for trouble in Trouble.objects.filter(step=step)}


def _resting(trouble: Trouble, now: datetime) -> bool:
    return trouble.set_aside_at is not None or trouble.next_try_at > now


def _find(rows: list[Row], work: Callable[[list[Row]], Any], found: list[tuple[Row, Exception]]) -> None:
    """The rows without which `work` does not raise, by halves: a few runs, not one per row."""
    if len(found) >= _MOST_CULPRITS:
        return
    try:
        work(rows)
    except Exception as error:
        if _nobodys(error):
            raise
        if len(rows) <= 1:
            found += [(row, error) for row in rows]
            return
        middle = len(rows) // 2
        _find(rows[:middle], work, found)
        _find(rows[middle:], work, found)
