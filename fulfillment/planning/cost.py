"""Seconds to fetch, load, write, verify and print. Pure arithmetic over rates."""

from __future__ import annotations

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


def prior_rates() -> Rates:
    return Rates(write=PRIOR_WRITE, verify=PRIOR_WRITE, link=PRIOR_LINK, load=PRIOR_LOAD)


def disc_seconds(rates: Rates, size: int, format: str) -> float:
    """How long one verified disc occupies its drive."""
    return rates.load + size / rates.write[format] + size / rates.verify[format] + rates.print


def fetch_seconds(rates: Rates, size: int) -> float:
    return size / rates.link
