"""Carries out what is decided for one writer: images announced, writes given, cancellations passed on.

Sends what is queued and no more: how much that is, the planner above decides. Whatever is sent twice is
written once, so a lost reply is repaired by sending the same body again. No call is made in a transaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from devices import errands, lifecycle, reports, trouble, visits
from devices.addresses import AddressRefused
from devices.agent import wire
from devices.client import AgentClient, AgentConfused, AgentError, AgentFailed, AgentRefused
from devices.models import Write, Writer
from devices.states import Keyword, WriteState

ACTOR: Final = "tick"
BUDGET: Final = 30.0  # seconds of calls in one visit; the rest waits for the next
MOST_WRITES: Final = 50  # looked at in one visit
MOST_IMAGES: Final = 8  # announced ahead, so that fetches run while drives are busy
MOST_TRIES: Final = 3  # of an image or a write that the agent fails
_LATER: Final = timedelta(seconds=30)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Visit:
    writer: Writer
    client: AgentClient
    now: datetime
    lease: visits.Lease
    ends: float  # monotonic
    images: dict[str, wire.ImageAnswer | AgentRefused] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.lease.lost or time.monotonic() > self.ends


class _NotTaken(Exception):
    """The agent answers, but this one write fails there each time."""


class _Halted(Exception):
    """The writer was stopped during the visit; nothing more is to be sent to it."""


def attend(writer_pk: int, now: datetime) -> None:
    """One visit to a writer's agent. An agent that can't be reached leaves a reason, and its work waits."""
    if (lease := visits.claim(writer_pk, now)) is None:
        return
    with visits.renewed(lease, now):
        writer = Writer.objects.get(pk=writer_pk)
        try:
            with visits.dial(writer) as client:
                _visit(_Visit(writer, client, now, lease, time.monotonic() + BUDGET))
                if client.token_used is not None:
                    visits.note_reached(writer, client, now)
        except (AgentError, AddressRefused) as error:
            visits.note_failed(writer, error, now)
        except trouble.OF_THE_DATABASE:
            raise
        except Exception as error:  # a fault of this program: the writer says so, and is not tried every two seconds
            logger.exception("the visit to writer %s failed", writer.pk)
            visits.note_failed(writer, error, now)


def _visit(visit: _Visit) -> None:
    try:
        _ask_if_silent(visit)
        _each(visit, errands.CANCEL, _cancel)
        _each(visit, errands.END, _end)
        _each(visit, errands.LOOK_FOR, _look_for)
        if visit.writer.takes_work:
            _each(visit, errands.GIVE, _give_if_ready)
        else:
            _each(visit, errands.SETTLE, _settle_one_sent)
    except _Halted:
        return


def _ask_if_silent(visit: _Visit) -> None:
    """Reports are missing (or never came): ask, and feed the same function."""
    writer = visit.writer
    heard = writer.last_seen is not None and visit.now - writer.last_seen <= reports.SILENT
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
        raise _Halted from refused
    visit.client.journal = writer.journal_id


def _each(visit: _Visit, step: str, work: Callable[[_Visit, Write], None]) -> None:
    """`work` for one after another while the visit lasts; one that can't be done never stops the others.

    What is logged meanwhile, here and at the agent, names the write.
    """

    def guarded(write: Write) -> None:
        if visit.over:
            raise trouble.NotTried
        try:
            work(visit, write)
        except (AgentConfused, AgentFailed, AgentRefused) as error:
            # This write, or all that it is asked? Then asking for its state fails as well, and ends the visit.
            visit.client.state()
            raise _NotTaken(f"Its agent does not take it: {error}") from error

    ready = Q(retry_at=None) | Q(retry_at__lte=visit.now) if step == errands.GIVE else Q()
    rows = visit.writer.writes.filter(ready, errands.ERRANDS[step]).order_by("id")
    rows = rows.exclude(pk__in=trouble.left_alone(step, visit.now))[:MOST_WRITES]
    trouble.each(step, rows, guarded, visit.now, not_the_rows=(_Halted, AgentError))


def _cancel(visit: _Visit, write: Write) -> None:
    visit.client.cancel_write(write.uuid)
    if write.state == WriteState.SENT:
        # Whether it ever arrived is not known; from now on the agent refuses it.
        _settle_one_sent(visit, write)
    Write.objects.filter(pk=write.pk).update(cancel_sent_at=visit.now)  # last: until then it is done again


def _end(visit: _Visit, write: Write) -> None:
    """Discs wait at the agent of a write that is over here: they are given up there, too."""
    visit.client.cancel_write(write.uuid)
    Write.objects.filter(pk=write.pk).update(waits_there=False)  # the next report says whether they still do


def _look_for(visit: _Visit, write: Write) -> None:
    answer = visit.client.write(write.uuid)
    if answer is None:
        text = f"Its agent no longer knows write {write.uuid}, which it had accepted. Inspect its discs, then resume."
        _lose_journal(visit, text)
    else:
        reports.take_answer(write, answer, visit.now)


def _settle_one_sent(visit: _Visit, write: Write) -> None:
    """The writer takes nothing new: learn what became of a call without an answer, without repeating it."""
    answer = visit.client.write(write.uuid)
    if answer is not None and answer.discs:
        reports.take_answer(write, answer, visit.now)
    elif write.cancel_requested:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason="Cancelled before the agent had it.")
    else:
        reason = f"{visit.writer} takes no new work now."
        lifecycle.move_write(write, WriteState.QUEUED, now=visit.now, actor=ACTOR, reason=reason)


# --- Giving writes --------------------------------------------------------------------------------


def _give_if_ready(visit: _Visit, write: Write) -> None:
    if write.state == WriteState.SENT or _has_image(visit, write):
        _give(visit, write)


def _give(visit: _Visit, write: Write) -> None:
    again = write.state == WriteState.SENT
    # The row says `sent` before the call: after a crash the next visit sends the same body again. Its time says by
    # whom: what a visit that was overtaken hears of its own call no longer counts.
    marked = (
        lifecycle.mark_sent_again(write, now=visit.now)
        if again
        else lifecycle.move_write(write, WriteState.SENT, now=visit.now, actor=ACTOR)
    )
    if not marked:
        raise trouble.NotTried  # somebody was first
    try:
        visit.client.put_write(write.uuid, order_of(write))
    except AgentRefused as refused:
        _take_refusal(visit, write, refused, again=again)
    else:
        lifecycle.move_write(write, WriteState.ACCEPTED, now=visit.now, actor=ACTOR)


def order_of(write: Write) -> wire.WriteOrder:
    """The body that gives this write; the same row gives the same body for ever."""
    discs = tuple(
        wire.DiscOrder(serial=disc.serial, face=disc.face_sha256 or None) for disc in write.discs.order_by("id")
    )
    return wire.WriteOrder.model_validate(
        {
            "image": write.image_sha256,
            "format": write.format,
            "discs": discs,
            "drive": write.drive or None,
            "verify": write.verify,
            "speed": write.speed or None,
        }
    )


def _take_refusal(visit: _Visit, write: Write, refused: AgentRefused, *, again: bool) -> None:
    """Each refusal has one clear outcome: wait, try again a few times, stop the writer, or give up."""
    said = f"{refused.type}: {refused.detail}"
    if refused.type == wire.ProblemType.OTHER_JOURNAL:
        if not again:  # the agent has never seen it, under either journal
            _put_back(visit, write, said)
        text = "Its agent has another journal than the one this server knows. Inspect the discs begun, then resume."
        _lose_journal(visit, text)
    elif refused.type == wire.ProblemType.DRIVE_RESERVED:
        _put_back(visit, write, said, retry_at=visit.now + _LATER)
    elif refused.type == wire.ProblemType.SPOOL_AREA_FULL:
        _put_back(visit, write, said, retry_at=visit.now + _LATER)
        _note_full(visit, refused)
    elif refused.type == wire.ProblemType.IMAGE_MISSING and write.tries < MOST_TRIES:
        _put_back(visit, write, said, tries=write.tries + 1)
    elif refused.type == wire.ProblemType.CANCELLED:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=said, problem="cancelled")
    else:
        field_ = f" (field {refused.field})" if refused.field else ""
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=f"{said}{field_}", problem=refused.type[:32])


def _put_back(visit: _Visit, write: Write, reason: str, **fields: object) -> None:
    lifecycle.move_write(write, WriteState.QUEUED, now=visit.now, actor=ACTOR, reason=reason, **fields)


def _lose_journal(visit: _Visit, text: str) -> None:
    visit.writer.refresh_from_db()
    lifecycle.lose_journal(visit.writer, text, now=visit.now, actor=ACTOR)
    raise _Halted(text)


# --- Images ---------------------------------------------------------------------------------------


def _has_image(visit: _Visit, write: Write) -> bool:
    """Whether the write's image is whole on the writer; else it is announced, and the write says why it waits."""
    sha256 = write.image_sha256
    if sha256 not in visit.images:
        if len(visit.images) >= MOST_IMAGES:
            raise trouble.NotTried
        visit.images[sha256] = _look_for_image(visit, write)
    found = visit.images[sha256]
    if isinstance(found, AgentRefused):
        _image_refused(visit, write, found)
        return False
    if found.state == wire.ImageState.FAILED:
        _image_failed(visit, write, found)
        return False
    if found.state == wire.ImageState.RECEIVING:
        _note(visit, write, f"Waiting for its image: {visit.writer} is fetching it.")
        return False
    return True


