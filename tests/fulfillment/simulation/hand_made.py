"""A small run that keeps to the contract, reckoned by hand: two orders, a bad disc, a refill, an outage, a purge.

A disc of the first writer takes 5 s to load, 10 to write, 10 to verify and 5 to print; an image takes 2 s to fetch.
"""

from __future__ import annotations

from typing import Any

from fulfillment.simulation.workload import Image, Line, Order, Outage, Refill, Workload, Writer

Event = dict[str, Any]
W1 = Writer(
    "w1",
    2,
    ("cd",),
    {"cd": 10e6},
    {"cd": 10e6},
    load_s=5,
    print_s=5,
    link_rate=50e6,
    cache_bytes=150_000_000,
    cached=("a",),
    blanks={"cd": 3},
    bad_disc_probability=0.3,
)
W2 = Writer("w2", 1, ("dvd",), {"dvd": 10e6}, {"dvd": 10e6}, cached=("d",))
WORKLOAD = Workload(
    images=(
        Image("a", 100_000_000, "cd"),
        Image("b", 100_000_000, "cd"),
        Image("c", 10_000_000, "cd"),
        Image("d", 100_000_000, "dvd"),
    ),
    writers=(W1, W2),
    orders=(Order("o1", 0, (Line("a", 2),), due=100), Order("o2", 10, (Line("b", 1),), due=60)),
    refills=(Refill("w1", "cd", 50, 10), Refill("w1", "cd", 5_000, 10)),
    outages=(Outage("w1", 61, 71), Outage("w1", 5_000, 6_000)),
)


def order(t: float, name: str) -> Event:
    return {"t": t, "kind": "order", "order": name}


def start(t: float, drive: str, image: str, writer: str = "w1") -> Event:
    return {"t": t, "kind": "disc_start", "writer": writer, "drive": drive, "image": image}


def end(t: float, drive: str, image: str, name: str | None, writer: str = "w1") -> Event:
    """Of a good disc for the order `name`, or of a bad one."""
    told = {"ok": True, "order": name} if name else {"ok": False}
    return {"t": t, "kind": "disc_end", "writer": writer, "drive": drive, "image": image, **told}


def cache(t: float, kind: str, image: str, writer: str = "w1") -> Event:
    return {"t": t, "kind": kind, "writer": writer, "image": image}


def outage(t: float, kind: str, writer: str = "w1") -> Event:
    return {"t": t, "kind": kind, "writer": writer}


def refill(t: float, count: int = 10) -> Event:
    return {"t": t, "kind": "refill", "writer": "w1", "format": "cd", "count": count}


EVENTS: list[Event] = [
    order(0, "o1"),  # 0
    start(0, "d1", "a"),  # 1
    start(0, "d2", "a"),  # 2
    order(10, "o2"),  # 3
    end(30, "d1", "a", "o1"),  # 4
    end(30, "d2", "a", None),  # 5
    start(30, "d1", "a"),  # 6
    refill(50),  # 7
    end(60, "d1", "a", "o1"),  # 8
    cache(60, "purge", "a"),  # 9
    cache(60, "fetch_start", "b"),  # 10
    outage(61, "outage_start"),  # 11
    outage(71, "outage_end"),  # 12
    cache(72, "fetch_end", "b"),  # 13: a second before the outage, and a second after it
    start(72, "d2", "b"),  # 14
    end(102, "d2", "b", "o2"),  # 15
]
NO_PROMISE = {"p50": None, "p90": None, "p97": None}
RESULT: dict[str, Any] = {
    "policy": "by hand",
    "seed": 1,
    "makespan": 102,
    "discs": {"good": 3, "bad": 1},
    "downloads": 1,
    "downloaded_bytes": 100_000_000,
    "orders": [
        {"id": "o1", "at": 0, "done": 60, "late": False, "promise": {"p50": 55, "p90": 65, "p97": 70}},
        {"id": "o2", "at": 10, "done": 102, "late": True, "promise": NO_PROMISE},
    ],
    "flow": {"mean": 76, "p50": 76, "p95": 92},
    "late_fraction": 0.5,
    "ticks": 4,
    "tick_seconds": 0.1,
    "projection_seconds": 0.1,
}
