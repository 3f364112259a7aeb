"""Takes a writer's whole state, reported or asked for. Level-triggered: it says everything, so a lost,
repeated or late report costs nothing. Ordered by the agent's sequence, never by its clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from devices import bookings, conditions, errands, foreign, hand_waits, inventory, lifecycle, read_bookings, upkeep
from devices.agent import wire
from devices.log import log
from devices.models import Disc, Read, Write, Writer
from devices.reasons import without
from devices.states import (
    ASK_AFTER,
    OF_REPORTS,
    READ_FINAL,
    WRITE_FINAL,
    DiscState,
    Keyword,
    WriterState,
)
from devices.text import clean

_TRIES: Final = 5  # of a report that others overtake
_BIGGEST: Final = 2**63 - 1  # what a column of the database holds
# Beyond these it is no machine that speaks, or one that went mad.
MOST_DRIVES: Final = 128
MOST_BINS: Final = 1_000
MOST_BLANKS: Final = 1_000_000
MOST_IMAGES: Final = 10_000
MOST_WRITES: Final = 2_000


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


@dataclass(frozen=True, slots=True)
class Taken:
    """wakes: it says that something can go on, so the writer is to be visited now and not at the next beat."""

    answer: wire.ReportAnswer
    wakes: bool = False


def take_report(writer: Writer, state: wire.State, now: datetime) -> wire.ReportAnswer:
    """Books the state; the answer names the writes and reads whose final result is stored. Raises ReportRefused."""
    return take(writer, state, now).answer


def take(writer: Writer, state: wire.State, now: datetime) -> Taken:
    """As take_report, and says whether the writer is to be visited."""
    _check(writer, state, now)
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                taken = _take(writer, state, now)
        except _Overtaken:
            writer.refresh_from_db()
            continue
        if isinstance(taken, ReportRefused):
            raise taken  # only now: what the refusal changed must be stored
        return taken
    raise ReportRefused(wire.ProblemType.INVALID, "Overtaken by other reports of this writer. Report again.")


def take_answer(write: Write, answer: wire.WriteAnswer, now: datetime) -> None:
    """Books what the agent answered when it was asked for this one write."""
    with transaction.atomic():
        lifecycle.hold_writer(write.writer_id)
        write.refresh_from_db()
        bookings.book_write(write, bookings.discs_of([write])[write.pk], answer, now)


def take_read_answer(read: Read, answer: wire.ReadAnswer, now: datetime) -> None:
    """Books what the agent answered about this one read."""
    with transaction.atomic():
        lifecycle.hold_writer(read.writer_id)
        read.refresh_from_db()
        read_bookings.book_read(read, answer, now)


def note_outdated(writer: Writer, protocol: object, now: datetime) -> None:
    """The agent speaks another protocol than this server."""
    said = clean(str(protocol), 20)
    text = f"Its agent speaks protocol {said}, this server {wire.PROTOCOL}. Install the same release on both."
    lifecycle.refuse_outdated(writer, text, now=now)


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
    for field, number, most in _numbers(state):
        if number > most:
            raise ReportRefused(wire.ProblemType.INVALID, f"{field} is larger than any real one.", field)
    for field, names, most in _lists(state):
        if len(names) > most:
            text = f"It has {len(names)} {field}; {most} is the most that is taken."
            raise ReportRefused(wire.ProblemType.INVALID, text, field)
        if len(set(names)) < len(names):
            twice = next(name for name, times in Counter(names).items() if times > 1)
            raise ReportRefused(wire.ProblemType.INVALID, f"{twice} is there more than once.", field)


def _numbers(state: wire.State) -> Iterator[tuple[str, int, int]]:
    """Each number that is stored, and the largest one that may be."""
    yield "sequence", state.sequence, _BIGGEST
    yield "disk.capacity", state.disk.capacity, _BIGGEST
    yield "disk.free", state.disk.free, _BIGGEST
    for blank in state.blanks:
        yield "blanks.remaining", blank.remaining or 0, MOST_BLANKS
    for image in state.images or ():
        yield "images.size", image.size, _BIGGEST


def _lists(state: wire.State) -> Iterator[tuple[str, list[str], int]]:
    """What each list names, as it is stored: nothing may be there twice. And how long it may be."""
    yield "drives", [clean(drive.id, 64) for drive in state.drives], MOST_DRIVES
    yield "printers", [clean(printer.id, 64) for printer in state.printers], MOST_DRIVES
    yield (
        "blanks",
        [f"{each.format} {clean(each.kind, 32)} in {clean(each.bin, 64)}" for each in state.blanks],
        MOST_BINS,
    )
    yield "images", [image.sha256 for image in state.images or ()], MOST_IMAGES
    yield "writes", [str(write.uuid) for write in state.writes], MOST_WRITES
    yield "reads", [str(read.uuid) for read in state.reads], MOST_WRITES


def _take(writer: Writer, state: wire.State, now: datetime) -> Taken | ReportRefused:
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
        return Taken(wire.ReportAnswer(recorded=_recorded_before(writer, state)))
    others = clean(state.images_digest, 128) != writer.images_digest  # than those that are known here
    want_images = others and state.images is None
    _hold(writer, _facts(writer, state, now))
    started = verdict in {Verdict.FIRST, Verdict.RESTART}
    if started:
        _follow_boot(writer, state, verdict, now)
    images = state.images if others or started else None
    recorded, wakes = _book(writer, state, images, now, started=started)
    return Taken(wire.ReportAnswer(recorded=tuple(recorded), want=("images",) if want_images else ()), wakes)


def _book(
    writer: Writer, state: wire.State, images: tuple[wire.ImageFact, ...] | None, now: datetime, *, started: bool
) -> tuple[list[UUID], bool]:
    """What the writer has and did, and what its state and reasons are after that. images: only if they are news."""
    hand_waits.note(writer, state, now)
    drives, freed = inventory.take_drives(writer, state.drives, now)
    printers = inventory.take_printers(writer, state.printers)
    if images is not None:
        inventory.take_images(writer, images, now)
    recorded, unknown = bookings.book_report(writer, state.writes, now)
    unseen, seen = foreign.split(writer, unknown)
    recorded += foreign.ended(seen)
    recorded += read_bookings.book_reads(writer, state.reads, now)
    drives = inventory.counted(writer, drives)
    upkeep.keep_up(writer, drives, now, started=started)
    bins = inventory.take_blanks(writer, state.blanks, now)
    disk_full = inventory.disk_full(writer)
    room = not disk_full and any(reason["keyword"] == Keyword.SPOOL_AREA_FULL for reason in writer.reasons)
    heard = conditions.Heard(
        name=writer.name,
        drives=drives,
        printers=printers,
        bins=bins,
        low_blanks=writer.low_blanks,
        skew=_skew(state, now),
        unknown_work=foreign.reason(writer, unseen),
        disk_full=disk_full,
    )
    reasons = conditions.reasons_after(writer.reasons, heard, now)
    if not lifecycle.settle_writer(writer, state=conditions.state_of(drives), reasons=reasons, now=now, actor="agent"):
        raise _Overtaken
    causes = [wire.ProblemType.DRIVE_RESERVED.value] if freed else []
    causes += [wire.ProblemType.SPOOL_AREA_FULL.value] if room else []
    wakes = bool(causes or images is not None or started) and errands.wake(writer, causes)
    return recorded, wakes


def _skew(state: wire.State, now: datetime) -> timedelta:
    """How far the agent's clock is ahead. Nothing else depends on it."""
    said = bookings.as_utc(state.time)
    return said - now if said else timedelta(0)


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
    if writer.last_seen is None or now - writer.last_seen > ASK_AFTER or state.boot_id != writer.boot_id:
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
    reasons = without(writer.reasons, [*OF_REPORTS, Keyword.TIMED_OUT.value])
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
    said = [(answer.uuid, answer.state) for answer in state.writes] + [(each.uuid, each.state) for each in state.reads]
    ended = [uuid for uuid, ending in said if ending.value in WRITE_FINAL]
    if not ended:
        return ()
    writes = Write.objects.filter(writer=writer, uuid__in=ended, state__in=WRITE_FINAL)
    reads = Read.objects.filter(writer=writer, uuid__in=ended, state__in=READ_FINAL)
    return (*writes.values_list("uuid", flat=True), *reads.values_list("uuid", flat=True))
