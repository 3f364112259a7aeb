"""Carries out what is decided for one writer: writes and reads given, images fetched and purged, words to drives.

Sends what is queued and no more: how much that is, the planner above decides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from devices import errands, reports, trouble, visits
from devices.addresses import AddressRefused
from devices.client import AgentConfused, AgentError
from devices.dispatch import reads, requests, writes
from devices.dispatch.visit import MOST, GivesUp, Halted, Visit, Work, each
from devices.errands import ERRANDS, At
from devices.models import Writer
from devices.states import ASK_AFTER

BUDGET: Final = 30.0  # seconds of calls in one visit; the rest waits for the next

WORK: Final[Mapping[str, tuple[Work, GivesUp | None]]] = {
    errands.CANCEL: (writes.cancel, None),
    errands.CANCEL_READ: (reads.cancel, reads.give_up),
    errands.END: (writes.end, None),
    errands.LOOK_FOR: (writes.look_for, None),
    errands.LOOK_FOR_READ: (reads.look_for, reads.give_up),
    errands.ORDER_DRIVE: (requests.order_drive, requests.give_up),
    errands.PURGE: (requests.purge, requests.give_up),
    errands.GIVE: (writes.give_if_ready, None),
    errands.GIVE_READ: (reads.give, reads.give_up),
    errands.FETCH: (requests.fetch, requests.give_up),
    errands.SETTLE: (writes.settle_one_sent, None),
    errands.SETTLE_READ: (reads.settle, reads.give_up),
}

logger = logging.getLogger(__name__)


def attend(writer_pk: int, now: datetime) -> bool:
    """One visit to a writer's agent. An agent that can't be reached leaves a reason, and its work waits.

    True: meanwhile something new came for it, and it is to be visited again.
    """
    if (lease := visits.claim(writer_pk, now)) is None:
        return False  # whoever visits it now looks again at the end
    visit: Visit | None = None
    with visits.renewed(lease, now):
        writer = Writer.objects.get(pk=writer_pk)
        try:
            with visits.dial(writer) as client:
                alone = trouble.all_left_alone(ERRANDS, now)
                visit = Visit(writer, client, now, lease, time.monotonic() + BUDGET, alone)
                _make(visit)
                if client.token_used is not None:
                    visits.note_reached(writer, client, now)
        except (AgentError, AddressRefused) as error:
            visits.note_failed(writer, error, now)
            return False
        except trouble.OF_THE_DATABASE:
            raise
        except Exception as error:  # a fault of this program: the writer says so, and is not tried every two seconds
            logger.exception("the visit to writer %s failed", writer.pk)
            visits.note_failed(writer, error, now)
            return False
    return _more_came(visit)


def _make(visit: Visit) -> None:
    try:
        _ask_if_silent(visit)
        for step, errand in ERRANDS.items():
            if errand.at is At.ALL or (errand.at is At.WORKING) == visit.writer.takes_work:
                each(visit, step, *WORK[step])
    except Halted:
        return


def _ask_if_silent(visit: Visit) -> None:
    """Reports are missing (or never came): ask, and feed the same function."""
    writer = visit.writer
    heard = writer.last_seen is not None and visit.now - writer.last_seen <= ASK_AFTER
    if heard and not writer.failures:
        return
    boot = writer.boot_id
    state = visit.client.state()
    writer.refresh_from_db()
    if writer.boot_id != boot and state.boot_id != writer.boot_id:
        return  # it restarted and reported while this answer was on its way
    try:
        reports.take_report(writer, state, visit.now)
    except reports.ReportRefused as refused:
        if refused.field:
            raise AgentConfused(refused.detail) from refused
        raise Halted from refused
    visit.client.journal = writer.journal_id


def _more_came(visit: Visit) -> bool:
    """Whether a row waits that had no turn: it came after its step, and whoever was to visit for it found us here."""
    if visit.lease.lost:
        return False
    alone = trouble.all_left_alone(ERRANDS, visit.now)
    for step, errand in ERRANDS.items():
        if errand.at is At.NOT_WORKING or (errand.at is At.WORKING and not visit.writer.takes_work):
            continue
        seen = visit.looked_at.get(step, set())
        waiting = errand.ready(visit.now).filter(writer=visit.writer).exclude(pk__in=alone[step])
        if len(seen) < MOST and set(waiting.values_list("pk", flat=True)) - seen:
            return True
    return False
