"""Whether a run kept to the contract: an independent reading of its events and its result.

Knows the workload's values and what the file format promises, and nothing of how a run is made: it shares no code with
the simulator, so that a mistake there is not made here as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fulfillment.simulation.workload import Image, Order, Workload
from tests.fulfillment.simulation.checked_result import Facts, check_result
from tests.fulfillment.simulation.checked_writer import WriterLog, spans

Event = Mapping[str, Any]
# What each kind of event has besides its time and kind.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "order": ("order",),
    "fetch_start": ("writer", "image"),
    "fetch_end": ("writer", "image"),
    "purge": ("writer", "image"),
    "disc_start": ("writer", "drive", "image"),
    "disc_end": ("writer", "drive", "image", "ok"),
    "refill": ("writer", "format", "count"),
    "outage_start": ("writer",),
    "outage_end": ("writer",),
}


def check(workload: Workload, events: Iterable[Event], result: Mapping[str, Any]) -> list[str]:
    """What breaks the contract, in words; nothing where all is well."""
    run = _Run(workload)
    for number, event in enumerate(events, start=1):
        run.take(number, event)
    run.end()
    return run.told + check_result(workload, run.facts, result)


@dataclass
class _Run:
    workload: Workload
    told: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    now: float = 0.0
    where: str = "before the first event"

    def __post_init__(self) -> None:
        self.images: dict[str, Image] = {image.id: image for image in self.workload.images}
        self.orders: dict[str, Order] = {order.id: order for order in self.workload.orders}
        self.arrived: set[str] = set()
        self.wanted: Counter[tuple[str, str]] = Counter()
        for order in self.workload.orders:
            for line in order.lines:
                self.wanted[order.id, line.image] += line.copies
        outages = spans(self.workload.outages)
        self.writers = {
            writer.id: WriterLog(
                writer,
                [self.images[name] for name in writer.cached],
                outages.get(writer.id, []),
                self._tell,
                noisy=self.workload.write_time_sigma > 0,
            )
            for writer in self.workload.writers
        }
        self.known: dict[str, set[str]] = {
            "writer": set(self.writers),
            "image": set(self.images),
            "order": set(self.orders),
        }
        self.refills = Counter((one.at, one.writer, one.format, one.count) for one in self.workload.refills)

    def _tell(self, text: str) -> None:
        self.told.append(f"{self.where}: {text}")

    def take(self, number: int, event: Event) -> None:
        self.where = f"event {number} ({event.get('kind')} at {event.get('t')})"
        if not self._well_formed(event):
            return
        if event["t"] < self.now:
            self._tell(f"is after an event at {self.now}: times go back")
        self.now = max(self.now, event["t"])
        kinds: dict[str, Callable[[Event], None]] = {
            "order": self._order,
            "refill": self._refill,
            "disc_end": self._disc_end,
            "fetch_end": self._fetch_end,
        }
        kinds.get(event["kind"], self._of_writer)(event)

    def _well_formed(self, event: Event) -> bool:
        time, keys = event.get("t"), KEYS.get(str(event.get("kind")))
        if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time) or time < 0:
            self._tell("t must be a time from 0 on")
        elif keys is None:
            self._tell("no such kind of event")
        elif missing := [key for key in keys if key not in event]:
            self._tell(f"{', '.join(missing)} is missing")
        else:
            unknown = [key for key in keys if key in self.known and str(event[key]) not in self.known[key]]
            for key in unknown:
                self._tell(f"no such {key} in the workload: {event[key]!r}")
            return not unknown
        return False

    def _order(self, event: Event) -> None:
        order = self.orders[event["order"]]
        if order.id in self.arrived:
            self._tell(f"order {order.id} came before")
        if event["t"] != order.at:
            self._tell(f"order {order.id} comes at {order.at}")
        self.arrived.add(order.id)

    def _refill(self, event: Event) -> None:
        refill = (event["t"], event["writer"], event["format"], event["count"])
        if not self.refills[refill]:
            self._tell("no such refill in the workload at this time")
            return
        self.refills[refill] -= 1
        self.writers[event["writer"]].refill(event["format"], event["count"])

    def _of_writer(self, event: Event) -> None:
        log, now = self.writers[event["writer"]], event["t"]
        match event["kind"]:
            case "fetch_start":
                self.facts.fetches_begun.append(event["image"])
                log.fetch_start(now, self.images[event["image"]])
            case "purge":
                log.purge(self.images[event["image"]])
            case "disc_start":
                log.disc_start(now, event["drive"], self.images[event["image"]])
            case "outage_start":
                log.outage_start(now)
            case "outage_end":
                log.outage_end(now)

    def _fetch_end(self, event: Event) -> None:
        self.facts.fetches_ended.append(event["image"])
        self.writers[event["writer"]].fetch_end(event["t"], self.images[event["image"]])

    def _disc_end(self, event: Event) -> None:
        self.writers[event["writer"]].disc_end(event["t"], event["drive"], self.images[event["image"]], event["ok"])
        self.facts.last_disc_end = event["t"]
        if event["ok"]:
            self.facts.good += 1
            self._give(event)
        else:
            self.facts.bad += 1
            if event.get("order") is not None:
                self._tell("a bad disc is given to an order")

    def _give(self, event: Event) -> None:
        name, image = event.get("order"), event["image"]
        if name not in self.orders:
            self._tell(f"a good disc goes to no order of the workload: {name!r}")
        elif name not in self.arrived:
            self._tell(f"order {name} has not come yet")
        elif self.wanted[name, image] < 1:
            self._tell(f"order {name} wants no more of {image}")
        else:
            self.wanted[name, image] -= 1
            self.facts.done[name] = event["t"]

    def end(self) -> None:
        self.where = "at the end"
        for log in self.writers.values():
            log.end(self.now)
        for (at, writer, format_, count), times in self.refills.items():
            if times > 0 and at < self.now:
                self._tell(f"the refill of {writer} with {count} {format_} at {at} is missing")
        for name in self.orders.keys() - self.arrived:
            self._tell(f"order {name} never came")
        for (name, image), copies in self.wanted.items():
            if copies:
                self._tell(f"order {name} lacks {copies} of {image}")
                self.facts.done.pop(name, None)
