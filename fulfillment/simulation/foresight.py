"""What the shop would promise of each order as it comes in, and how that turned out. Blind: it sees what agents report.

It learns from discs that ended and from orders that were done, and knows nothing of the laws by which the run is made.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fulfillment.planning.belief import kind_of
from fulfillment.planning.calibration import Calibration, Said
from fulfillment.planning.experience import Experience
from fulfillment.planning.forecast import Forecast
from fulfillment.planning.model import JobView, Projection, Snapshot
from fulfillment.planning.overtaking import OF_LATE, coming, overtakes
from fulfillment.planning.policies import Policy
from fulfillment.planning.projection import project, queue_up, quote

FRESH: Final = 15.0  # seconds: the shop rolls its plan forward so often, and quotes read the newest run


@dataclass(frozen=True, slots=True)
class _Open:
    """An order that is not done yet: what was foreseen, and what was said of it."""

    forecast: Forecast
    said: Said


class Foresight:
    """Mutable: tell it what happens, in the order in which it does."""

    def __init__(self) -> None:
        self._experience = Experience()
        self._calibration = Calibration()
        self._open: dict[str, _Open] = {}
        self._spoilt: dict[str, list[float]] = defaultdict(list)
        self._standing: tuple[float, Projection] | None = None
        self._came: list[JobView] = []
        """Since that run."""
        self._of_late: deque[JobView] = deque(maxlen=OF_LATE)

    def promise(
        self, order: str, wanted: Sequence[JobView], seen: Callable[[float], Snapshot], policy: Policy, now: float
    ) -> tuple[float, ...] | None:
        """By when it is ready, at each of LEVELS; None where nobody can say. seen: the plant at an instant."""
        chance = self._experience.chance
        if self._standing is None or now - self._standing[0] >= FRESH:
            expected = coming(self._of_late, now) if overtakes(policy) else None
            # What comes is told to quotes alone: nobody asks here what it makes of those who wait already.
            self._standing = now, replace(project(seen(now), policy, now, chance=chance), coming=expected)
            self._came.clear()
        self._of_late += wanted
        found = quote(self._standing[1], wanted, now, chance=chance, policy=policy, came=self._came)
        if found is None:
            return None
        # The next order stands behind this one, though the run does not know it.
        self._standing = self._standing[0], queue_up(self._standing[1], wanted, now)
        self._came += wanted
        kind = kind_of(wanted[0].format, sum(job.copies for job in wanted), found)
        said = Said(kind, tuple(found.ready(part) for part in self._calibration.parts(kind)))
        self._open[order] = _Open(found, said)
        return said.ready

    def disc_began(self, job: str, seconds: float, now: float) -> None:
        """seconds: that are expected of it."""
        if ended := self._spoilt.get(job):
            self._experience.tried_again((now - ended.pop(0)) / seconds)

    def disc_ended(self, job: str, took: float, expected: float, good: bool, now: float) -> None:
        self._experience.disc_ended(took / expected, good)
        if not good:
            self._spoilt[job].append(now)

    def order_done(self, order: str, now: float) -> None:
        if (known := self._open.pop(order, None)) is not None:
            self._experience.order_done(known.forecast, now)
            self._calibration.learn(known.said, known.forecast.part(now), now, len(self._open))
