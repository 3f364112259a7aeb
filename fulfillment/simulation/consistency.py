"""What the parts of a workload must agree on: names that exist, images that can be held and written, times in order.

Each key by itself has been looked at before (`shapes`). Must change nothing, but for joining outages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from fulfillment.simulation.telling import Path, dotted, quoted, wrong
from fulfillment.simulation.workload import Image, Outage, Workload, Writer


def check(workload: Workload) -> None:
    """Raises a `WorkloadError` for the first thing that does not fit."""
    for part in ("images", "writers", "orders"):
        _check_unique([((part, number, "id"), entry.id) for number, entry in enumerate(getattr(workload, part))])
    images = {image.id: image for image in workload.images}
    writers = {writer.id: writer for writer in workload.writers}
    formats = {image.format for image in workload.images}.union(*(writer.formats for writer in workload.writers))
    for number, writer in enumerate(workload.writers):
        _check_writer(("writers", number), writer, images, formats)
    _check_images(workload.images, workload.writers)
    _check_orders(workload, images)
    _check_refills(workload, writers)
    _check_outages(workload, writers)


def without_overlaps(outages: Sequence[Outage]) -> tuple[Outage, ...]:
    """Outages of a writer that overlap or touch as one, those of no length left out; else as they stand."""
    joined: list[Outage] = []
    outages = [outage for outage in outages if outage.begins < outage.ends]
    for outage in sorted(outages, key=attrgetter("writer", "begins")):
        last = joined[-1] if joined else None
        if last and last.writer == outage.writer and outage.begins <= last.ends:
            joined[-1] = replace(last, ends=max(last.ends, outage.ends))
        else:
            joined.append(outage)
    return tuple(joined if len(joined) < len(outages) else outages)


def _check_unique(names: Iterable[tuple[Path, str]]) -> None:
    first: dict[str, Path] = {}
    for path, name in names:
        if name in first:
            raise wrong(path, f"{quoted(name)} is there already, at {dotted(first[name])}; give another or take it out")
        first[name] = path


def _check_writer(path: Path, writer: Writer, images: Mapping[str, Image], formats: set[str]) -> None:
    _check_unique(((*path, "formats", number), format_) for number, format_ in enumerate(writer.formats))
    _check_unique(((*path, "cached", number), image) for number, image in enumerate(writer.cached))
    for format_ in writer.formats:
        if format_ not in writer.write_rate:
            raise wrong(
                (*path, "write_rate", format_), "is required, as it is one of the writer's formats; add its rate"
            )
    for key in ("write_rate", "verify_rate", "blanks"):
        for format_ in getattr(writer, key):
            if format_ not in formats:  # a misspelt one would leave the right one at its default
                raise wrong((*path, key, format_), f"no image or writer has this format; there are {_listed(formats)}")
    for number, name in enumerate(writer.cached):
        if name not in images:
            raise wrong((*path, "cached", number), f"{quoted(name)} is no image; add it to images or take it out")
    held = sum(images[name].bytes for name in writer.cached)
    if held > writer.cache_bytes:
        raise wrong((*path, "cached"), f"{held} bytes do not fit in cache_bytes, {writer.cache_bytes}; take some out")


def _check_images(images: Iterable[Image], writers: Sequence[Writer]) -> None:
    room: dict[str, int] = {}
    for writer in writers:
        for format_ in writer.formats:
            room[format_] = max(writer.cache_bytes, room.get(format_, 0))
    for number, image in enumerate(images):
        if image.format not in room:
            text = f"no writer writes {quoted(image.format)}; they write {_listed(room)}"
            raise wrong(("images", number, "format"), text)
        if image.bytes > room[image.format]:
            text = f"{image.bytes} is more than any writer of {image.format} can hold; the most is {room[image.format]}"
            raise wrong(("images", number, "bytes"), text)


def _check_orders(workload: Workload, images: Mapping[str, Image]) -> None:
    for number, order in enumerate(workload.orders):
        for place, line in enumerate(order.lines):
            if line.image not in images:
                path = ("orders", number, "lines", place, "image")
                raise wrong(path, f"{quoted(line.image)} is no image; add it to images or order another")


def _check_refills(workload: Workload, writers: Mapping[str, Writer]) -> None:
    for number, refill in enumerate(workload.refills):
        _check_known(("refills", number, "writer"), refill.writer, writers)
        formats = writers[refill.writer].formats
        if refill.format not in formats:
            text = f"{refill.writer} does not write {quoted(refill.format)}; it writes {_listed(formats)}"
            raise wrong(("refills", number, "format"), text)


def _check_outages(workload: Workload, writers: Mapping[str, Writer]) -> None:
    for number, outage in enumerate(workload.outages):
        _check_known(("outages", number, "writer"), outage.writer, writers)
        if outage.ends < outage.begins:
            text = f"must not be before from, {outage.begins:g}, is {outage.ends:g}; exchange them"
            raise wrong(("outages", number, "to"), text)


def _check_known(path: Path, name: str, writers: Mapping[str, Writer]) -> None:
    if name not in writers:
        raise wrong(path, f"{quoted(name)} is no writer; add it to writers or name another")


def _listed(formats: Iterable[str]) -> str:
    return ", ".join(sorted(formats)) or "none"
