"""What a drive has done since its last service, held against the thresholds that a person set for it.

Pure: numbers in, a level and its words out. Must never count, nor decide what follows from the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    FINE = "fine"
    WARN = "warn"  # service is due; the drive goes on
    BLOCK = "block"  # the drive takes no work before it was serviced


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted: discs begun, those that ended bad or unknown, hours spent on them."""

    discs: int = 0
    failures: int = 0
    hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """From how many on; None is no threshold."""

    discs: int | None = None
    failures: int | None = None
    hours: int | None = None


@dataclass(frozen=True, slots=True)
class Wear:
    """`text` names each threshold that was reached: «1200 discs since its last service (block at 1000)»."""

    level: Level
    text: str = ""


def judge(since_service: Counted, warn: Limits, block: Limits) -> Wear:
    """The worst of the three counts. A count that reached its threshold has passed it."""
    for level, limits in ((Level.BLOCK, block), (Level.WARN, warn)):
        if reached := _reached(since_service, limits):
            return Wear(level, f"{', '.join(reached)} since its last service ({level} at {_named(limits)})")
    return Wear(Level.FINE)


def _reached(counted: Counted, limits: Limits) -> list[str]:
    return [
        f"{value:.0f} {name}"
        for name, value, limit in (
            ("discs", counted.discs, limits.discs),
            ("failures", counted.failures, limits.failures),
            ("hours", counted.hours, limits.hours),
        )
        if limit is not None and value >= limit
    ]


def _named(limits: Limits) -> str:
    named = (("discs", limits.discs), ("failures", limits.failures), ("hours", limits.hours))
    return ", ".join(f"{limit} {name}" for name, limit in named if limit is not None)
