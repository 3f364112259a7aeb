"""Gives writes to the agent, passes cancellations on, asks for what reports leave out.

Whatever is sent twice is written once, so a lost reply is repaired by sending the same body again.
"""

from __future__ import annotations

from typing import Final

from devices import lifecycle, reports, trouble
from devices.agent import wire
from devices.client import AgentRefused
from devices.dispatch.images import has_image
from devices.dispatch.visit import ACTOR, LATER, OTHER_JOURNAL, Visit, lose_journal, note_full
from devices.models import Write
from devices.states import WriteState

MOST_TRIES: Final = 3  # of a write whose image the agent does not find


def cancel(visit: Visit, write: Write) -> None:
    visit.client.cancel_write(write.uuid)
    if write.state == WriteState.SENT:
        # Whether it ever arrived is not known; from now on the agent refuses it.
        settle_one_sent(visit, write)
    Write.objects.filter(pk=write.pk).update(cancel_sent_at=visit.now)  # last: until then it is done again


def end(visit: Visit, write: Write) -> None:
    """Discs wait at the agent of a write that is over here: they are given up there, too."""
    visit.client.cancel_write(write.uuid)
    Write.objects.filter(pk=write.pk).update(waits_there=False)  # the next report says whether they still do


def look_for(visit: Visit, write: Write) -> None:
    answer = visit.client.write(write.uuid)
    if answer is None:
        text = f"Its agent no longer knows write {write.uuid}, which it had accepted. Inspect its discs, then resume."
        lose_journal(visit, text)
    else:
        reports.take_answer(write, answer, visit.now)


def settle_one_sent(visit: Visit, write: Write) -> None:
    """The writer takes nothing new: learn what became of a call without an answer, without repeating it."""
    answer = visit.client.write(write.uuid)
    if answer is not None and answer.discs:
        reports.take_answer(write, answer, visit.now)
    elif write.cancel_requested:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason="Cancelled before the agent had it.")
    else:
        reason = f"{visit.writer} takes no new work now."
        lifecycle.move_write(write, WriteState.QUEUED, now=visit.now, actor=ACTOR, reason=reason)


def give_if_ready(visit: Visit, write: Write) -> None:
    if write.state == WriteState.SENT or has_image(visit, write):
        _give(visit, write)


def _give(visit: Visit, write: Write) -> None:
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


def _take_refusal(visit: Visit, write: Write, refused: AgentRefused, *, again: bool) -> None:
    """Each refusal has one clear outcome: wait, try again a few times, stop the writer, or give up."""
    said = f"{refused.type}: {refused.detail}"
    if refused.type == wire.ProblemType.OTHER_JOURNAL:
        if not again:  # the agent has never seen it, under either journal
            _put_back(visit, write, said)
        lose_journal(visit, OTHER_JOURNAL)
    elif refused.type == wire.ProblemType.DRIVE_RESERVED:
        _put_back(visit, write, said, retry_at=visit.now + LATER)
    elif refused.type == wire.ProblemType.SPOOL_AREA_FULL:
        _put_back(visit, write, said, retry_at=visit.now + LATER)
        note_full(visit, refused)
    elif refused.type == wire.ProblemType.IMAGE_MISSING and write.tries < MOST_TRIES:
        _put_back(visit, write, said, tries=write.tries + 1)
    elif refused.type == wire.ProblemType.CANCELLED:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=said, problem="cancelled")
    else:
        field_ = f" (field {refused.field})" if refused.field else ""
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=f"{said}{field_}", problem=refused.type[:32])


def _put_back(visit: Visit, write: Write, reason: str, **fields: object) -> None:
    lifecycle.move_write(write, WriteState.QUEUED, now=visit.now, actor=ACTOR, reason=reason, **fields)
