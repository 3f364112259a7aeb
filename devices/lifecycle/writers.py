"""Moves writers: their states, reasons and flags."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from devices.compiled import CompiledUpdate, Given
from devices.log import log
from devices.models import Writer
from devices.reasons import Reasons, with_reason, without
from devices.states import (
    DISC_FINAL,
    HALTING,
    OF_REPORTS,
    READ_AT_AGENT,
    STOPPING,
    WRITE_AT_AGENT,
    DiscState,
    Keyword,
    ReadState,
    WriterState,
    WriteState,
)

from .reads import move_read
from .writes import move_disc, move_write


def hold_writer(writer_pk: int) -> None:
    """Keeps everybody else from changing this writer's rows until the transaction ends; before its drives and bins.

    Reports do so first, too: rows locked in two orders would be a deadlock.
    """
    _hold(pk=writer_pk)


@CompiledUpdate
def _hold() -> tuple[QuerySet[Writer], dict[str, Any]]:
    return Writer.objects.filter(pk=Given("pk", Writer._meta.pk)), {"settled": F("settled")}


def settle_writer(
    writer: Writer, *, state: str, reasons: Reasons, now: datetime, actor: str, guard: Q | None = None, **fields: Any
) -> bool:
    """Brings state and reasons to these values, with one event for each difference. guard: only if this holds, too."""
    before = {reason["keyword"]: reason for reason in writer.reasons}
    after = {reason["keyword"]: reason for reason in reasons}
    if state == writer.state and before == after and not fields:
        return True
    with transaction.atomic():
        # `settled` stands for both columns: JSON can't be compared alike in every database.
        rows = Writer.objects.filter(guard or Q(), pk=writer.pk, settled=writer.settled)
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


def suspect(writer: Writer, text: str, *, now: datetime) -> bool:
    """Nothing was heard of it for a while: nothing new is sent, its state stays. The next report ends it."""
    reasons = with_reason(writer.reasons, Keyword.SUSPECT.value, text, now)
    return settle_writer(
        writer, state=writer.state, reasons=reasons, now=now, actor="tick", guard=Q(last_seen=writer.last_seen)
    )


def lose_sight(writer: Writer, text: str, *, now: datetime) -> bool:
    """→ offline: nothing was heard of it for too long. It comes back by itself with the next report.

    What its last report said was wrong with it is no longer known, so it is no longer said.
    """
    reasons = with_reason(without(writer.reasons, OF_REPORTS), Keyword.TIMED_OUT.value, text, now)
    guard = Q(last_seen=writer.last_seen)  # it may have reported at this moment, and all was as before
    return settle_writer(writer, state=WriterState.OFFLINE, reasons=reasons, now=now, actor="tick", guard=guard)


def lose_journal(writer: Writer, text: str, *, now: datetime, actor: str) -> bool:
    """→ stopped, because what the agent knew of its discs is gone.

    Discs that were started, or of which nobody knows, become unknown: the writes are never sent again,
    whatever stands above makes new serials. Reads failed. An operator's resume ends it.
    """
    with transaction.atomic():
        if not _halt(writer, Keyword.JOURNAL_LOST, text, now=now, actor=actor):
            return False
        for write in writer.writes.filter(state__in=WRITE_AT_AGENT).order_by("pk"):  # as everywhere: no deadlock
            for disc in write.discs.select_related("write").exclude(state__in=DISC_FINAL):
                move_disc(disc, DiscState.UNKNOWN, now=now, actor=actor, reason=text)
            move_write(write, WriteState.DONE, now=now, actor=actor, reason=text, missing_since=None)
        for read in writer.reads.filter(state__in=READ_AT_AGENT).order_by("pk"):
            move_read(read, ReadState.FAILED, now=now, actor=actor, reason=text)
    return True


def halt_second_agent(writer: Writer, text: str, *, now: datetime) -> bool:
    """→ stopped: two agents report as this writer, and neither may go on before an operator says which."""
    return _halt(writer, Keyword.SECOND_AGENT, text, now=now, actor="agent")


def refuse_outdated(writer: Writer, text: str, *, now: datetime) -> bool:
    """→ stopped: it is heard, but speaks another protocol. The first report that can be taken ends it."""
    return _halt(writer, Keyword.AGENT_OUTDATED, text, now=now, actor="agent", last_seen=now)


def _halt(writer: Writer, keyword: Keyword, text: str, *, now: datetime, actor: str, **fields: Any) -> bool:
    """Its reports are no longer taken, so what the last one said is no longer said."""
    reasons = with_reason(without(writer.reasons, (*OF_REPORTS, Keyword.TIMED_OUT.value)), keyword.value, text, now)
    state = WriterState.STOPPED if writer.enabled else WriterState.OFFLINE
    return settle_writer(writer, state=state, reasons=reasons, now=now, actor=actor, **fields)


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
    reasons = without(writer.reasons, HALTING)
    goes_on = writer.state == WriterState.STOPPED and not any(each["keyword"] in STOPPING for each in reasons)
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
            state=WriterState.IDLE if goes_on else writer.state,
            reasons=reasons,
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
