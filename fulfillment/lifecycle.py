"""The only module that writes the state of a job, a shipment or a paper.

Each change is a compare-and-set with its event in the same transaction; False means somebody was first: stop quietly.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models, transaction
from django.db.models import F, QuerySet

from devices.compiled import CompiledUpdate, Given
from fulfillment.models import Job, JobEvent, Paper, Shipment, ShipmentEvent

log = logging.getLogger(__name__)

J = Job.State
JOB_TRANSITIONS: Final = {
    J.WAITING: {J.WAITING, J.HELD, J.WRITING, J.MADE, J.CANCELLED},  # waiting → waiting: for another reason
    J.HELD: {J.HELD, J.WAITING, J.WRITING, J.MADE, J.CANCELLED},
    J.WRITING: {J.WAITING, J.HELD, J.WRITING, J.MADE, J.CANCELLED},  # writing → writing: more discs for it
    J.MADE: {J.CANCELLED},  # cancelled with its shipment: its discs become stock
    J.CANCELLED: set[Job.State](),
}

S = Shipment.State
SHIPMENT_TRANSITIONS: Final = {
    S.PREPARING: {S.READY, S.CANCELLED},
    S.READY: {S.PACKED, S.CANCELLED},
    S.PACKED: {S.SHIPPED, S.CANCELLED},  # cancelled: somebody takes the parcel off the shelf
    S.SHIPPED: set[Shipment.State](),
    S.CANCELLED: set[Shipment.State](),
}
SHIPMENT_STAMPS: Final = {S.READY: "ready_at", S.PACKED: "packed_at", S.SHIPPED: "shipped_at"}


class ImpossibleMove(Exception):
    """A change of state that the transition table does not know: a fault in the program, never in its input."""


def hold_row(row: models.Model) -> None:
    """Keeps everybody else from changing the row until this transaction ends, and reads it again.

    An UPDATE does so on every database; a SELECT … FOR UPDATE is silently ignored by SQLite.
    """
    type(row)._default_manager.filter(pk=row.pk).update(state=F("state"))
    row.refresh_from_db()


def move_job(
    job: Job, new: Job.State, *, actor: str, now: dt.datetime, reason: str = "", text: str = "", **also: Any
) -> bool:
    """Moves a job from the state and revision it was read with; `also` are columns set in the same breath.

    `reason` says why it waits or is held.
    """
    return move_jobs([JobMove(job, new, reason, text, also)], actor=actor, now=now)


@dataclass(frozen=True, slots=True)
class JobMove:
    job: Job
    new: Job.State
    reason: str = ""
    text: str = ""
    also: Mapping[str, Any] = field(default_factory=dict)


def move_jobs(moves: Sequence[JobMove], *, actor: str, now: dt.datetime) -> bool:
    """Several such moves, one after the other. False: somebody was first with one of them, and those before it stand
    without their events; who asked for several leaves his transaction then, and takes them back in memory."""
    events: list[JobEvent] = []
    with transaction.atomic(savepoint=False):  # what fails in here fails with what is around it
        for move in moves:
            if (event := _move(move, actor, now)) is None:
                return False
            events.append(event)
        JobEvent.objects.bulk_create(events)
        for event in events:
            _tell(event.job, "job", event.old, event.new)
    return True


def _move(move: JobMove, actor: str, now: dt.datetime) -> JobEvent | None:
    """Its event, to be written, or None if somebody was first."""
    job, old = move.job, Job.State(move.job.state)
    if move.new not in JOB_TRANSITIONS[old]:
        raise ImpossibleMove(f"job {job.pk}: {old} → {move.new}")
    made_at = now if move.new == J.MADE else None
    values = {"state": move.new, "reason": move.reason, "made_at": made_at, **move.also}
    if not _as_read(*move.also, pk=job.pk, old=old, seen=job.revision, **values):
        return None
    job.state, job.reason, job.revision = move.new, move.reason, job.revision + 1
    for column, value in move.also.items():
        setattr(job, column, value)
    return JobEvent(job=job, at=now, actor=actor, old=old, new=move.new, text=move.text or move.reason)


@CompiledUpdate
def _as_read(*also: str) -> tuple[QuerySet[Job], dict[str, Any]]:
    """The job's row, if it is as it was read, and what it becomes."""
    column: Any = Job._meta.get_field
    rows = Job.objects.filter(
        pk=Given("pk", column("id")), state=Given("old", column("state")), revision=Given("seen", column("revision"))
    )
    values = {name: Given(name, column(name)) for name in ("state", "reason", "made_at", *also)}
    return rows, values | {"revision": F("revision") + 1}


