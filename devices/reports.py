"""Takes a writer's whole state, reported or asked for. Level-triggered: it says everything, so a lost,
repeated or late report costs nothing. Ordered by the agent's sequence, never by its clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from devices import bookings, foreign, inventory, lifecycle, trouble
from devices.agent import wire
from devices.log import log
from devices.models import BlankBin, Disc, Drive, Write, Writer
from devices.reasons import Reasons, with_reason, without
from devices.states import WRITE_FINAL, DiscState, DriveState, Keyword, WriterState
from devices.text import clean

SILENT: Final = timedelta(seconds=30)  # two reports missing: time to ask
OFFLINE: Final = timedelta(seconds=90)
_TRIES: Final = 5  # of a report that others overtake
_BIGGEST: Final = 2**63 - 1  # what a column of the database holds


class ReportRefused(Exception):
    """The report can't be taken; `problem` is the keyword and `field` the key at fault, if one is."""

    def __init__(self, problem: wire.ProblemType, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.field = field


class _Overtaken(Exception):
    """Another report or a tick changed the writer between the look and the compare-and-set."""


class Verdict(Enum):
    """What a report is, by its journal, boot and sequence (rule 6 of the contract)."""

    NEXT = auto()  # the same boot goes on
    FIRST = auto()  # nothing is known of this writer yet
    RESTART = auto()
    LATE = auto()  # overtaken by a newer one of the same boot
    LOST = auto()
    SECOND = auto()


def take_report(writer: Writer, state: wire.State, now: datetime) -> wire.ReportAnswer:
    """Books the state; the answer names the writes whose final result is stored. Raises ReportRefused."""
    _check(writer, state, now)
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                answer = _take(writer, state, now)
        except _Overtaken:
            writer.refresh_from_db()
            continue
        if isinstance(answer, ReportRefused):
            raise answer  # only now: what the refusal changed must be stored
        return answer
    raise ReportRefused(wire.ProblemType.INVALID, "Overtaken by other reports of this writer. Report again.")


def take_answer(write: Write, answer: wire.WriteAnswer, now: datetime) -> None:
    """Books what the agent answered when it was asked for this one write."""
    with transaction.atomic():
        # The writer's row first, as reports do: bins locked in two orders would be a deadlock.
        Writer.objects.filter(pk=write.writer_id).update(settled=F("settled"))
        write.refresh_from_db()
        bookings.book_write(write, bookings.discs_of([write])[write.pk], answer, now)


def note_outdated(writer: Writer, protocol: object, now: datetime) -> None:
    """The agent speaks another protocol than this server."""
    said = clean(str(protocol), 20)
    text = f"Its agent speaks protocol {said}, this server {wire.PROTOCOL}. Install the same release on both."
    lifecycle.add_reason(writer, Keyword.AGENT_OUTDATED, text, now=now, actor="agent")


def note_silence(now: datetime) -> int:
    """Writers of which nothing was heard for 90 s → offline. How many they were."""
    silent = Writer.objects.filter(last_seen__lt=now - OFFLINE).exclude(state=WriterState.OFFLINE)
    return trouble.each("devices.note-silence", silent, lambda writer: _lose_sight(writer, now), now)


def _lose_sight(writer: Writer, now: datetime) -> None:
    lifecycle.lose_sight(writer, f"Nothing was heard of it since {writer.last_seen:%d %b %H:%M:%S} UTC.", now=now)


def judge(writer: Writer, state: wire.State, superseded: bool) -> Verdict:
    """superseded: this boot_id was followed by another one before."""
    if writer.journal_id is None:
        return Verdict.FIRST
    if state.journal_id != writer.journal_id:
        return Verdict.LOST
    if state.boot_id == writer.boot_id:
        return Verdict.NEXT if state.sequence >= writer.sequence else Verdict.LATE
    if superseded:
        return Verdict.SECOND
    # Equal: it started and had nothing to change yet.
    return Verdict.RESTART if state.sequence >= writer.sequence else Verdict.LOST


def _check(writer: Writer, state: wire.State, now: datetime) -> None:
    if state.protocol != wire.PROTOCOL:
        note_outdated(writer, state.protocol, now)
        text = f"This server speaks protocol {wire.PROTOCOL}."
        raise ReportRefused(wire.ProblemType.INVALID, text, "protocol")
    if state.writer != writer.uuid:
        text = f"This report is of writer {state.writer}, the address and token are of {writer.uuid}."
        raise ReportRefused(wire.ProblemType.INVALID, text, "writer")
    numbers = [("sequence", state.sequence), ("disk.capacity", state.disk.capacity), ("disk.free", state.disk.free)]
    numbers += [("blanks.remaining", fact.remaining or 0) for fact in state.blanks]
    numbers += [("images.size", fact.size) for fact in state.images or ()]
    for field, number in numbers:
        if number > _BIGGEST:
            raise ReportRefused(wire.ProblemType.INVALID, f"{field} is larger than any real one.", field)


def _take(writer: Writer, state: wire.State, now: datetime) -> wire.ReportAnswer | ReportRefused:
    if halted := writer.halted:
        return _refuse_halted(writer, halted, state, now)
    known_boot = state.boot_id == writer.boot_id
    superseded = not known_boot and writer.boots.filter(boot_id=state.boot_id).exclude(superseded_at=None).exists()
    verdict = judge(writer, state, superseded)
    if verdict in {Verdict.FIRST, Verdict.RESTART} and _went_back(writer, state):
        verdict = Verdict.LOST
    if verdict in {Verdict.LOST, Verdict.SECOND}:
        return _halt(writer, verdict, state, now)
    if verdict == Verdict.LATE:
        return wire.ReportAnswer(recorded=_recorded_before(writer, state))
    want_images = state.images is None and state.images_digest != writer.images_digest
    _hold(writer, _facts(writer, state, now))
    if verdict in {Verdict.FIRST, Verdict.RESTART}:
        _follow_boot(writer, state, verdict, now)
    drives = inventory.take_drives(writer, state.drives)
    inventory.take_printers(writer, state.printers)
    if state.images is not None:
        inventory.take_images(writer, state.images)
    recorded, unknown = bookings.book_report(writer, state.writes, now)
    unseen, seen = foreign.split(writer, unknown)
    recorded += foreign.ended(seen)
    bookings.note_reads(writer, (read.uuid for read in state.reads), now)
    bins = inventory.take_blanks(writer, state.blanks, now)
    reasons = _reasons(writer, drives, bins, foreign.reason(writer, unseen), now)
    if not lifecycle.settle_writer(writer, state=_state_of(drives), reasons=reasons, now=now, actor="agent"):
        raise _Overtaken
    return wire.ReportAnswer(recorded=tuple(recorded), want=("images",) if want_images else ())


def _went_back(writer: Writer, state: wire.State) -> bool:
    """Whether discs wait again that were begun before: the journal is an older copy of itself.

    Its sequence may be the higher one all the same, for agents reserve their numbers in blocks.
    """
    waiting = [disc.serial for write in state.writes for disc in write.discs if disc.state == wire.DiscState.PLANNED]
    if not waiting:
        return False
    begun = Disc.objects.exclude(state__in=[DiscState.PLANNED, DiscState.CANCELLED])
    return begun.filter(write__writer=writer, serial__in=waiting).exists()


def _hold(writer: Writer, values: dict[str, Any]) -> None:
    """Stores what the agent says of itself, if nobody else did since we looked. Holds the row from here on."""
    rows = Writer.objects.filter(
        pk=writer.pk,
        journal_id=writer.journal_id,
        boot_id=writer.boot_id,
        sequence=writer.sequence,
        settled=writer.settled,
    )
    if not rows.update(**values):
        raise _Overtaken
    for field, value in values.items():
        setattr(writer, field, value)


def _facts(writer: Writer, state: wire.State, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "journal_id": state.journal_id,
        "boot_id": state.boot_id,
        "sequence": state.sequence,
        "last_seen": now,
        "kind": clean(state.kind, 64),
        "software": clean(state.software, 100),
        "protocol": state.protocol,
        "disk_capacity": state.disk.capacity,
        "disk_free": state.disk.free,
    }
    if state.images is not None:
        values["images_digest"] = clean(state.images_digest, 128)
    if writer.last_seen is None or now - writer.last_seen > SILENT or state.boot_id != writer.boot_id:
        values["retry_at"] = None  # it is back: calls need not wait for their back-off
    return values


def _follow_boot(writer: Writer, state: wire.State, verdict: Verdict, now: datetime) -> None:
    writer.boots.exclude(boot_id=state.boot_id).filter(superseded_at=None).update(superseded_at=now)
    writer.boots.get_or_create(boot_id=state.boot_id, defaults={"since": now})
    kind = "restart" if verdict == Verdict.RESTART else "first-report"
    log(writer.pk, kind, now=now, actor="agent", new=str(state.boot_id), text=clean(state.software, 100))


def _halt(writer: Writer, verdict: Verdict, state: wire.State, now: datetime) -> ReportRefused:
    _hold(writer, _refused(state, now))
    if verdict == Verdict.SECOND:
        problem = wire.ProblemType.SECOND_AGENT
        text = "Two agents report as this writer. Stop one of them, then resume the writer."
        halted = lifecycle.halt_second_agent(writer, text, now=now)
    else:
        problem = wire.ProblemType.JOURNAL_LOST
        text = "Its agent lost its journal, so discs it had begun are unknown. Inspect them, then resume the writer."
        halted = lifecycle.lose_journal(writer, text, now=now, actor="agent")
    if not halted:
        raise _Overtaken
    return ReportRefused(problem, text)


def _refuse_halted(writer: Writer, halted: str, state: wire.State, now: datetime) -> ReportRefused:
    _hold(writer, _refused(state, now))
    reasons = without(writer.reasons, [Keyword.TIMED_OUT.value])
    if not lifecycle.settle_writer(writer, state=WriterState.STOPPED, reasons=reasons, now=now, actor="agent"):
        raise _Overtaken
    text = next(reason["text"] for reason in writer.reasons if reason["keyword"] == halted)
    return ReportRefused(wire.ProblemType(halted), text)


def _refused(state: wire.State, now: datetime) -> dict[str, Any]:
    return {
        "refused_journal_id": state.journal_id,
        "refused_boot_id": state.boot_id,
        "refused_sequence": state.sequence,
        "last_seen": now,
    }


def _recorded_before(writer: Writer, state: wire.State) -> tuple[UUID, ...]:
    ended = [answer.uuid for answer in state.writes if answer.state.value in WRITE_FINAL]
    if not ended:
        return ()
    stored = Write.objects.filter(writer=writer, uuid__in=ended, state__in=WRITE_FINAL)
    return tuple(stored.values_list("uuid", flat=True))


def _state_of(drives: Iterable[Drive]) -> WriterState:
    states = {drive.state for drive in drives if drive.role == wire.Role.COPIER}
    if DriveState.BUSY in states:
        return WriterState.BUSY
    return WriterState.IDLE if DriveState.IDLE in states else WriterState.STOPPED


def _reasons(
    writer: Writer, drives: Iterable[Drive], bins: Iterable[BlankBin], unknown_work: str, now: datetime
) -> Reasons:
    """The reasons that a report decides on; those of calls to the agent stay as they are."""
    reasons = without(writer.reasons, [Keyword.TIMED_OUT.value, Keyword.AGENT_OUTDATED.value])
    found = _drive_reasons(drives) | _blank_reasons(writer, bins) | {Keyword.UNKNOWN_WORK: unknown_work}
    for keyword in (Keyword.DRIVES_STOPPED, Keyword.STOPPED_PARTLY, Keyword.MEDIA_EMPTY, Keyword.UNKNOWN_WORK):
        if text := found.get(keyword):
            reasons = with_reason(reasons, keyword.value, text, now)
        else:
            reasons = without(reasons, [keyword.value])
    return reasons


def _drive_reasons(drives: Iterable[Drive]) -> dict[Keyword, str]:
    copiers = [drive for drive in drives if drive.role == wire.Role.COPIER]
    stopped = [drive for drive in copiers if drive.state in {DriveState.STOPPED, DriveState.OFFLINE}]
    if not copiers:
        return {Keyword.DRIVES_STOPPED: "It has no drive that writes."}
    if not stopped:
        return {}
    text = "; ".join(
        f"{drive.ident} is {drive.state}: {', '.join(drive.reasons) or 'no reason given'}" for drive in stopped
    )
    keyword = Keyword.DRIVES_STOPPED if len(stopped) == len(copiers) else Keyword.STOPPED_PARTLY
    return {keyword: clean(text, 500)}


def _blank_reasons(writer: Writer, bins: Iterable[BlankBin]) -> dict[Keyword, str]:
    left: Counter[str] = Counter()
    countable: dict[str, bool] = {}
    for bin_ in bins:
        left[bin_.format] += max(0, bin_.remaining)
        countable[bin_.format] = countable.get(bin_.format, True) and bin_.counted
    empty = sorted(format_ for format_, counted in countable.items() if counted and not left[format_])
    if not empty:
        return {}
    return {Keyword.MEDIA_EMPTY: f"No {' and no '.join(empty)} blanks are left in {writer}. Load some."}
