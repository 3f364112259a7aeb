"""Moves reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from devices.log import log
from devices.models import Read
from devices.states import READ_FINAL, READ_MOVES, ReadState

from .moves import MoveForbidden


def move_read(read: Read, new: ReadState, *, now: datetime, actor: str, reason: str = "", **fields: Any) -> bool:
    """`read.state` → `new`; also sets `fields`. The object is brought up to date when it moved."""
    old = read.state
    if new not in READ_MOVES[old]:
        raise MoveForbidden(f"Read {read.uuid} can't go from {old} to {new}.")
    values: dict[str, Any] = {"state": new, "reason": reason, "changed_at": now, **fields}
    if new in READ_FINAL:
        values |= {"finished_at": now, "missing_since": None}
    elif new in {ReadState.SENT, ReadState.ACCEPTED}:
        values[f"{new}_at"] = now
    guard = Q(cancel_requested=False) if new == ReadState.SENT else Q()
    if old == ReadState.SENT and new in {ReadState.QUEUED, ReadState.CANCELLED}:
        guard = Q(sent_at=read.sent_at)  # only if nobody has sent it again since
    with transaction.atomic():
        if not Read.objects.filter(guard, pk=read.pk, state=old).update(revision=F("revision") + 1, **values):
            return False
        text = f"Read {read.uuid} of {read.drive}. {reason}".strip()
        log(read.writer_id, "read", now=now, actor=actor, old=old, new=new, text=text)
    for field, value in values.items():
        setattr(read, field, value)
    read.revision += 1
    return True


def request_cancel_read(read: Read, *, now: datetime, actor: str) -> bool:
    """Asks for the cancellation of an open read; one not sent yet is cancelled at once."""
    with transaction.atomic():
        rows = Read.objects.filter(pk=read.pk, cancel_requested=False).exclude(state__in=READ_FINAL)
        if not rows.update(cancel_requested=True, revision=F("revision") + 1, changed_at=now):
            return False
        log(read.writer_id, "cancel-requested", now=now, actor=actor, text=f"Read {read.uuid}.")
        read.refresh_from_db()
        if read.state == ReadState.QUEUED:
            move_read(read, ReadState.CANCELLED, now=now, actor=actor, reason="Cancelled before it was sent.")
    return True


def mark_read_sent_again(read: Read, *, now: datetime) -> bool:
    """sent → sent, by this call: what became of an earlier one that nobody answered no longer counts."""
    as_read = Read.objects.filter(pk=read.pk, state=ReadState.SENT, sent_at=read.sent_at, cancel_requested=False)
    if not as_read.update(sent_at=now):
        return False
    read.sent_at = now
    return True


def note_on_read(read: Read, *, now: datetime, reason: str, **fields: Any) -> bool:
    """Says what an open read waits for, without moving it."""
    values = {"reason": reason, "changed_at": now, **fields}
    if not Read.objects.filter(pk=read.pk, state=read.state).update(revision=F("revision") + 1, **values):
        return False
    for field, value in values.items():
        setattr(read, field, value)
    return True
