"""Policies as users write them: good ones, and one for each way to go wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fulfillment.planning.model import JobView
from tests.fulfillment.planning.fleets import job as view


class Nameless:
    def rank(self, job: object) -> tuple[float, ...]:
        return ()


class Rankless:
    name = "rankless"


class Plain:
    """The least that a user's own may be."""

    name = "largest-number-first"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (-job.copies,)


class Raising(Plain):
    def rank(self, job: JobView) -> tuple[float, ...]:
        raise KeyError("customer")


class Nan(Plain):
    def rank(self, job: JobView) -> tuple[float, ...]:
        return (math.nan,)


class Listing(Plain):
    def rank(self, job: JobView) -> Any:
        return [1.0]


class Wordy(Plain):
    def rank(self, job: JobView) -> tuple[float, ...]:
        return (1.0,) * 6


class Losing(Plain):
    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        return head[1:]


class Inventing(Plain):
    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        return [*head, view("invented")]


class Doubling(Plain):
    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        return [*head, *head[:1]]


class Silent(Plain):
    def explain(self, job: JobView) -> str:
        raise LookupError("no words")


class Exploding:
    def __init__(self) -> None:
        raise OSError("no such file")


class Turning(Plain):
    """Well behaved when it is chosen, and not later."""

    broken = False

    def rank(self, job: JobView) -> tuple[float, ...]:
        if Turning.broken:
            raise ZeroDivisionError("division by zero")
        return super().rank(job)
