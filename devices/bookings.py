"""Books what an agent says of writes and discs. Repeating it changes nothing; nothing moves backwards.

Must be called inside a transaction that holds the writer's row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from devices import foreign, lifecycle, trouble
from devices.agent import wire
from devices.log import log
from devices.models import DeviceEvent, Disc, Write, Writer
from devices.states import DISC_FINAL, WRITE_AT_AGENT, WRITE_FINAL, DiscState, WriteState
from devices.text import clean

ACTOR: Final = "agent"
STEP: Final = "devices.book-write"
# A report may have left the agent just before it accepted the write.
MISSING_AFTER: Final = timedelta(seconds=10)
_BEGUN: Final = {wire.DiscState.STARTED, wire.DiscState.GOOD, wire.DiscState.BAD, wire.DiscState.UNKNOWN}
_ENOUGH: Final = {
    wire.Layout.ISO.value: {wire.Verified.DIGEST, wire.Verified.MACHINE},
    wire.Layout.AUDIO.value: {wire.Verified.DIGEST, wire.Verified.OFFSET, wire.Verified.MACHINE},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a result is booked as."""

    state: DiscState
    reason: str


def book_report(
    writer: Writer, answers: Collection[wire.WriteAnswer], now: datetime
) -> tuple[list[UUID], list[wire.WriteAnswer]]:
    """Books all writes of a report. The uuids whose final result is stored: those may leave the state; and the
    unknown work: what this server never gave, or gave up as never sent and the agent made all the same."""
    uuids = {answer.uuid for answer in answers}
    at_agent = Q(state__in=WRITE_AT_AGENT)
    writes = {write.uuid: write for write in writer.writes.filter(Q(uuid__in=uuids) | at_agent)}
    discs = discs_of([writes[uuid] for uuid in uuids & writes.keys()])
    recorded: list[UUID] = []
    ours = sorted((answer for answer in answers if answer.uuid in writes), key=lambda answer: writes[answer.uuid].pk)
    # In one order everywhere: two transactions that lock the same writes in two orders would be a deadlock.
    said = {writes[answer.uuid]: answer for answer in ours}
    unknown = [answer for answer in answers if answer.uuid not in writes or _is_made_unasked(discs, answer, writes)]
    unasked = {answer.uuid for answer in unknown}
    foreign.note(writer, unknown, now)

    def book(write: Write) -> None:
        with transaction.atomic():
            book_write(write, discs[write.pk], said[write], now)
        conclude(write)

    def conclude(write: Write) -> None:
        _note_waiting(write, said[write])
        # Only what was stored may leave the agent's state.
        if (
            write.uuid not in unasked
            and write.final
            and said[write].state in {wire.WriteState.DONE, wire.WriteState.CANCELLED}
        ):
            recorded.append(write.uuid)

    news = [write for write, answer in said.items() if _is_news(write, discs[write.pk], answer)]
    for write in said.keys() - set(news):
        conclude(write)
    trouble.each(STEP, news, book, now)
    for write in writes.values():
        if write.uuid not in uuids:
            _note_missing(write, now)
    return recorded, unknown


def _is_news(write: Write, discs: Mapping[str, Disc], answer: wire.WriteAnswer) -> bool:
    """Whether there is anything to book: most reports repeat what the one before said."""
    if write.missing_since is not None or write.state in {WriteState.QUEUED, WriteState.SENT}:
        return True
    if write.state == WriteState.ACCEPTED and answer.state != wire.WriteState.ACCEPTED:
        return True
    if not write.final and answer.state in {wire.WriteState.DONE, wire.WriteState.CANCELLED}:
        return True
    for result in answer.discs:
        disc = discs.get(result.serial)
        if disc is None or judge(disc, result, verify=write.verify, layout=write.layout).state != disc.state:
            return True
    return False


def _is_made_unasked(
    discs: Mapping[int, dict[str, Disc]], answer: wire.WriteAnswer, writes: Mapping[UUID, Write]
) -> bool:
    """Whether discs were begun that are cancelled here, as after a restore: the job was given new ones meanwhile."""
    known = discs[writes[answer.uuid].pk]
    return any(
        result.state in _BEGUN
        and (result.state != wire.DiscState.BAD or result.started_at is not None)
        and (disc := known.get(result.serial)) is not None
        and disc.state == DiscState.CANCELLED
        for result in answer.discs
    )


def _note_waiting(write: Write, answer: wire.WriteAnswer) -> None:
    """A write that is over here and has discs that wait at the agent: dispatch gives those up there."""
    waits = write.final and any(result.state == wire.DiscState.PLANNED for result in answer.discs)
    if waits != write.waits_there:
        Write.objects.filter(pk=write.pk).update(waits_there=waits)
        write.waits_there = waits


