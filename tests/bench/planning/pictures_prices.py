"""The picture of prices: what a second of each model is worth, and how the bound rises to what is reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final
from unittest.mock import patch

from fulfillment.planning import prices
from fulfillment.planning.model import JobView
from fulfillment.planning.policies import LongestFirst
from fulfillment.planning.queue import Queue
from fulfillment.planning.stations import Station
from fulfillment.simulation import presets
from fulfillment.simulation.builders import HOUR, MODELS
from fulfillment.simulation.engine import Engine
from fulfillment.simulation.units import unit_of
from fulfillment.simulation.workload import Workload
from tests.bench.planning.pictures_svg import WIDTH, line, page, path, rect, text

SEED: Final = 1
ORDERS: Final = 5_000
TOP: Final = 58.0
BOTTOM: Final = TOP + 6 * 32.0
BARS: Final = (128.0, 300.0)  # from a price of 0 to DEAREST
DEAREST: Final = 1.6
CURVE: Final = (408.0, WIDTH - 20.0)
LEAST: Final = 1.0  # hours, where the curve's axis begins
MOST: Final = 2.25


@dataclass(frozen=True, slots=True)
class Learned:
    """`bounds`: hours, after each pass. `by_model`: mean price, 1 over all drives."""

    bounds: tuple[float, ...]
    by_model: tuple[float, ...]


def learned_prices() -> str:
    world = presets.backlog_reference(SEED, orders=ORDERS)
    learned = _learn(world)
    reached = _makespan(world)
    with patch.multiple(prices, PASSES=1, PASSES_AGAIN=1):  # the first pass is made with all prices 1
        unpriced = _makespan(world)
    body = [*_bars(learned), *_curve(learned, reached, unpriced)]
    return page(BOTTOM + 40, "Prices of the six models, and the bound by pass", body)


def _makespan(world: Workload) -> float:
    """Hours that the engine really takes."""
    return Engine(world, LongestFirst(), SEED).run().makespan / HOUR


def _learn(world: Workload) -> Learned:
    images = {image.id: image for image in world.images}
    stations = [unit_of(writer, images).station for writer in world.writers]
    queue = _queue(world)
    bounds = []
    for passes in range(1, prices.PASSES + 1):
        with patch.object(prices, "PASSES", passes):
            bounds.append(prices.learn(queue.waiting, stations).bound / HOUR)
    price = _prices(queue, stations)
    models = len(MODELS)
    return Learned(tuple(bounds), tuple(fmean(price[model::models]) for model in range(models)))


def _queue(world: Workload) -> Queue:
    """All that is ordered, waiting."""
    images = {image.id: image for image in world.images}
    largest: dict[str, int] = {}
    for image in world.images:
        largest[image.format] = max(image.bytes, largest.get(image.format, 0))
    queue = Queue(largest)
    for number, ordered in enumerate(each for order in world.orders for each in order.lines):
        image = images[ordered.image]
        job = JobView(str(number), image.id, image.bytes, image.format, ordered.copies, 0.0, number)
        queue.add(job, (0.0,))
    return queue


def _prices(queue: Queue, stations: Sequence[Station]) -> list[float]:
    """By station, 1 over all drives."""
    learned = prices.learn(queue.waiting, stations).by_station
    price = [learned[station.id] for station in stations]
    drives = [len(station.free) for station in stations]
    mean = sum(value * count for value, count in zip(price, drives, strict=True)) / sum(drives)
    return [value / mean for value in price]


def _bars(learned: Learned) -> Iterator[str]:
    yield text(12, 26, "Price of a drive's second, by model", "bold")
    left, right = BARS
    one = left + (right - left) / DEAREST
    for number, (model, price) in enumerate(zip(MODELS, learned.by_model, strict=True)):
        y = TOP + number * 32
        end = left + (right - left) * price / DEAREST
        drives = f"{model.drives} drive{'s' if model.drives > 1 else ''}"
        yield text(12, y + 11, drives)
        yield text(12, y + 25, f"DVD {model.rates['dvd']:g} MB/s", "faint")
        yield rect(left, y + 3, end - left, 20, "h0")
        yield text(max(end, one) + 8, y + 18, f"{price:.2f}")
    yield line(one, TOP - 8, one, BOTTOM, "dashed")
    yield text(one, BOTTOM + 17, "1 at first", "faint middle")


def _curve(learned: Learned, reached: float, unpriced: float) -> Iterator[str]:
    left, right = CURVE
    yield text(left - 32, 26, "Hours that all discs take", "bold")
    for half in range(int((MOST - LEAST) * 2) + 1):
        hours = LEAST + half / 2
        yield line(left, _y(hours), right, _y(hours))
        yield text(left - 8, _y(hours) + 4, f"{hours:g} h", "faint end")
    for passes in (1, 10, 20, 30):
        yield text(_pass(passes), BOTTOM + 17, str(passes), "faint middle")
    yield text((left + right) / 2, BOTTOM + 34, "pass", "faint middle")
    for hours, words in ((reached, "reached with the learned prices"), (unpriced, "reached with all prices 1")):
        yield line(left, _y(hours), right, _y(hours), "dashed")
        yield text(right, _y(hours) - 6, f"{words}: {hours:.2f} h", "end halo")
    yield path(((_pass(at), _y(hours)) for at, hours in enumerate(learned.bounds, start=1)), "curve")
    yield text(right, _y(learned.bounds[-1]) + 36, f"the bound LB(y): {learned.bounds[-1]:.2f} h", "end halo")


def _pass(number: int) -> float:
    left, right = CURVE
    return left + 8 + (right - left - 8) * (number - 1) / (prices.PASSES - 1)


def _y(hours: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * (hours - LEAST) / (MOST - LEAST)
