"""How an agent becomes a writer: a code that a person has seen lets one agent in, once, for 15 minutes.

Only the sha256 of a code is kept. Whatever is wrong with one, strangers hear the same. Must never call an agent.
"""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction

from devices import lifecycle, tokens
from devices.agent import wire
from devices.intake import NotAccepted, check_address, check_kind, check_name
from devices.log import log
from devices.models import EnrolmentCode, Writer
from devices.serials import CROCKFORD, normalise
from devices.tokens import fingerprint

GOOD_FOR: Final = timedelta(minutes=15)
KEPT_FOR: Final = timedelta(days=30)  # of codes that nobody used
LENGTH: Final = 10  # 50 random bits, and strangers are counted
_GROUP: Final = 5
ACTOR: Final = "enrolment"


class CodeRefused(Exception):
    """No code that is good now: mistyped, used, or older than 15 minutes. Which of them, nobody is told."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A writer with both of its secrets, which are known at this moment only."""

    writer: Writer
    report_token: str
    command_token_sha256: str


def new_code(*, who: str, now: datetime, name: str = "", for_writer: Writer | None = None) -> str:
    """A code to be typed at the agent, e.g. `4K7P2-M9XQR`. Raises NotAccepted for the field name.

    name: what the writer is to be called, whatever its agent calls itself. for_writer: its agent enrols anew.
    """
    if name and for_writer is None:
        name = check_name(name)
    code = "".join(secrets.choice(CROCKFORD) for _ in range(LENGTH))
    with transaction.atomic():
        EnrolmentCode.objects.filter(used_at=None, expires_at__lt=now - KEPT_FOR).delete()
        EnrolmentCode.objects.create(
            code_sha256=fingerprint(code),
            name=name,
            for_writer=for_writer,
            made_by=who,
            made_at=now,
            expires_at=now + GOOD_FOR,
        )
    return "-".join(code[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))


def row_of(code: str) -> EnrolmentCode | None:
    """The row of a code as it was shown, or as somebody typed it."""
    return EnrolmentCode.objects.filter(code_sha256=fingerprint(normalise(code))).first()


def command_line(code: str) -> str:
    """What is typed on the machine with the drives."""
    words = ["spindle-agent", "enrol", "--server", settings.SPINDLE_BASE_URL, "--code", code, "--config", "agent.toml"]
    return shlex.join(words)


def enrol(order: wire.EnrolOrder, now: datetime) -> Enrolled:
    """Makes the agent a writer. Raises CodeRefused, or NotAccepted naming what is wrong; then the code stays good."""
    code = row_of(order.code)
    if code is None or code.used_at is not None or code.expires_at <= now:
        raise CodeRefused(CodeRefused.__doc__)
    check_address(order.address)
    kind = check_kind(order.kind)
    report_token = tokens.new_report_token()
    try:
        with transaction.atomic():
            if not EnrolmentCode.objects.filter(pk=code.pk, used_at=None, expires_at__gt=now).update(used_at=now):
                raise CodeRefused(CodeRefused.__doc__)  # another agent was first
            values = {"address": order.address, "kind": kind, "report_token_sha256": fingerprint(report_token)}
            if (writer := code.for_writer) is None:
                name = check_name(code.name or order.name)
                writer = Writer.objects.create(name=name, created_at=now, **values)
            elif not lifecycle.renew(writer, now=now, actor=ACTOR, **values):
                raise NotAccepted("code", f"{writer} changed at this moment. Try again.")
            EnrolmentCode.objects.filter(pk=code.pk).update(writer=writer)
            log(writer.pk, "enrolled", now=now, actor=ACTOR, text=f"At {order.address}, by a code of {code.made_by}.")
    except IntegrityError:  # the name was taken at this moment
        raise NotAccepted("name", "There is a writer of this name already. Choose another name.") from None
    command = tokens.command_token(settings.SPINDLE_WRITER_KEY, writer.uuid, writer.generation)
    return Enrolled(writer, report_token, fingerprint(command))
