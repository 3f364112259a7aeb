"""When each drive of a writer has done what the writer was given already. Arithmetic over rows; changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from devices.copiers import Copier
from devices.hand_waits import BLANK, TAKE_OUT, HandWaits
from devices.states import DiscState
from fulfillment.planning.cost import disc_seconds
from fulfillment.planning.model import Rates

STILL_TO_COME: Final = 0.1  # of a wait that lasts longer than expected: nobody knows more than that it is not over


class DiscUnderWay(NamedTuple):
    """A disc that its writer has or is about to get, and has not finished, with what planning needs of its write."""

    state: str
    drive: str
    started_at: dt.datetime | None
    write: int
    writer: int
    image: str
    size: int
    format: str
    named: str
    """The drive that it must go into; empty: any."""


@dataclass(frozen=True, slots=True)
class LaidOut:
    """Instants: when each drive is free again, and when the last disc of each format that is not begun will be."""

    free_at: Mapping[str, float]
    last_blank_at: Mapping[str, float]


def lay_out(
    drives: Mapping[str, Copier],
    discs: Sequence[DiscUnderWay],
    rates: Mapping[str, Rates],
    waits: HandWaits,
    image_at: Mapping[str, float],
    now: float,
) -> LaidOut:
    """discs: in the order in which they will be made. rates: of each drive. image_at: when an image that is not there
    yet will be."""
    free = {ident: now + _until_emptied(drive, waits, now) for ident, drive in drives.items()}
    until_fed = {ident: _until_fed(drive, waits, now) for ident, drive in drives.items()}
    by_hand = {ident for ident, drive in drives.items() if drive.is_hand_fed}
    after = {ident: waits.take_out if ident in by_hand else 0.0 for ident in drives}
    fitting: dict[tuple[str, str], list[str]] = {}  # by what is asked of them: a writer's discs are much the same
    begins: dict[str, float] = {}
    for disc in discs:
        if disc.state == DiscState.STARTED and disc.drive in free and disc.started_at:
            # The time is the agent's: not in the future. A disc may take longer than reckoned: not done before now.
            done = min(now, disc.started_at.timestamp()) + _seconds(rates[disc.drive], disc)
            free[disc.drive] = max(now, done) + after[disc.drive]
    for disc in discs:
        if disc.state != DiscState.PLANNED:
            continue
        asked = disc.format, disc.named
        if asked not in fitting:
            fitting[asked] = _fitting(drives, disc)
        if not fitting[asked]:
            continue
        _, drive = min([(free[ident], ident) for ident in fitting[asked]])
        begun = max(free[drive], image_at.get(disc.image, now)) + until_fed[drive]
        begins[disc.format] = max(begins.get(disc.format, now), begun)
        free[drive] = begun + _seconds(rates[drive], disc) + after[drive]
        until_fed[drive] = waits.blank if drive in by_hand else 0.0
    return LaidOut(free, begins)


def _fitting(drives: Mapping[str, Copier], disc: DiscUnderWay) -> list[str]:
    return [ident for ident, drive in drives.items() if disc.format in drive.formats and disc.named in {"", ident}]


def _seconds(rates: Rates, disc: DiscUnderWay) -> float:
    return disc_seconds(rates, disc.size, disc.format)


def _until_emptied(drive: Copier, waits: HandWaits, now: float) -> float:
    """A finished disc occupies its drive until somebody takes it out."""
    return _still(drive, waits.take_out, now) if drive.is_hand_fed and drive.wants == TAKE_OUT else 0.0


def _until_fed(drive: Copier, waits: HandWaits, now: float) -> float:
    """How long its next disc waits for a blank."""
    if not drive.is_hand_fed:
        return 0.0
    return _still(drive, waits.blank, now) if drive.wants == BLANK else waits.blank


def _still(drive: Copier, expected: float, now: float) -> float:
    waited = now - drive.wants_since.timestamp() if drive.wants_since else 0.0
    return max(expected - max(0.0, waited), expected * STILL_TO_COME)
