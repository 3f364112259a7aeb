"""Moves requests to an agent: images to have or to drop, orders to a drive."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction

from devices.agent.wire import DriveVerb
from devices.log import log
from devices.models import DriveOrder, ImageRequest, Writer
from devices.states import RequestState
from devices.text import clean

Request = ImageRequest | DriveOrder

# Of these two the last word counts, however long both of them waited for the agent.
OPPOSITE: Final = {DriveVerb.DRAIN: DriveVerb.RESUME, DriveVerb.RESUME: DriveVerb.DRAIN}


def end_request(request: Request, new: RequestState, *, now: datetime, actor: str, reason: str = "") -> bool:
    """open → done, failed or dropped, for good."""
    rows = type(request)._default_manager.filter(pk=request.pk, state=RequestState.OPEN)
    values = {"state": new, "reason": reason, "ended_at": now, "retry_at": None}
    with transaction.atomic():
        if not rows.update(**values):
            return False
        kind, serial, text = _named(request)
        text = f"{text}. {reason}".strip() if reason else text
        log(request.writer_id, kind, now=now, actor=actor, serial=serial, old=RequestState.OPEN, new=new, text=text)
    for field, value in values.items():
        setattr(request, field, value)
    return True


def _named(request: Request) -> tuple[str, str, str]:
    """The event's kind, the disc's serial and what it was about. Every fetch and every purge is an event."""
    if isinstance(request, DriveOrder):
        return "drive-order", request.serial, f"{request.verb} {request.drive}"
    kind = "fetch" if request.wish == ImageRequest.Wish.HAVE else "purge"
    return kind, "", f"{request.title or 'image'} {request.sha256[:12]}, {request.size} bytes"


def note_on_request(request: Request, *, reason: str, **fields: Any) -> bool:
    """Says what an open request waits for."""
    rows = type(request)._default_manager.filter(pk=request.pk, state=RequestState.OPEN)
    values = {"reason": reason, **fields}
    if not rows.update(**values):
        return False
    for field, value in values.items():
        setattr(request, field, value)
    return True


def open_drive_order(
    writer: Writer, drive: str, verb: DriveVerb, *, actor: str, now: datetime, serial: str = ""
) -> tuple[DriveOrder, bool]:
    """An operator's word to a drive, and whether it is new: the same word that still waits is that one."""
    with transaction.atomic():
        same = DriveOrder.objects.filter(writer=writer, drive=drive, verb=verb.value, serial=serial)
        if (known := same.filter(state=RequestState.OPEN).first()) is not None:
            return known, False
        if (undone := OPPOSITE.get(verb)) is not None:
            contrary = DriveOrder.objects.filter(writer=writer, drive=drive, verb=undone, state=RequestState.OPEN)
            for order in contrary.order_by("pk"):
                end_request(order, RequestState.DROPPED, now=now, actor=actor, reason=f"Replaced by {verb}.")
        made = DriveOrder.objects.create(
            writer=writer, drive=drive, verb=verb.value, serial=serial, asked_by=clean(actor, 100), asked_at=now
        )
        text = f"{verb} {drive}"
        log(writer.pk, "drive-order", now=now, actor=actor, serial=serial, new=RequestState.OPEN, text=text)
    return made, True
