"""A plant and its orders, as a simulation runs them: the values that a workload file holds.

Times are seconds from 0, which is `start` on the wall clock; sizes bytes; rates bytes a second. Values only: reading
files is `reading`'s, making them `presets`'.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

START: Final = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    bytes: int
    format: str


@dataclass(frozen=True, slots=True)
class Writer:
    """`blanks` has no entry for what never runs out. `verify_rate` is the write rate where a file gives none."""

    id: str
    drives: int
    formats: tuple[str, ...]
    write_rate: Mapping[str, float]
    verify_rate: Mapping[str, float]
    verify: bool = True
    load_s: float = 15.0
    print_s: float = 0.0
    link_rate: float = 50e6
    cache_bytes: int = 100_000_000_000
    cached: tuple[str, ...] = ()
    blanks: Mapping[str, int] = field(default_factory=dict)
    bad_disc_probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    image: str
    copies: int


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    at: float
    lines: tuple[Line, ...]
    due: float | None = None
    priority: Literal["normal", "high"] = "normal"


@dataclass(frozen=True, slots=True)
class Refill:
    writer: str
    format: str
    at: float
    count: int


@dataclass(frozen=True, slots=True)
class Outage:
    """No disc is begun and no fetch goes on from `begins` to `ends`; discs under way are finished."""

    writer: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Workload:
    images: tuple[Image, ...]
    writers: tuple[Writer, ...]
    orders: tuple[Order, ...]
    refills: tuple[Refill, ...] = ()
    outages: tuple[Outage, ...] = ()
    write_time_sigma: float = 0.0
    """Each disc's time is multiplied by exp(N(−σ²/2, σ))."""
    zone: str = "UTC"
    start: dt.datetime = START
