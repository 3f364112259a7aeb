"""The only module that writes a state of a writer, a write or a disc.

Every move is a compare-and-set with its event in the same transaction; False means that somebody
was first, and the caller stops quietly. Must never call an agent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from devices import blanks
from devices.log import log
from devices.models import Disc, Write, Writer
from devices.reasons import Reasons, with_reason, without
from devices.states import (
    DISC_FINAL,
    DISC_MOVES,
    HALTING,
    WRITE_AT_AGENT,
    WRITE_FINAL,
    WRITE_MOVES,
    DiscState,
    Keyword,
    WriterState,
    WriteState,
)

_STAMPS = {
    WriteState.SENT: "sent_at",
    WriteState.ACCEPTED: "accepted_at",
    WriteState.WRITING: "started_at",
    WriteState.DONE: "finished_at",
    WriteState.CANCELLED: "finished_at",
}


class MoveForbidden(Exception):
    """A move that the transition table does not have: a mistake in the program, not in the data."""


# --- Writes and discs -----------------------------------------------------------------------------


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
    with transaction.atomic():
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
    """`disc.state` → `new`; also sets `fields`, counts its blank and raises the revision of its write."""
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


# --- Writers --------------------------------------------------------------------------------------


def settle_writer(writer: Writer, *, state: str, reasons: Reasons, now: datetime, actor: str, **fields: Any) -> bool:
    """Brings state and reasons to these values, with one event for each difference."""
    before = {reason["keyword"]: reason for reason in writer.reasons}
    after = {reason["keyword"]: reason for reason in reasons}
    if state == writer.state and before == after and not fields:
        return True
    with transaction.atomic():
        # `settled` stands for both columns: JSON can't be compared alike in every database.
        rows = Writer.objects.filter(pk=writer.pk, settled=writer.settled)
        if not rows.update(state=state, reasons=reasons, settled=F("settled") + 1, **fields):
            return False
        if state != writer.state:
            log(writer.pk, "writer", now=now, actor=actor, old=writer.state, new=state)
        for keyword in after.keys() - before.keys():
            text = after[keyword]["text"]
            log(writer.pk, "reason", now=now, actor=actor, new=keyword, text=text)
        for keyword in before.keys() - after.keys():
            log(writer.pk, "reason", now=now, actor=actor, old=keyword)
    writer.settled += 1
    for field, value in {"state": state, "reasons": reasons, **fields}.items():
        setattr(writer, field, value)
    return True


def add_reason(writer: Writer, keyword: Keyword, text: str, *, now: datetime, actor: str) -> bool:
    reasons = with_reason(writer.reasons, keyword.value, text, now)
    return settle_writer(writer, state=writer.state, reasons=reasons, now=now, actor=actor)


def end_reasons(writer: Writer, keywords: Iterable[Keyword], *, now: datetime, actor: str) -> bool:
    reasons = without(writer.reasons, (keyword.value for keyword in keywords))
    return settle_writer(writer, state=writer.state, reasons=reasons, now=now, actor=actor)


def lose_sight(writer: Writer, text: str, *, now: datetime) -> bool:
    """→ offline: nothing was heard of it for too long. It comes back by itself with the next report."""
    reasons = with_reason(writer.reasons, Keyword.TIMED_OUT.value, text, now)
    return settle_writer(writer, state=WriterState.OFFLINE, reasons=reasons, now=now, actor="tick")


def lose_journal(writer: Writer, text: str, *, now: datetime, actor: str) -> bool:
    """→ stopped, because what the agent knew of its discs is gone.

    Discs that were started, or of which nobody knows, become unknown: the writes are never sent again,
    whatever stands above makes new serials. An operator's resume ends it.
    """
    with transaction.atomic():
        reasons = with_reason(writer.reasons, Keyword.JOURNAL_LOST.value, text, now)
        if not settle_writer(writer, state=WriterState.STOPPED, reasons=reasons, now=now, actor=actor):
            return False
        for write in writer.writes.filter(state__in=WRITE_AT_AGENT).order_by("pk"):  # as everywhere: no deadlock
            for disc in write.discs.select_related("write").exclude(state__in=DISC_FINAL):
                move_disc(disc, DiscState.UNKNOWN, now=now, actor=actor, reason=text)
            move_write(write, WriteState.DONE, now=now, actor=actor, reason=text, missing_since=None)
    return True


def halt_second_agent(writer: Writer, text: str, *, now: datetime) -> bool:
    """→ stopped: two agents report as this writer, and neither may go on before an operator says which."""
    reasons = with_reason(writer.reasons, Keyword.SECOND_AGENT.value, text, now)
    return settle_writer(writer, state=WriterState.STOPPED, reasons=reasons, now=now, actor="agent")


def drain(writer: Writer, *, who: str, why: str, now: datetime) -> bool:
    """Finish what it has, take nothing new. False: it is draining already."""
    fields = {"draining_why": why, "draining_who": who, "draining_since": now}
    with transaction.atomic():
        rows = Writer.objects.filter(pk=writer.pk, draining=False)
        if not rows.update(draining=True, **fields):
            return False
        log(writer.pk, "drain", now=now, actor=who, text=why)
    writer.refresh_from_db()
    return True


def start_maintenance(writer: Writer, *, who: str, why: str, now: datetime) -> bool:
    """Somebody works on it: it takes nothing new. False: maintenance is on already."""
    fields = {"maintenance_why": why, "maintenance_who": who, "maintenance_since": now}
    with transaction.atomic():
        rows = Writer.objects.filter(pk=writer.pk, maintenance=False)
        if not rows.update(maintenance=True, **fields):
            return False
        log(writer.pk, "maintenance", now=now, actor=who, text=why)
    writer.refresh_from_db()
    return True


def resume(writer: Writer, *, who: str, why: str, now: datetime) -> bool:
    """Takes work again. After a lost journal or a second agent it adopts the agent that reported last.

    False: there was nothing to resume, or somebody was first.
    """
    if not (writer.draining or writer.maintenance or writer.halted):
        return False
    fields: dict[str, Any] = {"draining": False, "maintenance": False}
    for flag in ("draining", "maintenance"):
        fields |= {f"{flag}_why": "", f"{flag}_who": "", f"{flag}_since": None}
    if writer.halted:
        fields |= _adopted(writer)
    with transaction.atomic():
        if writer.halted and writer.refused_boot_id:
            _supersede_all_but(writer, writer.refused_boot_id, now)
        log(writer.pk, "resume", now=now, actor=who, text=why)
        moved = settle_writer(
            writer,
            state=WriterState.IDLE if writer.state == WriterState.STOPPED else writer.state,
            reasons=without(writer.reasons, HALTING),
            now=now,
            actor=who,
            **fields,
        )
        if not moved:
            transaction.set_rollback(True)
    return moved


def _adopted(writer: Writer) -> dict[str, Any]:
    """Without a refused report yet, whatever reports first is adopted."""
    return {
        "journal_id": writer.refused_journal_id,
        "boot_id": writer.refused_boot_id,
        "sequence": writer.refused_sequence or 0,
        "images_digest": "",
        "refused_journal_id": None,
        "refused_boot_id": None,
        "refused_sequence": None,
    }


def _supersede_all_but(writer: Writer, boot_id: UUID, now: datetime) -> None:
    writer.boots.exclude(boot_id=boot_id).filter(superseded_at=None).update(superseded_at=now)
    writer.boots.update_or_create(boot_id=boot_id, defaults={"superseded_at": None}, create_defaults={"since": now})
