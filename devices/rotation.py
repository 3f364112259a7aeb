"""Rotates a writer's two tokens without losing the agent: the old ones hold until the new ones were used."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F

from devices import tokens
from devices.agent import wire
from devices.log import log
from devices.models import Writer


def rotate(writer: Writer, *, who: str, now: datetime) -> bool:
    """Asks for new tokens; the agent gets them with the answer to its next report.

    False: the last rotation is not through yet.
    """
    with transaction.atomic():
        rows = Writer.objects.filter(
            pk=writer.pk,
            generation=F("generation_confirmed"),
            report_token_wanted=False,
            report_token_old_sha256="",
        )
        if not rows.update(generation=F("generation") + 1, report_token_wanted=True):
            return False
        log(writer.pk, "rotate", now=now, actor=who, text="New tokens with the next report.")
    writer.refresh_from_db()
    return True


def is_under_way(writer: Writer) -> bool:
    """Whether its agent has still to use one of the new tokens."""
    confirmed = writer.generation == writer.generation_confirmed
    return not confirmed or writer.report_token_wanted or bool(writer.report_token_old_sha256)


def with_next_tokens(writer: Writer, presented: str, answer: wire.ReportAnswer) -> wire.ReportAnswer:
    """The answer to an accepted report, with the tokens that the agent is to use from now on.

    presented: the sha256 of the report token that came with the report.
    """
    news: dict[str, str] = {}
    if writer.generation != writer.generation_confirmed:
        token = tokens.command_token(settings.SPINDLE_WRITER_KEY, writer.uuid, writer.generation)
        news["command_token_sha256"] = tokens.fingerprint(token)
    old = writer.report_token_old_sha256
    if old and presented != old:
        # The new one was used: from now on it alone holds.
        Writer.objects.filter(pk=writer.pk, report_token_sha256=presented).update(report_token_old_sha256="")
    elif writer.report_token_wanted or old:
        # Asked for, or the answer that carried the new one was lost (only its sha256 is kept): another one.
        fresh = tokens.new_report_token()
        rows = Writer.objects.filter(pk=writer.pk, report_token_sha256=writer.report_token_sha256)
        stored = rows.update(
            report_token_sha256=tokens.fingerprint(fresh),
            report_token_old_sha256=presented,
            report_token_wanted=False,
        )
        if stored:
            news["report_token"] = fresh
    return answer.model_copy(update=news)
