"""Workload files: JSON to values and back.

Everything that is wrong with a file is told here, before a run begins, by a `WorkloadError` that names the key.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

from pydantic import ValidationError

from fulfillment.simulation.consistency import check, without_overlaps
from fulfillment.simulation.shapes import File, OrderEntry, WriterEntry
from fulfillment.simulation.telling import Path, WorkloadError, quoted, translated, wrong
from fulfillment.simulation.workload import Image, Line, Order, Outage, Refill, Workload, Writer

__all__ = ["WorkloadError", "dump", "read"]


def read(text: str | bytes) -> Workload:
    """The workload that a file holds. Outages of a writer that overlap or touch become one."""
    parsed = _parsed(text)
    try:
        file = File.model_validate(parsed)
    except ValidationError as error:
        raise translated(error) from error
    for path in _given_twice(parsed, ()):
        raise wrong(path, "is there twice; keep one")
    workload = _values(file)
    check(workload)
    return replace(workload, outages=without_overlaps(workload.outages))


class _Object(dict[str, Any]):
    """A JSON object that still knows which of its keys were given more than once: JSON would let the last one win."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(pairs) > len(self) else {}
        self.twice = [key for key, count in counts.items() if count > 1]


def _parsed(text: str | bytes) -> object:
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        return json.loads(decoded.removeprefix("\ufeff"), object_pairs_hook=_Object)
    except UnicodeDecodeError as error:
        raise wrong((), f"must be UTF-8, is not at byte {error.start}; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise wrong((), f"must be JSON; line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise wrong((), "is nested too deep for a workload; see the keys that it may have") from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise wrong((), "has a whole number of thousands of digits; write a smaller one") from error


def _given_twice(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, _Object):
        yield from ((*path, key) for key in value.twice)
        for key, inner in value.items():
            yield from _given_twice(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _given_twice(inner, (*path, number))


def _values(file: File) -> Workload:
    return Workload(
        images=tuple(Image(image.id, image.bytes, image.format) for image in file.images),
        writers=tuple(_writer(writer) for writer in file.writers),
        orders=tuple(_order(order) for order in file.orders),
        refills=tuple(Refill(refill.writer, refill.format, refill.at, refill.count) for refill in file.refills),
        outages=tuple(Outage(outage.writer, outage.begins, outage.ends) for outage in file.outages),
        write_time_sigma=file.noise.write_time_sigma,
        zone=_zone(file.zone),
        start=_start(file.start),
    )


def _writer(entry: WriterEntry) -> Writer:
    return Writer(
        id=entry.id,
        drives=entry.drives,
        formats=tuple(entry.formats),
        write_rate=entry.write_rate,
        verify_rate={**entry.write_rate, **entry.verify_rate},
        verify=entry.verify,
        load_s=entry.load_s,
        print_s=entry.print_s,
        link_rate=entry.link_rate,
        cache_bytes=entry.cache_bytes,
        cached=tuple(entry.cached),
        blanks=entry.blanks,
        bad_disc_probability=entry.bad_disc_probability,
    )


def _order(entry: OrderEntry) -> Order:
    lines = tuple(Line(line.image, line.copies) for line in entry.lines)
    return Order(entry.id, entry.at, lines, entry.due, entry.priority)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise wrong(("zone",), f"must be a zone of the tz database such as Europe/Berlin, is {quoted(name)}")
    return name


def _start(text: str) -> dt.datetime:
    try:
        start = dt.datetime.fromisoformat(text)
        if start.tzinfo is not None:
            return start.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:  # no date, or one that is in no year of UTC
        raise wrong(("start",), f"must be a time such as 2026-01-05T08:00:00Z, is {quoted(text)}") from error
    raise wrong(("start",), f"must say its zone, as 2026-01-05T08:00:00Z does, is {quoted(text)}")


def dump(workload: Workload) -> str:
    """The file that `read` makes this workload of: one image, writer or order a line."""
    lists: dict[str, list[dict[str, Any]]] = {
        "images": [{"id": image.id, "bytes": image.bytes, "format": image.format} for image in workload.images],
        "writers": [_writer_entry(writer) for writer in workload.writers],
        "orders": [_order_entry(order) for order in workload.orders],
        "refills": [
            {"writer": refill.writer, "format": refill.format, "at": refill.at, "count": refill.count}
            for refill in workload.refills
        ],
        "outages": [{"writer": outage.writer, "from": outage.begins, "to": outage.ends} for outage in workload.outages],
    }
    start = workload.start.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    head = {"zone": workload.zone, "start": start, "noise": {"write_time_sigma": workload.write_time_sigma}}
    parts = [f'"{key}": {_json(value)}' for key, value in head.items()]
    parts += [f'"{key}": [{_lines(entries)}]' for key, entries in lists.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(entries: list[dict[str, Any]]) -> str:
    return "\n" + ",\n".join(map(_json, entries)) + "\n" if entries else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _writer_entry(writer: Writer) -> dict[str, Any]:
    return {
        "id": writer.id,
        "drives": writer.drives,
        "formats": writer.formats,
        "write_rate": dict(writer.write_rate),
        "verify": writer.verify,
        "verify_rate": dict(writer.verify_rate),
        "load_s": writer.load_s,
        "print_s": writer.print_s,
        "link_rate": writer.link_rate,
        "cache_bytes": writer.cache_bytes,
        "cached": writer.cached,
        "blanks": dict(writer.blanks),
        "bad_disc_probability": writer.bad_disc_probability,
    }


def _order_entry(order: Order) -> dict[str, Any]:
    lines = [{"image": line.image, "copies": line.copies} for line in order.lines]
    return {"id": order.id, "at": order.at, "lines": lines, "due": order.due, "priority": order.priority}
