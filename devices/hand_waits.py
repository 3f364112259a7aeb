"""How long a person lets a hand-fed drive wait: learned from each wait that ended, for each writer.

A wait is the time in which a drive said that it wants a blank, or a disc taken out. It is nobody's fault: it is
projected as part of every disc, and never counted against the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from devices.agent import wire
from devices.fleet import WillingWriter
from devices.log import log
from devices.models import Drive, Writer
from devices.text import clean

BLANK: Final = "blank"
TAKE_OUT: Final = "take-out"
PRIOR: Final = {BLANK: 120.0, TAKE_OUT: 60.0}  # seconds: somebody in the next room
PRIOR_WEIGHT: Final = 2  # waits that the prior counts for
MEMORY: Final = 20  # waits; what is older fades
MOST: Final = 4.0  # one wait counts for no more than so many times what was expected: nights are no habit


@dataclass(frozen=True, slots=True)
class HandWaits:
    """Seconds that each disc waits for a person: before it is begun, and after it is done."""

    blank: float
    take_out: float

    @property
    def per_disc(self) -> float:
        return self.blank + self.take_out


def learn(expected: float, waits: int, took: float) -> float:
    """The running estimate after one more wait. waits: how many it was learned from."""
    counted = min(max(took, 0.0), MOST * expected)
    return expected + (counted - expected) / min(PRIOR_WEIGHT + waits + 1, MEMORY)


def expected(writer: Writer | WillingWriter) -> HandWaits:
    blank, take_out = writer.blank_wait, writer.take_out_wait
    return HandWaits(
        PRIOR[BLANK] if blank is None else blank,
        PRIOR[TAKE_OUT] if take_out is None else take_out,
    )


def note(writer: Writer, state: wire.State, now: datetime) -> None:
    """Learns from the waits that this report ends. Call it before the drives of the report are taken."""
    hand_fed = {clean(fact.id, 64): fact for fact in state.drives if fact.feed == wire.Feed.HAND}
    if not hand_fed:
        return
    for drive in writer.drives.filter(ident__in=hand_fed, wants_since__isnull=False):
        wants = hand_fed[drive.ident].wants or ""
        # A disc that was given up ends the wait for its blank as well, and tells nothing of the person.
        if (
            wants != drive.wants
            and drive.wants_since
            and (drive.wants == TAKE_OUT or _is_fed(hand_fed[drive.ident], state))
        ):
            _learn(writer, drive, now - drive.wants_since, now)


def _is_fed(fact: wire.DriveFact, state: wire.State) -> bool:
    waiting = (disc.state for write in state.writes for disc in write.discs)
    return fact.state == wire.DriveState.BUSY or wire.DiscState.PLANNED in waiting


def _learn(writer: Writer, drive: Drive, took: timedelta, now: datetime) -> None:
    seconds, waits = ("blank_wait", "blank_waits") if drive.wants == BLANK else ("take_out_wait", "take_out_waits")
    known = getattr(writer, seconds)
    so_far = getattr(writer, waits)
    learned = learn(PRIOR[drive.wants] if known is None else known, so_far, took.total_seconds())
    values = {seconds: learned, waits: so_far + 1}
    Writer.objects.filter(pk=writer.pk).update(**values)
    for field, value in values.items():
        setattr(writer, field, value)
    text = f"{drive.ident} waited {took.total_seconds():.0f} s for a person; {learned:.0f} s are expected from now on."
    log(writer.pk, "hand-wait", now=now, actor="agent", old=drive.wants, serial=drive.serial, text=text)