def book_write(write: Write, discs: dict[str, Disc], answer: wire.WriteAnswer, now: datetime) -> None:
    """Moves the write and its discs to what the agent says of them. discs: those of the write, by serial."""
    _take_up(write, answer, now)
    ended = answer.state in {wire.WriteState.DONE, wire.WriteState.CANCELLED}
    for result in answer.discs:
        if (disc := discs.get(result.serial)) is None:
            _note_once(write, "unknown-disc", result.serial, f"The agent says {result.state} of it.", now)
        else:
            _book_disc(write, disc, result, now)
    for disc in discs.values() if ended else ():
        _end_untold(disc, answer.state, now)
    over = all(disc.state in DISC_FINAL for disc in discs.values())
    if over and write.state not in WRITE_FINAL | {WriteState.QUEUED}:
        lifecycle.finish_write(write, now=now, actor=ACTOR)


def _take_up(write: Write, answer: wire.WriteAnswer, now: datetime) -> None:
    """The agent has it: queued or sent → accepted, and → writing when it says so."""
    if write.state == WriteState.QUEUED:
        lifecycle.move_write(write, WriteState.SENT, now=now, actor=ACTOR)
    if write.state == WriteState.SENT:
        lifecycle.move_write(write, WriteState.ACCEPTED, now=now, actor=ACTOR)
    begun = answer.state == wire.WriteState.WRITING
    if begun and write.state == WriteState.ACCEPTED:
        lifecycle.move_write(write, WriteState.WRITING, now=now, actor=ACTOR)
    if write.missing_since is not None:
        Write.objects.filter(pk=write.pk).update(missing_since=None)
        write.missing_since = None


def _book_disc(write: Write, disc: Disc, result: wire.DiscResult, now: datetime) -> None:
    outcome = judge(disc, result, verify=write.verify, layout=write.layout)
    if outcome.state == disc.state or outcome.state == DiscState.PLANNED:
        return
    if disc.state in DISC_FINAL:
        text = f"Booked {disc.state}; now the agent says {result.state}, verified {result.verified}."
        _note_once(write, "contradiction", disc.serial, text, now)
        return
    lifecycle.move_disc(
        disc,
        outcome.state,
        now=now,
        actor=ACTOR,
        reason=outcome.reason,
        drive=clean(result.drive or disc.drive, 64),
        blame=result.blame.value if result.blame else "",
        started_at=as_utc(result.started_at) or disc.started_at,
        finished_at=as_utc(result.finished_at),
        verified=result.verified.value,
        spoilt=min(result.spoilt, 10_000),
    )


def judge(disc: Disc, result: wire.DiscResult, *, verify: bool, layout: str) -> Outcome:
    """What to book for a result: a good disc that nobody read back is not good."""
    said = DiscState(result.state.value)
    reason = clean(result.reason or "", 500)
    if said == DiscState.GOOD and verify and result.verified not in _ENOUGH[layout]:
        return Outcome(
            DiscState.UNKNOWN, f"Reported good with verification {result.verified}: to be inspected. {reason}".strip()
        )
    if said == DiscState.CANCELLED and disc.state in {DiscState.STARTED, DiscState.UNKNOWN}:
        return Outcome(DiscState.UNKNOWN, "The agent gave up a disc that it had started.")
    if said == DiscState.STARTED and disc.state in DISC_FINAL:
        return Outcome(DiscState(disc.state), disc.reason)  # an old answer that was overtaken
    return Outcome(said, reason)


def _end_untold(disc: Disc, agent_state: wire.WriteState, now: datetime) -> None:
    """The write is over at the agent, and this disc has no final result."""
    if disc.state in DISC_FINAL:
        return
    if agent_state == wire.WriteState.CANCELLED and disc.state == DiscState.PLANNED:
        lifecycle.move_disc(disc, DiscState.CANCELLED, now=now, actor=ACTOR)
        return
    reason = f"The agent says that the write is {agent_state}, and nothing final of this disc."
    lifecycle.move_disc(disc, DiscState.UNKNOWN, now=now, actor=ACTOR, reason=reason)


def _note_missing(write: Write, now: datetime) -> None:
    """Accepted, yet not in the report: dispatch asks the agent for it by its uuid."""
    if write.accepted_at is None or write.missing_since is not None:
        return
    if write.accepted_at + MISSING_AFTER < now:
        Write.objects.filter(pk=write.pk, state=write.state).update(missing_since=now)


def _note_once(write: Write, kind: str, serial: str, text: str, now: datetime) -> None:
    if not DeviceEvent.objects.filter(write=write, kind=kind, serial=serial).exists():
        log(write.writer_id, kind, now=now, actor=ACTOR, write=write, serial=serial, text=text)


def discs_of(writes: Collection[Write]) -> dict[int, dict[str, Disc]]:
    """The discs of each write (by its pk), by serial."""
    by_pk = {write.pk: write for write in writes}
    discs: dict[int, dict[str, Disc]] = defaultdict(dict)
    if by_pk:
        for disc in Disc.objects.filter(write__in=by_pk):
            disc.write = by_pk[disc.write_id]
            discs[disc.write_id][disc.serial] = disc
    return discs


def as_utc(said: datetime | None) -> datetime | None:
    """An agent's time as said; without a zone it is taken for UTC. None if no calendar has it."""
    if said is None:
        return None
    try:
        return said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
    except OverflowError:
        return None
