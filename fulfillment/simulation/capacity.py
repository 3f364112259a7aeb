"""What a fleet can make of a mix of orders at best, fetching aside: the measure of a workload's load.

Pure arithmetic. It is a yardstick for workloads; the planner must never lean on it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fulfillment.simulation.workload import Image, Line, Writer

PASSES: Final = 600  # brings the reference fleet within 0.1 % of the linear programme's value


def disc_seconds(writer: Writer, image: Image) -> float:
    """How long one disc takes a drive of this writer, on average over noise."""
    verify = image.bytes / writer.verify_rate[image.format] if writer.verify else 0.0
    return writer.load_s + image.bytes / writer.write_rate[image.format] + verify + writer.print_s


def orders_per_second(writers: Sequence[Writer], images: Iterable[Image], orders: Sequence[Sequence[Line]]) -> float:
    """The most of such orders that the fleet makes in a second, on and on.

    Discs are spread fractionally over the writers that write their format; a disc of a format takes a writer the mean
    over all discs ordered of that format. So each writer has a rate for each format, and what is sought is the best
    division of its time: max t, where each format f is made at t × (discs of f an order has).
    By duality t is the least value of sum over writers of max over formats of price × rate, for prices that an average
    order costs 1 at. The prices are found by exponentiated gradient descent: a format made in excess gets cheaper.
    """
    demand = _discs_of_each_size(images, orders)
    needed = {format_: sum(sizes.values()) / len(orders) for format_, sizes in demand.items()}
    yields = [_rates(writer, demand, needed) for writer in writers]
    share = dict.fromkeys(needed, 1 / len(needed))  # price × what an order needs of the format
    best = math.inf
    for number in range(1, PASSES + 1):
        made = dict.fromkeys(needed, 0.0)
        for rates in yields:
            if rates:
                format_ = max(rates, key=lambda format_: (share[format_] * rates[format_], format_))
                made[format_] += rates[format_]
        best = min(best, sum(share[format_] * made[format_] for format_ in made))
        share = _cheaper_where_in_excess(share, made, 1 / math.sqrt(number))
    return best


def _discs_of_each_size(images: Iterable[Image], orders: Iterable[Sequence[Line]]) -> dict[str, dict[Image, int]]:
    by_id = {image.id: image for image in images}
    demand: dict[str, dict[Image, int]] = defaultdict(lambda: defaultdict(int))
    for line in (line for lines in orders for line in lines):
        image = by_id[line.image]
        demand[image.format][image] += line.copies
    return demand


def _rates(writer: Writer, demand: Mapping[str, Mapping[Image, int]], needed: Mapping[str, float]) -> dict[str, float]:
    """By format: for how many orders a second this writer alone makes the discs of that format."""
    rates = {}
    for format_ in sorted(demand.keys() & set(writer.formats)):
        seconds = sum(disc_seconds(writer, image) * count for image, count in demand[format_].items())
        discs = sum(demand[format_].values())
        rates[format_] = writer.drives * discs / seconds / needed[format_]
    return rates


def _cheaper_where_in_excess(share: Mapping[str, float], made: Mapping[str, float], step: float) -> dict[str, float]:
    most = max(made.values()) or 1.0
    moved = {format_: share[format_] * math.exp(-step * made[format_] / most) for format_ in share}
    total = sum(moved.values())
    return {format_: value / total for format_, value in moved.items()}
