"""Seconds to fetch, load, write, verify and print. Pure arithmetic over rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from fulfillment.planning.model import Rates

MEGA: Final = 1_000_000

# What a common drive does on average over a full disc; used until a writer's own discs have been timed.
PRIOR_WRITE: Final = {
    "cd": 5.0 * MEGA,  # 52x at the rim, about 34x on average
    "cd-mini": 3.0 * MEGA,
    "dvd": 15.0 * MEGA,  # 16x at the rim
    "dvd-mini": 5.0 * MEGA,
    "dvd-dl": 9.0 * MEGA,  # 8x
    "bd": 27.0 * MEGA,  # 6x
    "bd-dl": 22.0 * MEGA,
}
PRIOR_LINK: Final = 50.0 * MEGA
PRIOR_LOAD: Final = 15.0
LEAST_PART: Final = 0.1  # of a disc's time, whatever the other part is reckoned with: a part is never nothing


class Kind(StrEnum):
    """What is timed. A disc's time is a fixed part (`load`: tray, lead-in, close, print) and bytes over a speed."""

    SPEED = "speed"  # bytes a second over writing and reading back together, of a drive and a format
    LOAD = "load"  # seconds, of a drive and a format
    LINK = "link"  # bytes a second, of a writer


def prior(kind: Kind, format: str = "") -> float:
    """In bytes a second, or seconds for a load."""
    match kind:
        case Kind.SPEED:
            return PRIOR_WRITE[format] / 2  # each byte is written, and read back as quickly
        case Kind.LOAD:
            return PRIOR_LOAD
        case Kind.LINK:
            return PRIOR_LINK


def prior_rates() -> Rates:
    return Rates(write=PRIOR_WRITE, verify=PRIOR_WRITE, link=PRIOR_LINK, load=PRIOR_LOAD)


def known_rates(speeds: Mapping[str, float], loads: Mapping[str, float], link: float | None = None) -> Rates:
    """What is known by format, and the prior for the rest. A speed is over writing and reading back together."""
    passes = PRIOR_WRITE | {format_: 2 * speed for format_, speed in speeds.items()}
    return Rates(write=passes, verify=passes, link=PRIOR_LINK if link is None else link, load=PRIOR_LOAD, loads=loads)


def narrowed(rates: Rates, formats: Collection[str]) -> Rates:
    """Only what these formats need: rates of every drive are kept with every stored plan."""

    def narrow(each: Mapping[str, float]) -> dict[str, float]:
        return {format_: value for format_, value in each.items() if format_ in formats}

    return replace(rates, write=narrow(rates.write), verify=narrow(rates.verify), loads=narrow(rates.loads))


def disc_seconds(rates: Rates, size: int, format: str) -> float:
    """How long one verified disc occupies its drive."""
    return fixed_seconds(rates, format) + data_seconds(rates, size, format, verify=True)


def fixed_seconds(rates: Rates, format: str) -> float:
    """What each disc takes, however little is written on it."""
    return rates.loads.get(format, rates.load) + rates.print


def data_seconds(rates: Rates, size: int, format: str, *, verify: bool) -> float:
    """What its bytes take."""
    return size / rates.write[format] + (size / rates.verify[format] if verify else 0.0)


def fetch_seconds(rates: Rates, size: int) -> float:
    return size / rates.link


def job_seconds(rates: Rates, size: int, format: str, copies: int, *, cached: bool = False) -> float:
    """How long a whole job takes one drive: its image fetched once, its discs one after the other."""
    return (0.0 if cached else fetch_seconds(rates, size)) + copies * disc_seconds(rates, size, format)


def timed_disc(rates: Rates, size: int, format: str, took: float, *, verify: bool) -> tuple[Kind, float] | None:
    """What a finished disc teaches, and its ratio to the *prior*; None if it was not timed rightly.

    A disc whose bytes take longer than its fixed part teaches the speed, a smaller one the fixed part. rates: those
    that its drive is reckoned with now, so that the other part is taken off as well as it is known.
    """
    if took <= 0:
        return None  # a clock that jumped
    fixed, data = fixed_seconds(rates, format), data_seconds(rates, size, format, verify=verify)
    if data >= fixed:
        expected = data_seconds(prior_rates(), size, format, verify=verify)
        return Kind.SPEED, max(took - fixed, took * LEAST_PART) / expected
    return Kind.LOAD, max(took - data, took * LEAST_PART) / PRIOR_LOAD
