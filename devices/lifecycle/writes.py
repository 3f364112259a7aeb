"""Moves writes and discs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from devices import blanks, counters
from devices.log import log
from devices.models import Disc, Write
from devices.states import DISC_FINAL, DISC_MOVES, WRITE_FINAL, WRITE_MOVES, DiscState, WriteState

from .moves import MoveForbidden

_STAMPS = {
    WriteState.SENT: "sent_at",
    WriteState.ACCEPTED: "accepted_at",
    WriteState.WRITING: "started_at",
    WriteState.DONE: "finished_at",
    WriteState.CANCELLED: "finished_at",
}


def move_write(write: Write, new: WriteState, *, now: datetime, actor: str, reason: str = "", **fields: Any) -> bool:
    """`write.state` → `new`; also sets `fields`. The object is brought up to date when it moved."""
    old = write.state
    if new not in WRITE_MOVES[old]:
        raise MoveForbidden(f"Write {write.uuid} can't go from {old} to {new}.")
    values: dict[str, Any] = {"state": new, "reason": reason, "changed_at": now, **fields}
    if stamp := _STAMPS.get(new):
        values[stamp] = now
    # A cancellation that was asked for before the call was made must win over the call.
    guard = Q(cancel_requested=False) if new == WriteState.SENT else Q()
    if old == WriteState.SENT and new in {WriteState.QUEUED, WriteState.CANCELLED}:
        # It never arrived, says a call: only if nobody has sent it again since. A worker may have slept meanwhile.
        guard = Q(sent_at=write.sent_at)
    with transaction.atomic(savepoint=False):  # what fails in here fails with what is around it
        rows = Write.objects.filter(guard, pk=write.pk, state=old)
        if not rows.update(revision=F("revision") + 1, **values):
            return False
        log(write.writer_id, "write", now=now, actor=actor, write=write, old=old, new=new, text=reason)
    for field, value in values.items():
        setattr(write, field, value)
    write.revision += 1  # at least; whoever needs the exact number reads it
    return True


def mark_sent_again(write: Write, *, now: datetime) -> bool:
    """sent → sent, by this call: what became of an earlier one that nobody answered no longer counts."""
    as_read = Write.objects.filter(pk=write.pk, state=WriteState.SENT, sent_at=write.sent_at, cancel_requested=False)
    if not as_read.update(sent_at=now):
        return False
    write.sent_at = now
    return True


def note_on_write(write: Write, *, now: datetime, actor: str, reason: str, **fields: Any) -> bool:
    """Says what an open write waits for, without moving it; an unchanged text writes no event."""
    said = write.reason
    with transaction.atomic():
        rows = Write.objects.filter(pk=write.pk, state=write.state)
        if not rows.update(revision=F("revision") + 1, reason=reason, changed_at=now, **fields):
            return False
        if reason and reason != said:
            log(write.writer_id, "write-waits", now=now, actor=actor, write=write, text=reason)
    for field, value in {"reason": reason, "changed_at": now, **fields}.items():
        setattr(write, field, value)
    return True


def move_disc(disc: Disc, new: DiscState, *, now: datetime, actor: str, **fields: Any) -> bool:
    """`disc.state` → `new`; also sets `fields`, counts its blank and its drive, and raises its write's revision."""
    old, write = disc.state, disc.write
    if new not in DISC_MOVES[old]:
        raise MoveForbidden(f"Disc {disc.serial} can't go from {old} to {new}.")
    values: dict[str, Any] = {"state": new, **fields}
    if new in DISC_FINAL:
        values["final_at"] = now
    with transaction.atomic():
        # The write's row first, as everywhere: two orders of locking would be a deadlock.
        Write.objects.filter(pk=write.pk).update(revision=F("revision") + 1, changed_at=now)
        if not Disc.objects.filter(pk=disc.pk, state=old).update(**values):
            transaction.set_rollback(True)
            return False
        for field, value in values.items():
            setattr(disc, field, value)
        blanks.count_disc(disc, old, now=now)
        counters.count_disc(disc, old)
        log(
            write.writer_id,
            "disc",
            now=now,
            actor=actor,
            write=write,
            serial=disc.serial,
            old=old,
            new=new,
            text=disc.reason,
        )
    return True


def give_up_planned(write: Write, *, now: datetime, actor: str, reason: str) -> int:
    """All discs of the write that were not started → cancelled. How many they were."""
    return sum(
        move_disc(disc, DiscState.CANCELLED, now=now, actor=actor, reason=reason)
        for disc in write.discs.select_related("write").filter(state=DiscState.PLANNED)
    )


def drop_write(write: Write, *, now: datetime, actor: str, reason: str, problem: str = "") -> bool:
    """A write that its agent does not have and will never get → cancelled, with its discs.

    problem: the keyword of a refusal; empty when somebody wanted it.
    """
    with transaction.atomic():
        end = WriteState.CANCELLED
        if not move_write(write, end, now=now, actor=actor, reason=reason, problem=problem):
            return False
        give_up_planned(write, now=now, actor=actor, reason=reason)
    return True


def finish_write(write: Write, *, now: datetime, actor: str) -> bool:
    """→ done once all discs are final, or cancelled if some were given up; False before that."""
    ends = set(write.discs.order_by().values_list("state", flat=True))
    if write.state in WRITE_FINAL or not ends <= DISC_FINAL:
        return False
    new = WriteState.CANCELLED if DiscState.CANCELLED in ends else WriteState.DONE
    return move_write(write, new, now=now, actor=actor, reason=write.reason, missing_since=None)


def request_cancel(write: Write, *, now: datetime, actor: str) -> bool:
    """Asks for the cancellation of an open write; one not sent yet is cancelled at once.

    False: it was asked for before, or the write is final.
    """
    with transaction.atomic():
        rows = Write.objects.filter(pk=write.pk, cancel_requested=False).exclude(state__in=WRITE_FINAL)
        if not rows.update(cancel_requested=True, revision=F("revision") + 1, changed_at=now):
            return False
        log(write.writer_id, "cancel-requested", now=now, actor=actor, write=write)
        write.refresh_from_db()
        if write.state == WriteState.QUEUED:
            drop_write(write, now=now, actor=actor, reason="Cancelled before it was sent.")
    return True
