"""A writer as the fleet shows it, those in trouble first. Pure: values in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from devices.agent import wire
from devices.resource_file import DriveFile, FlagFile, ReasonFile, WriterFile
from devices.states import HALTING, Keyword, Severity, WriterState
from fulfillment.fleet import remains, rings
from fulfillment.fleet.remains import Cache, Stack, Supply
from fulfillment.fleet.rings import Ask, DiscFact, Ring
from fulfillment.fleet.words import moment


class Heat(IntEnum):
    """How much trouble a writer is in; the hottest comes first."""

    BROKEN = 0
    STOPPED = 1
    WAITS = 2  # for a person
    WARNED = 3
    WELL = 4
    OFF = 5


_TONES: Final = {Heat.BROKEN: "bad", Heat.WELL: "fine", Heat.OFF: "off"}  # of all others: watch


@dataclass(frozen=True, slots=True)
class Line:
    """A reason: what is the matter and what next."""

    text: str
    tone: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Card:
    """`state` is the chip's key, `word` what it says."""

    file: WriterFile
    state: str
    word: str
    heat: Heat
    lines: tuple[Line, ...]
    asks: tuple[Ask, ...]
    rings: tuple[Ring, ...]
    stacks: tuple[Stack, ...]
    cache: Cache | None
    supplies: tuple[Supply, ...]
    not_known_since: str

    @property
    def tone(self) -> str:
        return _TONES.get(self.heat, "watch")

    @property
    def in_trouble(self) -> bool:
        return self.heat <= Heat.STOPPED

    @property
    def silent(self) -> bool:
        """Nobody waits to hear one that is switched off or worked on, and one that lost its journal is heard."""
        return self.state in {"offline", "suspect"} and not self.file.maintenance


@dataclass(frozen=True, slots=True)
class Known:
    """What the floors above know beside the writers' own files."""

    discs: Mapping[str, DiscFact]  # by serial
    next_format: Mapping[tuple[int, str], str]  # of the next disc, by writer and drive
    empty_at: Mapping[tuple[int, str], datetime]  # when the blanks run out, by writer and format


def card(file: WriterFile, known: Known, now: datetime) -> Card:
    since = _not_known_since(file, now)
    asks = tuple(_asks(file, known))
    stacks = tuple(
        remains.stack(bin_, file.low_blanks or 0, known.empty_at.get((file.pk, bin_.format)), now) for bin_ in file.bins
    )
    state, word = _state(file, bool(asks))
    lines = tuple(_lines(file, bool(asks)))
    return Card(
        file=file,
        state=state,
        word=word,
        heat=_heat(file, lines, bool(asks), stacks),
        lines=lines,
        asks=asks,
        rings=tuple(rings.ring(drive, not_known_since=since) for drive in _drives(file)),
        stacks=stacks,
        cache=remains.cache(file, since),
        supplies=tuple(remains.supplies(file, since)),
        not_known_since=since,
    )


def in_order(cards: Iterable[Card]) -> list[Card]:
    """The hottest first, then by name as people count: Writer 9 before Writer 10."""
    return sorted(cards, key=lambda each: (each.heat, natural(each.file.name)))


def takes(file: WriterFile, format_: str) -> bool:
    return any(format_ in drive.formats for drive in _drives(file) if drive.role == wire.Role.COPIER)


def _drives(file: WriterFile) -> Iterator[DriveFile]:
    return (drive for drive in file.drives if not drive.gone)


def _asks(file: WriterFile, known: Known) -> Iterable[Ask]:
    for drive in _drives(file):
        found = rings.ask(drive, known.discs, known.next_format.get((file.pk, drive.ident), ""))
        if found is not None:
            yield found


def _halting(file: WriterFile) -> ReasonFile | None:
    """Why its reports are heard and not believed, if they are not."""
    return next((reason for reason in file.reasons if reason.keyword in HALTING), None)


def _not_known_since(file: WriterFile, now: datetime) -> str:
    """«14:02» of a writer whose newest facts are that old; empty while they are of now."""
    if file.fresh:
        return ""
    halting = _halting(file)
    at = halting.since if halting else file.last_seen
    return moment(at, now) or "it was added"


def _state(file: WriterFile, asks: bool) -> tuple[str, str]:
    """One state: the one that says most. (the chip's key, its word)"""
    if not file.enabled:
        return "off", "switched off"
    if file.last_seen is None:
        return "offline", "never heard"
    if file.state == WriterState.OFFLINE or _halting(file):
        return file.state, file.state
    if not file.fresh:
        return "suspect", "silent"
    if file.maintenance:
        return "maintenance", "maintenance"
    if file.draining:
        return "draining", "draining"
    if asks and file.state != WriterState.BUSY:
        return "wanted", "waits for a person"
    return file.state, file.state


def _lines(file: WriterFile, asks: bool) -> Iterable[Line]:
    for reason in file.reasons:
        if asks and reason.keyword == Keyword.WAITING_FOR_OPERATOR:
            continue  # said by the asks, and more exactly
        tone = {Severity.ERROR: "bad", Severity.WARNING: "watch"}.get(reason.severity, "")
        yield Line(reason.text, tone, reason.since)
    if file.last_seen is None and file.enabled:
        yield Line("Nothing was heard of it yet. Start its agent: it appears here by itself.", "bad", None)
    for flag, tone, head, next_ in (
        (file.maintenance, "watch", "In maintenance", "It goes on when somebody resumes it."),
        (file.draining, "watch", "Finishes what it has and takes nothing new", "It goes on when somebody resumes it."),
        (
            file.disabled,
            "",
            "Switched off",
            "Its reports and fetches are refused until it is switched on in the admin.",
        ),
    ):
        if flag:
            yield Line(f"{_flag(head, flag)} {next_}", tone, flag.since)


def _flag(head: str, flag: FlagFile) -> str:
    who = f", by {rings.person(flag.who)}" if flag.who else ""
    why = f": {flag.why}" if flag.why else ""
    return f"{head}{who}{why}{'' if why.endswith('.') else '.'}"


def _heat(file: WriterFile, lines: Sequence[Line], asks: bool, stacks: Sequence[Stack]) -> Heat:
    if not file.enabled:
        return Heat.OFF
    if file.maintenance and not _halting(file):
        return Heat.WARNED  # whoever works on it knows
    if file.state == WriterState.OFFLINE or any(line.tone == "bad" for line in lines):
        return Heat.BROKEN
    if not file.fresh or (file.state == WriterState.STOPPED and not asks):
        return Heat.STOPPED
    if asks:
        return Heat.WAITS
    warned = any(line.tone == "watch" for line in lines) or any(stack.tone for stack in stacks)
    return Heat.WARNED if warned else Heat.WELL


def natural(name: str) -> list[tuple[int, str]]:
    """As people count: what is 9 comes before what is 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.casefold()) if part]
