"""A visit to one agent: who may make it, at which address and with which token, and how it went.

One process visits a writer at a time, so that a slow agent holds one worker and delays nobody else. That is
economy: two at once do no harm, because an agent takes everything twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import Error, connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from devices import addresses, errands, lifecycle, tokens, trouble
from devices.client import AgentClient, AgentError, AgentUnauthorized, AgentUnreachable
from devices.models import Writer
from devices.reasons import with_reason, without
from devices.states import ASK_AFTER, OF_CALLS, Keyword
from devices.text import clean

LEASE: Final = timedelta(seconds=8)  # a killed worker's runs out by itself, and its writer waits no longer than this
RENEWAL_SECONDS: Final = 2.0
_BACK_OFF: Final = (5, 10, 20, 40, 60)  # seconds between failed visits; the last one repeats

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """The right to visit a writer. `until` is also whose it is: another process writes another instant."""

    writer_pk: int
    until: datetime
    lost: bool = False

    def renew(self, now: datetime) -> None:
        until = now + LEASE
        if self._row().update(attended_until=until):
            self.until = until
        else:
            self.lost = True

    def release(self) -> None:
        self._row().update(attended_until=None)

    def _row(self) -> QuerySet[Writer]:
        return Writer.objects.filter(pk=self.writer_pk, attended_until=self.until)


def due(now: datetime) -> list[int]:
    """Writers with something to do for them, that nobody visits and whose back-off is over."""
    ready = Q(retry_at=None) | Q(retry_at__lte=now)
    held = Q(draining=True) | Q(maintenance=True)
    at = {errands.At.ALL: Q(), errands.At.WORKING: ~held, errands.At.NOT_WORKING: held}
    alone = trouble.all_left_alone(errands.ERRANDS, now)
    work = Q()
    for step, errand in errands.ERRANDS.items():
        rows = errand.ready(now).filter(writer=OuterRef("pk")).exclude(pk__in=alone[step])
        work |= Q(Exists(rows)) & at[errand.at]
    silent = Q(last_seen=None) | Q(last_seen__lt=now - ASK_AFTER)
    free = Q(attended_until=None) | Q(attended_until__lte=now)
    rows = Writer.objects.filter(ready, free, silent | Q(failures__gt=0) | work, enabled=True)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def claim(writer_pk: int, now: datetime) -> Lease | None:
    """The right to visit the writer; None: somebody visits it now, or it is to be left alone for a while."""
    ready = Q(retry_at=None) | Q(retry_at__lte=now)
    free = Q(attended_until=None) | Q(attended_until__lte=now)
    lease = Lease(writer_pk, now + LEASE)
    rows = Writer.objects.filter(ready, free, pk=writer_pk, enabled=True)
    return lease if rows.update(attended_until=lease.until) else None


@contextmanager
def renewed(lease: Lease, now: datetime) -> Iterator[None]:
    """Renews the lease beside the visit, in which a single call may hang for 20 s, and releases it at the end."""
    finished, began = threading.Event(), time.monotonic()

    def renew() -> None:
        try:
            while not finished.wait(RENEWAL_SECONDS) and not lease.lost:
                try:
                    lease.renew(now + timedelta(seconds=time.monotonic() - began))
                except Error as error:  # the next one may do; else the lease runs out, and another visit begins
                    logger.warning("the lease of writer %s was not renewed: %s", lease.writer_pk, error)
                    connection.close()
        finally:
            connection.close()  # of this thread

    thread = threading.Thread(target=renew, name=f"lease of writer {lease.writer_pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        lease.release()


def dial(writer: Writer) -> AgentClient:
    """A client for the writer's checked address. Raises addresses.AddressRefused."""
    target = addresses.pin(writer.address, settings.SPINDLE_AGENT_NETWORKS)
    generations = dict.fromkeys([writer.generation, writer.generation_confirmed])
    keys = [settings.SPINDLE_WRITER_KEY, *settings.SPINDLE_WRITER_KEY_FALLBACKS]
    command_tokens = [tokens.command_token(key, writer.uuid, generation) for key in keys for generation in generations]
    return AgentClient(target, command_tokens, writer.journal_id)


def note_reached(writer: Writer, client: AgentClient, now: datetime) -> None:
    """The agent answered: what earlier calls found wrong is over."""
    newest = tokens.command_token(settings.SPINDLE_WRITER_KEY, writer.uuid, writer.generation)
    if client.token_used == newest and writer.generation_confirmed != writer.generation:
        Writer.objects.filter(pk=writer.pk, generation=writer.generation).update(generation_confirmed=writer.generation)
    if writer.failures:
        Writer.objects.filter(pk=writer.pk).update(failures=0, retry_at=None)
    writer.refresh_from_db()
    lifecycle.end_reasons(writer, OF_CALLS, now=now, actor="tick")


def note_failed(writer: Writer, error: Exception, now: datetime) -> None:
    """The call failed: a reason on the writer (its event once), and a pause before the next one."""
    writer.refresh_from_db()
    pause = _BACK_OFF[min(writer.failures, len(_BACK_OFF) - 1)]
    Writer.objects.filter(pk=writer.pk).update(failures=F("failures") + 1, retry_at=now + timedelta(seconds=pause))
    keyword, text = _reason(writer, error)
    others = [each.value for each in OF_CALLS if each != keyword]
    reasons = with_reason(without(writer.reasons, others), keyword.value, text, now)
    lifecycle.settle_writer(writer, state=writer.state, reasons=reasons, now=now, actor="tick")


def _reason(writer: Writer, error: Exception) -> tuple[Keyword, str]:
    if isinstance(error, AgentUnauthorized):
        return Keyword.TOKEN_REFUSED, (
            f"The agent at {writer.address} does not take our token. Put the sha256 that belongs to this writer "
            "into accept.tokens_sha256 of its agent.toml, and see that SPINDLE_WRITER_KEY was not changed."
        )
    if isinstance(error, AgentUnreachable):
        return (
            Keyword.CONNECTING,
            f"Its agent can't be reached at {writer.address}: {error} Look whether it runs, or correct the address.",
        )
    if isinstance(error, addresses.AddressRefused):
        return Keyword.CONNECTING, str(error)
    if not isinstance(error, AgentError):
        text = f"The visit to its agent failed ({type(error).__name__}: {error}); the server's log has the details."
        return Keyword.WRITER_FAILURE, clean(text, 500)
    return Keyword.WRITER_FAILURE, f"What answers at {writer.address} is not its agent: {error}"