def _look_for_image(visit: _Visit, write: Write) -> wire.ImageAnswer | AgentRefused:
    """Asks before it announces: announcing again would start a failed fetch afresh, unseen."""
    sha256 = write.image_sha256
    try:
        try:
            return visit.client.image(sha256)
        except AgentRefused as refused:
            if refused.status != 404:
                raise
        answer = visit.client.announce_image(sha256, _image_order(write))
    except AgentRefused as refused:
        return refused
    if visit.writer.reasons:
        lifecycle.end_reasons(visit.writer, [Keyword.SPOOL_AREA_FULL], now=visit.now, actor=ACTOR)
    return answer


def _image_order(write: Write) -> wire.ImageOrder:
    return wire.ImageOrder.model_validate(
        {"layout": write.layout, "size": write.image_size, "name": write.title or write.image_sha256}
    )


def _image_failed(visit: _Visit, write: Write, found: wire.ImageAnswer) -> None:
    """The fetch ended badly (wrong size or digest): started afresh a few times, then the write is given up."""
    why = f"image-failed: {found.reason or 'no reason given'}"
    if write.tries + 1 >= MOST_TRIES:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=why, problem="image-failed")
        return
    pause = timedelta(seconds=10 * 2**write.tries)
    _note(visit, write, why, tries=write.tries + 1, retry_at=visit.now + pause)
    try:
        visit.client.announce_image(write.image_sha256, _image_order(write))
    except AgentRefused as refused:
        _image_refused(visit, write, refused)


def _image_refused(visit: _Visit, write: Write, refused: AgentRefused) -> None:
    said = f"{refused.type}: {refused.detail}"
    if refused.type == wire.ProblemType.SPOOL_AREA_FULL:
        _note_full(visit, refused)
        _note(visit, write, said, retry_at=visit.now + _LATER)
    else:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=said, problem=refused.type[:32])


def _note_full(visit: _Visit, refused: AgentRefused) -> None:
    text = f"{visit.writer}'s disk has no room for the next image ({refused.detail}). Purge images or raise disk_limit."
    lifecycle.add_reason(visit.writer, Keyword.SPOOL_AREA_FULL, text, now=visit.now, actor=ACTOR)


def _note(visit: _Visit, write: Write, reason: str, **fields: object) -> None:
    if write.reason != reason or fields:
        lifecycle.note_on_write(write, now=visit.now, actor=ACTOR, reason=reason, **fields)
