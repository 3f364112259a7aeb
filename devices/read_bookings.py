"""Books what an agent says of reads. Repeating it changes nothing; nothing moves backwards.

Must be called inside a transaction that holds the writer's row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from devices import lifecycle, trouble
from devices.agent import wire
from devices.bookings import ACTOR, MISSING_AFTER
from devices.log import log
from devices.models import DeviceEvent, Read, Writer
from devices.states import READ_AT_AGENT, ReadState
from devices.text import clean

STEP: Final = "devices.book-read"
BIGGEST: Final = 2**63 - 1  # what a column of the database holds
_OVER: Final = {wire.WriteState.DONE, wire.WriteState.CANCELLED}


def book_reads(writer: Writer, answers: Collection[wire.ReadAnswer], now: datetime) -> list[UUID]:
    """Books all reads of a report; the uuids whose final result is stored: those may leave the agent's state."""
    said = {answer.uuid: answer for answer in answers}
    reads = {read.uuid: read for read in writer.reads.filter(Q(uuid__in=said) | Q(state__in=READ_AT_AGENT))}
    note_unknown(writer, said.keys() - reads.keys(), now)
    recorded: list[UUID] = []

    def book(read: Read) -> None:
        with transaction.atomic():
            book_read(read, said[read.uuid], now)
        if read.final and said[read.uuid].state in _OVER:
            recorded.append(read.uuid)

    trouble.each(STEP, [read for read in reads.values() if read.uuid in said], book, now)
    for read in reads.values():
        if read.uuid not in said:
            _note_missing(read, now)
    return recorded


def book_read(read: Read, answer: wire.ReadAnswer, now: datetime) -> None:
    """Moves the read to what the agent says of it. One that is final here stays as it is."""
    if read.final:
        return
    if read.state == ReadState.QUEUED:
        lifecycle.move_read(read, ReadState.SENT, now=now, actor=ACTOR)
    if read.state == ReadState.SENT:
        lifecycle.move_read(read, ReadState.ACCEPTED, now=now, actor=ACTOR)
    if read.missing_since is not None:
        Read.objects.filter(pk=read.pk).update(missing_since=None)
        read.missing_since = None
    new, fields = _result(answer)
    if new not in {read.state, ReadState.ACCEPTED}:
        lifecycle.move_read(read, new, now=now, actor=ACTOR, **fields)


def _result(answer: wire.ReadAnswer) -> tuple[ReadState, dict[str, Any]]:
    """A read that is done and names no image failed."""
    reason = clean(answer.reason or "", 500)
    if answer.state == wire.WriteState.ACCEPTED:
        return ReadState.ACCEPTED, {}
    if answer.state == wire.WriteState.WRITING:
        return ReadState.READING, {}
    if answer.state == wire.WriteState.CANCELLED:
        return ReadState.CANCELLED, {"reason": reason}
    if not answer.sha256 or answer.layout is None or not answer.size:
        return ReadState.FAILED, {"reason": reason or "The agent says that it is done, and names no image."}
    if answer.size > BIGGEST or answer.layout == wire.Layout.FACE:
        return ReadState.FAILED, {"reason": f"The agent says that it read {answer.size} bytes as {answer.layout}."}
    image: dict[str, Any] = {"sha256": answer.sha256, "size": answer.size, "layout": answer.layout.value}
    return ReadState.DONE, image | {"reason": reason}


def _note_missing(read: Read, now: datetime) -> None:
    """Accepted, yet not in the report: dispatch asks the agent for it by its uuid."""
    if read.accepted_at is None or read.missing_since is not None:
        return
    if read.accepted_at + MISSING_AFTER < now:
        Read.objects.filter(pk=read.pk, state=read.state).update(missing_since=now)


def note_unknown(writer: Writer, uuids: Iterable[UUID], now: datetime) -> None:
    """Reads that this server never asked for: one event for each, however often it is reported."""
    names = {str(uuid) for uuid in uuids}
    if not names:
        return
    known = DeviceEvent.objects.filter(writer=writer, kind="unknown-read", new__in=names)
    for name in sorted(names - set(known.values_list("new", flat=True))):
        text = f"The agent reports read {name}, which this server never sent to {writer}."
        log(writer.pk, "unknown-read", now=now, actor=ACTOR, new=name, text=text)
