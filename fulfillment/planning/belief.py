"""What is believed of chance at an instant: a forecast and its belief together are all that a date is read from. Pure.

A forecast is a distribution as the plan has it; where earlier forecasts of its kind were too sure or too careful, the
belief says at which place of the distribution the date of a level really is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fulfillment.planning.forecast import Chance, Forecast

LEVELS: Final = (0.5, 0.9, 0.97)
ALL: Final = ""  # the kind of everything
LEAST: Final = 1e-9
DISCS_TOLD_APART: Final = 3  # of orders with more, all err alike
WAITS: Final = {"now": 0.1, "soon": 1.0, "later": 4.0}  # disc times until the last discs begin, at the most


def kind_of(format_: str, copies: int, forecast: Forecast) -> str:
    """Orders that err alike: of one format, of one disc, two, or more, and that wait alike.

    The planner gives the next disc to whoever is free then, which the roll-forward can't quite foresee: behind a queue
    small orders come sooner than it says, and where nothing is ahead they can only come later.
    """
    wait = forecast.start / forecast.disc
    word = next((word for word, most in WAITS.items() if wait <= most), "long")
    return f"{format_} {min(copies, DISCS_TOLD_APART)} {word}"


@dataclass(frozen=True, slots=True)
class Belief:
    """`places`: by kind, where in a distribution the dates of LEVELS are; a kind that is not there is as ALL is.

    `is_wide`: forecasts were too sure of late, so what lies beyond the surer levels is halved until they hold again.
    """

    chance: Chance = field(default_factory=Chance)
    places: Mapping[str, Sequence[float]] = field(default_factory=dict)
    is_wide: bool = False

    def ready(self, forecast: Forecast, kind: str, share: float) -> float:
        """The instant by which so large a share of such orders is made."""
        return forecast.ready(_between(_line(LEVELS), _line(self._places(kind)), share))

    def made_by(self, forecast: Forecast, kind: str, instant: float) -> float:
        """The share of such orders that is made by then: never quite none, never quite all."""
        return _between(_line(self._places(kind)), _line(LEVELS), forecast.part(instant))

    def levels(self, forecast: Forecast, kind: str) -> tuple[float, ...]:
        """The instants of LEVELS."""
        return tuple(forecast.ready(place) for place in self._places(kind))

    def _places(self, kind: str) -> Sequence[float]:
        places = self.places.get(kind) or self.places.get(ALL) or LEVELS
        return [places[0], *((1 + place) / 2 for place in places[1:])] if self.is_wide else places


def _line(inner: Sequence[float]) -> Sequence[float]:
    """From none to all, and nowhere level: two levels may have come to lie at one place."""
    line = [0.0]
    for value in (*inner, 1.0):
        line.append(max(value, line[-1] + LEAST))
    return line


def _between(from_: Sequence[float], to: Sequence[float], value: float) -> float:
    """Where a value of one line lies on the other."""
    at = min(max(bisect_right(from_, value), 1), len(from_) - 1)
    low, high = from_[at - 1], from_[at]
    return to[at - 1] + (to[at] - to[at - 1]) * min(max((value - low) / (high - low), 0.0), 1.0)
