"""The best makespans of small cases that CP-SAT finds in a given time, and what it proves that none can be below.

Times are whole milliseconds to the solver. Arrivals, blanks and outages are left out: all is there at 0.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from ortools.sat.python import cp_model

from fulfillment.simulation.workload import Image, Workload, Writer
from tests.bench.planning.listed import Disc, copies_of, discs_of, fetch_milliseconds, listed, milliseconds

MILLI: Final = 1_000


@dataclass(frozen=True, slots=True)
class Best:
    """Seconds; `proven` where nothing below the makespan is possible."""

    makespan: float
    bound: float
    proven: bool


def split_freely(workload: Workload, seconds: float, *, seed: int = 1) -> Best:
    """Case A: every image is everywhere, and each disc may go to any drive of a writer that writes its format."""
    model, copies = cp_model.CpModel(), copies_of(workload)
    made: dict[Image, list[Any]] = defaultdict(list)
    work: list[tuple[Writer, list[Any]]] = []
    for writer in workload.writers:
        for drive in range(writer.drives):
            loads = []
            for image in (image for image in copies if image.format in writer.formats):
                discs = model.new_int_var(0, copies[image], f"{writer.id} {drive} {image.id}")
                made[image].append(discs)
                loads.append(discs * milliseconds(writer, image))
            work.append((writer, loads))
    longest = model.new_int_var(0, _end(listed(workload, fetching=False)), "makespan")
    for image, count in copies.items():
        model.add(sum(made[image]) == count)
    for _, loads in work:
        model.add(sum(loads) <= longest)
    for (one, loads), (other, following) in pairwise(work):
        if one is other:  # drives of a writer are alike: the busiest first
            model.add(sum(loads) >= sum(following))
    return _solved(model, longest, seconds, seed)


def with_fetches(workload: Workload, seconds: float, *, seed: int = 1) -> Best:
    """Case B: a writer fetches one image at a time, each once, before its first disc there; caches never fill up."""
    model = cp_model.CpModel()
    start = listed(workload, fetching=True)  # a plan to begin with, and no plan need be longer
    horizon = _end(start)
    longest = model.new_int_var(0, horizon, "makespan")
    placed: dict[tuple[Image, int], list[Any]] = defaultdict(list)  # by disc: whether it is at each of the writers
    for writer in workload.writers:
        own = [disc for disc in discs_of(workload) if disc[0].format in writer.formats]
        missing = dict.fromkeys(image for image, _ in own if image.id not in writer.cached)
        fetched = {image: _fetch(model, writer, image, horizon) for image in missing}
        model.add_no_overlap([interval for interval, _, _ in fetched.values()])
        writes, work = [], []
        for disc in own:
            image, took = disc[0], milliseconds(writer, disc[0])
            here = model.new_bool_var("")
            begins = model.new_int_var(0, horizon, "")
            writes.append(model.new_optional_fixed_size_interval_var(begins, took, here, ""))
            work.append(here * took)
            placed[disc].append(here)
            model.add(begins + took <= longest).only_enforce_if(here)
            if image in fetched:
                _, end, present = fetched[image]
                model.add_implication(here, present)
                model.add(begins >= end).only_enforce_if(here)
            planned = start[disc]
            model.add_hint(here, planned.writer is writer)
            model.add_hint(begins, planned.begins if planned.writer is writer else 0)
        model.add_cumulative(writes, [1] * len(writes), writer.drives)
        model.add(sum(work) <= writer.drives * longest)  # follows from the above, and lifts the bound
    for places in placed.values():
        model.add_exactly_one(places)
    return _solved(model, longest, seconds, seed)


def _fetch(model: cp_model.CpModel, writer: Writer, image: Image, horizon: int) -> tuple[Any, Any, Any]:
    took = fetch_milliseconds(writer, image)
    present = model.new_bool_var("")
    begins = model.new_int_var(0, horizon, "")
    return model.new_optional_fixed_size_interval_var(begins, took, present, ""), begins + took, present


def _end(plan: dict[tuple[Image, int], Disc]) -> int:
    return max((disc.ends for disc in plan.values()), default=0)


def _solved(model: cp_model.CpModel, longest: Any, seconds: float, seed: int) -> Best:
    model.minimize(longest)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise RuntimeError(f"CP-SAT found no plan in {seconds} s: {solver.status_name(status)}")
    found, bound = solver.objective_value / MILLI, solver.best_objective_bound / MILLI
    return Best(found, bound, status == cp_model.OPTIMAL)
