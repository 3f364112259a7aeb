"""What planning reaches, seed by seed: against the LP's bound, next free writer, CP-SAT and Belady."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from fulfillment.planning.policies import EarliestDue, LongestFirst
from fulfillment.simulation import presets
from fulfillment.simulation.engine import Engine
from fulfillment.simulation.result import result
from fulfillment.simulation.workload import Image, Line, Order, Workload, Writer
from tests.bench.measuring import Row
from tests.bench.planning import caching, cpsat, next_free
from tests.bench.planning.lp_bound import makespan_bound

LEAST_SEEDS: Final = 5
CASES: Final = 30
SOLVER_SECONDS: Final = 4.0


def measure(folder: Path, rounds: int) -> list[Row]:
    seeds = range(max(LEAST_SEEDS, rounds) if rounds > 3 else rounds)
    cases = range(CASES if rounds > 3 else 3)
    requests = 100_000 if rounds > 3 else 20_000
    return [*_backlogs(seeds), *_arrivals(seeds), *_small_cases(cases), *_hits(seeds[:3], requests)]


def run(workload: Workload, policy: EarliestDue | LongestFirst, seed: int = 0) -> dict[str, Any]:
    return result(workload, policy.name, seed, Engine(workload, policy, seed).run())


def _backlogs(seeds: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    makes: list[tuple[str, Callable[[int], Workload], float]] = [
        ("like writers", presets.backlog, 1.02),
        ("six models", presets.backlog_reference, 1.04),
    ]
    for name, make, bound in makes:
        worlds = [make(seed) for seed in seeds]
        runs = [run(world, LongestFirst()) for world in worlds]
        bounds = tuple(makespan_bound(world) for world in worlds)
        jobs = [sum(len(order.lines) for order in world.orders) for world in worlds]
        what = f"plan 10,000 orders at once, {name}"
        rows += [
            Row(f"{what}: makespan", "LP bound", tuple(each["makespan"] for each in runs), bounds, bound),
            Row(f"{what}: downloads", "", tuple(float(each["downloads"]) for each in runs), (), 4000.0, "fetches"),
            Row(
                f"{what}: planning a job",
                "",
                tuple(each["tick_seconds"] / count * 1e6 for each, count in zip(runs, jobs, strict=True)),
                (),
                60.0,
                "µs",
            ),
        ]
    return rows


def _arrivals(seeds: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for load, mean, downloads in ((1.0, 0.45, 0.6), (1.2, 0.5, None)):
        worlds = [presets.reference(seed, load=load) for seed in seeds]
        ours = [run(world, EarliestDue()) for world in worlds]
        peers = [next_free.run(world).result for world in worlds]
        what = f"earliest-due at load {load}"
        rows.append(
            Row(f"{what}: mean time to the last disc", "next free", _flows(ours), _flows(peers), mean),
        )
        rows.append(Row(f"{what}: downloads", "next free", _fetches(ours), _fetches(peers), downloads, "fetches"))
        late = tuple(each["late_fraction"] * 100 for each in ours)
        theirs = tuple(each["late_fraction"] * 100 for each in peers)
        if load == 1.0:
            rows.append(Row(f"{what}: late orders", "", late, (), 0.1, "%"))
        rows.append(Row(f"{what}: late orders to its", "next free", late, theirs, None if load == 1.0 else 0.1, "%"))
    return rows


def _flows(runs: Sequence[Any]) -> tuple[float, ...]:
    return tuple(each["flow"]["mean"] for each in runs)


def _fetches(runs: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(each["downloads"]) for each in runs)


def _small_cases(seeds: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for jobs, writers in ((20, 4), (40, 6)):
        cached = [small_case(seed, jobs, writers, fetched=False) for seed in seeds]
        fetched = [small_case(seed, jobs, writers, fetched=True) for seed in seeds]
        name = f"{jobs} jobs on {writers} writers"
        rows += [
            _case(f"{name}, images there", cached, cpsat.split_freely, 1.01),
            _case(f"{name}, images fetched", fetched, cpsat.with_fetches, 1.07),
        ]
    return rows


def _case(what: str, worlds: Sequence[Workload], solve: Callable[..., cpsat.Best], bound: float) -> Row:
    ours = tuple(run(world, LongestFirst())["makespan"] for world in worlds)
    best = tuple(min(mine, solve(world, SOLVER_SECONDS).makespan) for world, mine in zip(worlds, ours, strict=True))
    return Row(f"{what}: makespan", "best known (CP-SAT 4 s, ours)", ours, best, bound)


def _hits(seeds: Sequence[int], requests: int) -> list[Row]:
    rows: list[Row] = []
    peer = "Belady's better rule"
    for what, jumps_every, bound in (("a title jumps every 50 requests", 50, 0.85), ("none jumps", None, None)):
        cases = [caching.compare(seed, requests, jumps_every) for seed in seeds]
        best = tuple(case.best for case in cases)
        for name, hits, its in (
            ("Hits", [case.ours for case in cases], bound),
            ("… of LRU", [case.lru for case in cases], None),
            ("… of LFU", [case.lfu for case in cases], None),
        ):
            rows.append(Row(f"{name}, cache of 5 %, {what}", peer, tuple(hits), best, its, "of 1", at_least=True))
    return rows


def small_case(seed: int, jobs: int, writers: int, *, fetched: bool) -> Workload:
    """Jobs of 1 to 20 copies with their images everywhere, or of one copy with them nowhere."""
    draw = random.Random(f"{seed}/{jobs}/{fetched}")
    images = tuple(
        Image(f"i{number}", draw.randrange(50, 700) * 1_000_000, "cd")
        if draw.random() < 0.5
        else Image(f"i{number}", draw.randrange(1000, 4700) * 1_000_000, "dvd")
        for number in range(jobs)
    )
    names = tuple(image.id for image in images)
    fleet = tuple(_writer(draw, number, () if fetched else names) for number in range(writers))
    orders = tuple(
        Order(f"o{number}", 0.0, (Line(image.id, 1 if fetched else draw.randint(1, 20)),))
        for number, image in enumerate(images)
    )
    return Workload(images, fleet, orders)


def _writer(draw: random.Random, number: int, cached: tuple[str, ...]) -> Writer:
    """The first two write everything, so that every image has a writer."""
    speed = draw.uniform(0.6, 1.5)
    formats = ("cd", "dvd") if number < 2 or draw.random() < 0.7 else (draw.choice(("cd", "dvd")),)
    rates = {format_: speed * rate for format_, rate in (("cd", 5e6), ("dvd", 15e6)) if format_ in formats}
    return Writer(f"w{number}", draw.randint(1, 4), formats, rates, rates, cached=cached)
