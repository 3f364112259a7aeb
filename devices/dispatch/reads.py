"""Has discs in source drives read, as writes are given: repeated with the same body, settled where a reply was lost."""

from __future__ import annotations

from devices import lifecycle, reports, trouble
from devices.agent import wire
from devices.client import AgentRefused
from devices.dispatch.visit import ACTOR, LATER, OTHER_JOURNAL, Visit, lose_journal, note_full, note_room
from devices.models import Read
from devices.states import ReadState


def give(visit: Visit, read: Read) -> None:
    again = read.state == ReadState.SENT
    # The row says `sent` before the call, as a write's does.
    marked = (
        lifecycle.mark_read_sent_again(read, now=visit.now)
        if again
        else lifecycle.move_read(read, ReadState.SENT, now=visit.now, actor=ACTOR)
    )
    if not marked:
        raise trouble.NotTried  # somebody was first
    try:
        answer = visit.client.put_read(read.uuid, wire.ReadOrder(drive=read.drive))
    except AgentRefused as refused:
        _take_refusal(visit, read, refused, again=again)
    else:
        note_room(visit)
        reports.take_read_answer(read, answer, visit.now)


def _take_refusal(visit: Visit, read: Read, refused: AgentRefused, *, again: bool) -> None:
    """What can change by itself is waited for; all else ends the read with what the agent said."""
    said = f"{refused.type}: {refused.detail}"
    if refused.type == wire.ProblemType.OTHER_JOURNAL:
        if not again:  # the agent has never seen it, under either journal
            _move(visit, read, ReadState.QUEUED, said)
        lose_journal(visit, OTHER_JOURNAL)
    elif refused.type in {wire.ProblemType.DRIVE_RESERVED, wire.ProblemType.SPOOL_AREA_FULL}:
        _move(visit, read, ReadState.QUEUED, said)
        lifecycle.note_on_read(read, now=visit.now, reason=said, retry_at=visit.now + LATER)
        if refused.type == wire.ProblemType.SPOOL_AREA_FULL:
            note_full(visit, refused)
    elif refused.type == wire.ProblemType.CANCELLED:
        _move(visit, read, ReadState.CANCELLED, said)
    else:
        _move(visit, read, ReadState.FAILED, said)


def cancel(visit: Visit, read: Read) -> None:
    visit.client.cancel_read(read.uuid)
    if read.state == ReadState.SENT:
        # Whether it ever arrived is not known; from now on the agent refuses it.
        settle(visit, read)
    Read.objects.filter(pk=read.pk).update(cancel_sent_at=visit.now)  # last: until then it is done again


def look_for(visit: Visit, read: Read) -> None:
    """No blank is at stake, so a read that the agent forgot has failed, and the journal is not called lost for it."""
    answer = visit.client.read(read.uuid)
    if answer is None:
        _move(visit, read, ReadState.FAILED, "Its agent no longer knows it. Read the disc again.")
    else:
        reports.take_read_answer(read, answer, visit.now)


def settle(visit: Visit, read: Read) -> None:
    """Nothing new is taken: learn what became of a call without an answer, without repeating it."""
    answer = visit.client.read(read.uuid)
    if answer is not None:
        reports.take_read_answer(read, answer, visit.now)
    elif read.cancel_requested:
        _move(visit, read, ReadState.CANCELLED, "Cancelled before the agent had it.")
    else:
        _move(visit, read, ReadState.QUEUED, f"{visit.writer} takes no new work now.")


def give_up(visit: Visit, read: Read, why: str) -> None:
    """Its agent failed over it for the last time."""
    read.refresh_from_db()
    if not read.final:
        _move(visit, read, ReadState.FAILED, why)


def _move(visit: Visit, read: Read, new: ReadState, why: str) -> None:
    lifecycle.move_read(read, new, now=visit.now, actor=ACTOR, reason=why)