def move_shipment(
    shipment: Shipment, new: Shipment.State, *, actor: str, now: dt.datetime, text: str = "", **also: Any
) -> bool:
    """Moves a shipment on from the state it was read in; `also` are columns set in the same breath."""
    old = Shipment.State(shipment.state)
    if new not in SHIPMENT_TRANSITIONS[old]:
        raise ImpossibleMove(f"shipment {shipment.reference}: {old} → {new}")
    stamp = {SHIPMENT_STAMPS[new]: now} if new in SHIPMENT_STAMPS else {}
    with transaction.atomic(savepoint=False):
        values = {"state": new, **stamp, **also}
        if not _shipment_as_read(*values, pk=shipment.pk, old=old, **values):
            return False
        ShipmentEvent.objects.create(shipment=shipment, at=now, actor=actor, old=old, new=new, text=text)
        _tell(shipment, "shipment", old, new)
    shipment.state = new
    return True


@CompiledUpdate
def _shipment_as_read(*columns: str) -> tuple[QuerySet[Shipment], dict[str, Any]]:
    column: Any = Shipment._meta.get_field
    rows = Shipment.objects.filter(pk=Given("pk", column("id")), state=Given("old", column("state")))
    return rows, {name: Given(name, column(name)) for name in columns} | {"revision": F("revision") + 1}


def _tell(row: Job | Shipment, what: str, old: str, new: str) -> None:
    """Not before it is so. What somebody wrote beside it stays in the database."""
    about = row.about | {"old": old, "new": new}
    transaction.on_commit(lambda: log.info("%s %s", what, new, extra=about), robust=True)


def paper_begun(paper: Paper, *, until: dt.datetime) -> bool:
    """Counts a try before it is made: one that dies without a word was a try too, and the next comes after `until`."""
    begun = Paper.objects.filter(pk=paper.pk, state=Paper.State.WAITING, attempts=paper.attempts).update(
        attempts=F("attempts") + 1, next_try_at=until
    )
    paper.attempts += begun
    return bool(begun)


def paper_printed(paper: Paper, *, path: str, sha256: str, pages: int, now: dt.datetime) -> bool:
    return bool(
        Paper.objects.filter(pk=paper.pk, state=Paper.State.WAITING).update(
            state=Paper.State.PRINTED, path=path, sha256=sha256, pages=pages, printed_at=now, reason=""
        )
    )


def paper_failed(paper: Paper, *, reason: str, now: dt.datetime, retry_in: dt.timedelta | None) -> bool:
    """Says why a try failed; without `retry_in` it was the last one, and somebody has to look."""
    return bool(
        Paper.objects.filter(pk=paper.pk, state=Paper.State.WAITING, attempts=paper.attempts).update(
            state=Paper.State.WAITING if retry_in else Paper.State.FAILED,
            next_try_at=now + (retry_in or dt.timedelta()),
            reason=reason[:300],
        )
    )


def print_again(paper: Paper, *, now: dt.datetime) -> bool:
    """Sends a printed or failed paper to the printer once more."""
    return bool(
        Paper.objects.filter(pk=paper.pk)
        .exclude(state=Paper.State.WAITING)
        .update(state=Paper.State.WAITING, attempts=0, next_try_at=now, reason="asked for again")
    )
