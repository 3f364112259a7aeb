"""How a copy ended, from its discs and writes: pure. Success is every disc good, and a disc is good only when it was
read back; of anything else it says why, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devices.serials import spoken
from devices.states import DiscState
from devices.wording import drive_name
from fulfillment.console import failures
from fulfillment.models import Copy

S = Copy.State


@dataclass(frozen=True, slots=True)
class DiscEnd:
    """A disc that is final; `reason` in the agent's words."""

    serial: str
    state: str
    drive: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    state: Copy.State
    reason: str


def judge(discs: Sequence[DiscEnd], *, copies: int, refusals: Sequence[str], cancelled_by: str) -> Verdict:
    """`refusals`: what agents said of writes that they will never do."""
    by_state = {state: [disc for disc in discs if disc.state == state] for state in DiscState}
    good, bad, lost = (len(by_state[state]) for state in (DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN))
    count = f"{good} of {_discs(copies)} {'is' if good == 1 else 'are'} good." if good else "No disc is good."
    if lost:
        named = _named(by_state[DiscState.UNKNOWN])
        told = f" Bad: {_named(by_state[DiscState.BAD])}." if bad else ""
        what = f"Nobody knows how far this disc got: {named}.{told} {count}"
        return Verdict(S.UNKNOWN, f"{what} Look at it, then copy what is missing.")
    if bad:
        named = _named(by_state[DiscState.BAD])
        return Verdict(S.FAILED, f"{count} Bad: {named}. Take it out, put in a new blank, and copy what is missing.")
    if good >= copies:
        return Verdict(S.DONE, f"{_discs(copies)}, each read back and good.")
    if cancelled_by:
        return Verdict(S.CANCELLED, f"Cancelled. {count}" if good else "Cancelled before a disc was begun.")
    return Verdict(S.FAILED, f"{count} {failures.refused(refusals)}")


def _discs(count: int) -> str:
    return f"{count} disc{'' if count == 1 else 's'}"


def _named(discs: Sequence[DiscEnd], most: int = 5) -> str:
    """«4K7P-2M9X-QR3T in Drive 1 (read back differently)»."""
    names = []
    for disc in discs[:most]:
        place = f" in {drive_name(disc.drive)}" if disc.drive else ""
        said = failures.in_words(disc.reason).rstrip(".")
        why = f" ({said})" if said else ""
        names.append(f"{spoken(disc.serial)}{place}{why}")
    more = f" and {len(discs) - most} more" if len(discs) > most else ""
    return ", ".join(names) + more
