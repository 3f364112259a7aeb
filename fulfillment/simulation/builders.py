"""Parts of which workloads are put together: titles, fleets, demand and arrivals, each a function of its seed.

The same seed gives the same part on every machine. Nothing here knows a preset's name, or reads the clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from fulfillment.simulation.capacity import orders_per_second
from fulfillment.simulation.workload import Image, Line, Order, Writer

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
MEGA: Final = 1_000_000
GIGA: Final = 1_000_000_000

SIZES: Final = {"cd": (50 * MEGA, 700 * MEGA), "dvd": (GIGA, 4_700 * MEGA), "bd": (8 * GIGA, 25 * GIGA)}
# How many copies an order has: chance, least, most. The mean is 4.8.
COPIES: Final = ((0.60, 1, 1), (0.25, 2, 5), (0.12, 6, 19), (0.03, 20, 100))


@dataclass(frozen=True, slots=True)
class Model:
    """A make of writer; rates in MB/s by format."""

    drives: int
    rates: dict[str, float]
    cache_bytes: int


MODELS: Final = (
    Model(1, {"cd": 12.5, "dvd": 18}, 20 * GIGA),
    Model(2, {"cd": 15, "dvd": 25}, 40 * GIGA),
    Model(3, {"cd": 20, "dvd": 35}, 80 * GIGA),
    Model(4, {"cd": 25, "dvd": 45, "bd": 60}, 150 * GIGA),
    Model(6, {"cd": 30, "dvd": 60, "bd": 85}, 250 * GIGA),
    Model(8, {"cd": 40, "dvd": 80, "bd": 110}, 400 * GIGA),
)
EVEN_MODELS: Final = tuple(Model(drives, {"cd": 20, "dvd": 40}, 100 * GIGA) for drives in range(1, 9))


def draws(seed: int, part: str) -> random.Random:
    """One stream for each part, so that a change of one leaves the others as they were."""
    return random.Random(f"{seed}/{part}")  # noqa: S311 - workloads are to be repeatable, not secret


def titles(seed: int, count: int = 1_000, *, mix: dict[str, float] | None = None) -> tuple[Image, ...]:
    """Images, the most wanted first. `mix`: parts by format (CD 40, DVD 50, BD 10)."""
    mix = mix or {"cd": 40, "dvd": 50, "bd": 10}
    draw = draws(seed, "titles")
    formats = draw.choices(list(mix), list(mix.values()), k=count)
    return tuple(
        Image(f"t{number:04}", draw.randint(*SIZES[format_]), format_)
        for number, format_ in enumerate(formats, start=1)
    )


def zipf(count: int, exponent: float = 1.0) -> list[float]:
    """How much each of `count` titles is wanted, the most wanted first."""
    return [rank**-exponent for rank in range(1, count + 1)]


def fleet(
    seed: int, count: int = 100, *, models: Sequence[Model] = MODELS, spread: float = 0.2, single_every: int = 12
) -> tuple[Writer, ...]:
    """Writers of the models in turn, rates ± `spread` per writer; every `single_every`th writes one format."""
    draw = draws(seed, "fleet")
    writers = []
    for number in range(1, count + 1):
        model = models[(number - 1) % len(models)]
        formats = tuple(model.rates)
        factor = draw.uniform(1 - spread, 1 + spread)
        if single_every and number % single_every == single_every // 2:
            formats = (draw.choice(("cd", "dvd")),)
        rates = {format_: model.rates[format_] * MEGA * factor for format_ in formats}
        writers.append(
            Writer(f"w{number:03}", model.drives, formats, rates, dict(rates), cache_bytes=model.cache_bytes)
        )
    return tuple(writers)


def warmed(seed: int, writer: Writer, images: Sequence[Image], part: float = 0.28) -> tuple[str, ...]:
    """Images already in this writer's cache: those wanted most more often, until `part` of its bytes are filled."""
    draw = draws(seed, f"cache of {writer.id}")
    room = part * writer.cache_bytes
    chosen: list[str] = []
    # The order of a weighted draw without putting back: exponential times, each at its own rate.
    for image in sorted(images, key=_wanted_soonest(draw, images)):
        if image.format in writer.formats and image.bytes <= room:
            chosen.append(image.id)
            room -= image.bytes
    return tuple(chosen)


def _wanted_soonest(draw: random.Random, images: Sequence[Image]) -> Callable[[Image], float]:
    times = {image.id: draw.expovariate(weight) for image, weight in zip(images, zipf(len(images)), strict=True)}
    return lambda image: times[image.id]


def demand(seed: int, images: Sequence[Image], count: int, *, two_lines: float = 0.05) -> list[tuple[Line, ...]]:
    """What each of `count` orders asks for: one line mostly, a second one with the chance `two_lines`."""
    draw = draws(seed, "demand")
    summed = list(accumulate(zipf(len(images))))
    orders = []
    for _ in range(count):
        lines = 2 if draw.random() < two_lines else 1
        wanted = dict.fromkeys(image.id for image in draw.choices(images, cum_weights=summed, k=lines))
        orders.append(tuple(Line(image, _copies(draw)) for image in wanted))
    return orders


def _copies(draw: random.Random) -> int:
    _, least, most = draw.choices(COPIES, [chance for chance, _, _ in COPIES])[0]
    return draw.randint(least, most)


def arrivals(
    seed: int,
    lines: Sequence[Sequence[Line]],
    *,
    images: Sequence[Image],
    writers: Sequence[Writer],
    load: float = 1.0,
    wave: float = 0.0,
    due: tuple[float, float] = (0.5, 8.0),
) -> tuple[Order, ...]:
    """Orders that come in as a Poisson process, due `due` hours (uniform) after they came.

    The rate is `load` × `capacity.orders_per_second`. With `wave` (0 to 1) it swings by that part around its mean,
    once a day, least at first.
    """
    draw = draws(seed, "arrivals")
    rate = load * orders_per_second(writers, images, lines)
    orders, expected = [], 0.0
    for number, wanted in enumerate(lines, start=1):
        expected += draw.expovariate(1.0) / rate
        at = _in_waves(expected, wave)
        orders.append(Order(f"o{number:05}", at, tuple(wanted), at + draw.uniform(*due) * HOUR))
    return tuple(orders)


def at_once(seed: int, lines: Sequence[Sequence[Line]], due: tuple[float, float] = (0.5, 8.0)) -> tuple[Order, ...]:
    """The same orders, all there at 0."""
    draw = draws(seed, "arrivals")
    return tuple(
        Order(f"o{number:05}", 0.0, tuple(wanted), draw.uniform(*due) * HOUR)
        for number, wanted in enumerate(lines, start=1)
    )


def _in_waves(steady: float, wave: float) -> float:
    """When as much has come in waves as comes steadily until `steady`: t − wave × sin(turn × t) / turn = steady."""
    turn = 2 * math.pi / DAY
    low, high = steady - 1 / turn, steady + 1 / turn
    if wave == 0:
        return steady
    for _ in range(60):
        middle = (low + high) / 2
        if middle - wave * math.sin(turn * middle) / turn < steady:
            low = middle
        else:
            high = middle
    return max(0.0, high)
