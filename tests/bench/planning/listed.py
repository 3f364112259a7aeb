"""A plain list schedule of a small case, in whole milliseconds: the longest discs first, each where it ends soonest.

It is where CP-SAT begins its search; it is no peer of the planner.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fulfillment.simulation.capacity import disc_seconds
from fulfillment.simulation.workload import Image, Workload, Writer


@dataclass(frozen=True, slots=True)
class Disc:
    writer: Writer
    begins: int
    ends: int


def milliseconds(writer: Writer, image: Image) -> int:
    return round(disc_seconds(writer, image) * 1_000)


def fetch_milliseconds(writer: Writer, image: Image) -> int:
    return round(image.bytes / writer.link_rate * 1_000)


def copies_of(workload: Workload) -> Counter[Image]:
    images = {image.id: image for image in workload.images}
    copies: Counter[Image] = Counter()
    for order in workload.orders:
        for line in order.lines:
            copies[images[line.image]] += line.copies
    return copies


def discs_of(workload: Workload) -> list[tuple[Image, int]]:
    """Each disc that is ordered, as its image and a number."""
    return [(image, number) for image, count in copies_of(workload).items() for number in range(count)]


def listed(workload: Workload, *, fetching: bool) -> dict[tuple[Image, int], Disc]:
    drives = {writer.id: [0] * writer.drives for writer in workload.writers}
    link_free = dict.fromkeys(drives, 0)
    held = {writer.id: dict.fromkeys(writer.cached, 0) for writer in workload.writers}  # image -> since when

    def placed(writer: Writer, image: Image) -> Disc:
        there = held[writer.id].get(image.id) if fetching else 0
        if there is None:
            there = link_free[writer.id] + fetch_milliseconds(writer, image)
        begins = max(min(drives[writer.id]), there)
        return Disc(writer, begins, begins + milliseconds(writer, image))

    plan: dict[tuple[Image, int], Disc] = {}
    for image, number in sorted(discs_of(workload), key=lambda disc: -disc[0].bytes):
        able = [writer for writer in workload.writers if image.format in writer.formats]
        disc = min((placed(writer, image) for writer in able), key=lambda disc: disc.ends)
        own = drives[disc.writer.id]
        own[own.index(min(own))] = disc.ends
        if fetching and image.id not in held[disc.writer.id]:
            link_free[disc.writer.id] += fetch_milliseconds(disc.writer, image)
            held[disc.writer.id][image.id] = link_free[disc.writer.id]
        plan[image, number] = disc
    return plan
