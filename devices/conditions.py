"""Which reasons a report gives a writer: each condition that holds now, with its words and what to do about it.

Pure: rows and numbers in, reasons out. A condition that no longer holds is not among them, so its reason ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from devices.agent import wire
from devices.models import BlankBin, Drive, Printer
from devices.reasons import Reasons, with_reason, without
from devices.serials import spoken
from devices.states import OF_REPORTS, DriveState, Keyword, WriterState
from devices.text import clean
from devices.wear import Level
from devices.wording import blanks_text, drive_name, format_name, reasons_text

SKEW: Final = timedelta(minutes=5)
LOW_SUPPLY: Final = 10.0  # percent of ink or ribbon

# A report that is taken is heard, and of the right protocol.
_ENDED_BY_HEARING: Final = (Keyword.TIMED_OUT.value, Keyword.AGENT_OUTDATED.value)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a report said, as rows. skew: how far the agent's clock is ahead of ours."""

    name: str
    drives: Sequence[Drive]
    printers: Sequence[Printer]
    bins: Sequence[BlankBin]
    low_blanks: int | None
    skew: timedelta
    unknown_work: str
    disk_full: str  # the words of spool-area-full, while there is no room; else empty


def state_of(drives: Iterable[Drive]) -> WriterState:
    states = {drive.state for drive in drives if drive.role == wire.Role.COPIER}
    if DriveState.BUSY in states:
        return WriterState.BUSY
    return WriterState.IDLE if DriveState.IDLE in states else WriterState.STOPPED


def reasons_after(before: Reasons, heard: Heard, now: datetime) -> Reasons:
    """Those of calls to the agent stay as they are; those of reports are what this report says."""
    found = {keyword.value: clean(text, 500) for keyword, text in _found(heard) if text}
    over = {*OF_REPORTS, *_ENDED_BY_HEARING, Keyword.UNKNOWN_WORK.value} - found.keys()
    reasons = without(before, over)
    for keyword, text in found.items():
        reasons = with_reason(reasons, keyword, text, now)
    return reasons


def _found(heard: Heard) -> Iterator[tuple[Keyword, str]]:
    yield from _of_drives(heard.drives)
    yield from _of_wear(heard.drives)
    yield Keyword.WAITING_FOR_OPERATOR, _wanted(heard.drives)
    yield from _of_blanks(heard)
    yield from _of_supplies(heard.printers)
    yield Keyword.SPOOL_AREA_FULL, heard.disk_full
    yield Keyword.UNKNOWN_WORK, heard.unknown_work
    yield Keyword.CLOCK_SKEW, _skewed(heard.skew)


def _of_drives(drives: Sequence[Drive]) -> Iterator[tuple[Keyword, str]]:
    copiers = [drive for drive in drives if drive.role == wire.Role.COPIER]
    stopped = [drive for drive in copiers if drive.state in {DriveState.STOPPED, DriveState.OFFLINE}]
    text = "; ".join(
        f"{drive_name(drive.ident)} is {drive.state}: {reasons_text(drive.reasons) or 'no reason given'}"
        for drive in stopped
    )
    if not copiers:
        yield Keyword.DRIVES_STOPPED, "It has no drive that writes."
    elif len(stopped) == len(copiers):
        yield Keyword.DRIVES_STOPPED, text
    elif stopped:
        yield Keyword.STOPPED_PARTLY, text


def _of_wear(drives: Sequence[Drive]) -> Iterator[tuple[Keyword, str]]:
    worn = [(drive_name(drive.ident), drive.wear) for drive in drives]
    blocked = "; ".join(f"{name}: {wear.text}" for name, wear in worn if wear.level is Level.BLOCK)
    due = "; ".join(f"{name}: {wear.text}" for name, wear in worn if wear.level is Level.WARN)
    if blocked:
        yield Keyword.DRIVE_BLOCKED, f"{blocked}. It takes no work before it was serviced."
    if due:
        yield Keyword.DRIVE_SERVICE_DUE, f"{due}. Service it soon."


def _wanted(drives: Sequence[Drive]) -> str:
    return "; ".join(f"{drive_name(drive.ident)}: {_wish(drive)}" for drive in drives if drive.wants)


def _wish(drive: Drive) -> str:
    if drive.wants == "blank":
        return "insert a blank"
    return f"take the disc out and mark it {spoken(drive.serial)}" if drive.serial else "take the disc out"


def _of_blanks(heard: Heard) -> Iterator[tuple[Keyword, str]]:
    """By format, over all bins of it; a format with a bin that nobody counts is never short."""
    left: Counter[str] = Counter()
    countable: dict[str, bool] = {}
    for bin_ in heard.bins:
        left[bin_.format] += max(0, bin_.remaining)
        countable[bin_.format] = countable.get(bin_.format, True) and bin_.counted
    formats = sorted(format_ for format_, counted in countable.items() if counted)
    empty = [format_ for format_ in formats if not left[format_]]
    low = {format_: left[format_] for format_ in formats if 0 < left[format_] <= (heard.low_blanks or 0)}
    if empty:
        names = " and no ".join(map(format_name, empty))
        yield Keyword.MEDIA_EMPTY, f"No {names} blanks are left in {heard.name}. Load some."
    if low:
        verb = "is" if sum(low.values()) == 1 else "are"
        yield Keyword.MEDIA_LOW, f"Only {blanks_text(low)} {verb} left in {heard.name}. Load some soon."


def _of_supplies(printers: Sequence[Printer]) -> Iterator[tuple[Keyword, str]]:
    known = [
        (printer.ident, supply["name"], supply["percent"])
        for printer in printers
        for supply in printer.supplies
        if supply.get("percent") is not None
    ]
    empty = [f"{ident}: {name}" for ident, name, percent in known if percent <= 0]
    low = [f"{ident}: {name} {percent:.0f} %" for ident, name, percent in known if 0 < percent <= LOW_SUPPLY]
    if empty:
        yield Keyword.MARKER_SUPPLY_EMPTY, f"Used up in printer {', '.join(empty)}. Replace it."
    if low:
        yield Keyword.MARKER_SUPPLY_LOW, f"Nearly used up in printer {', '.join(low)}. Have another one ready."


def _skewed(skew: timedelta) -> str:
    if abs(skew) <= SKEW:
        return ""
    minutes, where = divmod(abs(skew), timedelta(minutes=1))[0], "ahead of" if skew > timedelta(0) else "behind"
    return f"Its clock is {minutes} minutes {where} the server's. Have both set by a time server."
