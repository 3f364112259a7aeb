"""Whether a writer belongs to the plant: switched off and on, its tokens revoked, enrolled anew."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from devices.log import log
from devices.models import Writer
from devices.reasons import Reasons, with_reason
from devices.states import HALTING, WRITE_AT_AGENT, Keyword, ReadState, RequestState, WriterState

from .reads import move_read
from .requests import end_request
from .writers import settle_writer

_LASTING = HALTING | {Keyword.UNKNOWN_WORK.value}  # whether it belongs to the plant or not


def disable(writer: Writer, *, who: str, why: str, now: datetime) -> bool:
    """Switched off: its reports and fetches are refused, nothing is sent. Its tokens stay. False: it was off."""
    return _switch_off(writer, who=who, why=why, now=now)


def enable(writer: Writer, *, who: str, now: datetime) -> bool:
    """On again. False: it was on, or its tokens were revoked, and it has to enrol anew."""
    fields: dict[str, Any] = {"disabled_why": "", "disabled_who": "", "disabled_since": None}
    with transaction.atomic():
        rows = Writer.objects.filter(pk=writer.pk, enabled=False).exclude(report_token_sha256="")
        if not rows.update(enabled=True, **fields):
            return False
        log(writer.pk, "enabled", now=now, actor=who)
        writer.refresh_from_db()
        reasons = with_reason(writer.reasons, Keyword.TIMED_OUT.value, "Nothing was heard since it was enabled.", now)
        settle_writer(writer, state=WriterState.OFFLINE, reasons=reasons, now=now, actor=who)
    return True


def revoke(writer: Writer, *, who: str, why: str, now: datetime) -> bool:
    """Switched off, and both of its tokens hold no more: only a new enrolment brings it back.

    Discs that its agent has stay as they are: it finishes what it began without us, and if it comes back with its
    journal it tells how they ended; with another journal, they are unknown by the rules of a lost one.
    False: they were revoked before.
    """
    with transaction.atomic():
        off = _switch_off(writer, who=who, why=why, now=now)
        rows = Writer.objects.filter(pk=writer.pk).exclude(report_token_sha256="")
        generation = F("generation") + 1  # the command token that it knows is never derived again
        revoked = rows.update(
            generation=generation,
            generation_confirmed=generation,
            report_token_sha256="",
            report_token_old_sha256="",
            report_token_wanted=False,
        )
        if revoked:
            log(writer.pk, "revoked", now=now, actor=who, text=why)
            if not off:  # it was switched off before, for another reason
                Writer.objects.filter(pk=writer.pk).update(disabled_why=why, disabled_who=who, disabled_since=now)
    writer.refresh_from_db()
    return bool(revoked)


def _switch_off(writer: Writer, *, who: str, why: str, now: datetime) -> bool:
    """Whoever asked for something is told that it is not to be had here; writes are taken back from above."""
    fields = {"enabled": False, "disabled_why": why, "disabled_who": who, "disabled_since": now}
    with transaction.atomic():
        if not Writer.objects.filter(pk=writer.pk, enabled=True).update(**fields):
            return False
        log(writer.pk, "disabled", now=now, actor=who, text=why)
        writer.refresh_from_db()
        settle_writer(writer, state=WriterState.OFFLINE, reasons=_lasting(writer), now=now, actor=who)
        reason = f"{writer} was switched off."
        for read in writer.reads.filter(state=ReadState.QUEUED):
            move_read(read, ReadState.CANCELLED, now=now, actor=who, reason=reason)
        for requests in (writer.image_requests, writer.drive_orders):
            for request in requests.filter(state=RequestState.OPEN):
                end_request(request, RequestState.DROPPED, now=now, actor=who, reason=reason)
    return True


def _lasting(writer: Writer) -> Reasons:
    return [reason for reason in writer.reasons if reason["keyword"] in _LASTING]


def renew(writer: Writer, *, address: str, kind: str, report_token_sha256: str, now: datetime, actor: str) -> bool:
    """The same writer with a new agent, or the same agent with new tokens; the old ones hold no more.

    While the former agent has discs, its journal alone is believed: another one is a lost journal, so that no serial
    is written twice.
    """
    text = "It has enrolled and not reported yet."
    fields: dict[str, Any] = {
        "address": address,
        "kind": kind,
        "enabled": True,
        "disabled_why": "",
        "disabled_who": "",
        "disabled_since": None,
        "generation": F("generation") + 1,
        "generation_confirmed": F("generation") + 1,
        "report_token_sha256": report_token_sha256,
        "report_token_old_sha256": "",
        "report_token_wanted": False,
        "failures": 0,
        "retry_at": None,
        "images_digest": "",
    }
    if not writer.writes.filter(state__in=WRITE_AT_AGENT).exists():
        fields |= {"journal_id": None, "boot_id": None, "sequence": 0}
    reasons = with_reason(_lasting(writer), Keyword.TIMED_OUT.value, text, now)
    with transaction.atomic():
        moved = settle_writer(writer, state=WriterState.OFFLINE, reasons=reasons, now=now, actor=actor, **fields)
    writer.refresh_from_db()
    return moved
