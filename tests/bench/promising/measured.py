"""How forecasts hold in worlds whose laws they can't read: coverage, sharpness and error, seed by seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Final

from fulfillment.planning.belief import LEVELS
from fulfillment.simulation.foresight import Foresight
from fulfillment.simulation.result import quantile
from tests.bench.measuring import Row
from tests.bench.promising.oracle import OracleEngine
from tests.bench.promising.worlds import STRESS, UNSCORED, WORLDS, World

OF_BASE: Final = 3  # times as many fleets of the base case as of the others
BLIND_WINDOW: Final = 500  # orders done: the last ones' quantiles are what somebody would say who sees no queue
ON_EACH: Final = (3.0, 2.0, 1.0)  # points that coverage may be off in one world …
IN_STRESS: Final = (5.0, 4.5, 4.0)
OVER_ALL: Final = (0.5, 0.4, 0.2)  # … and over all fleets of the base case
ORACLES: Final = 3  # fleets of the base case in which an oracle is asked, as it costs minutes …
ASKED: Final = 20  # … for so many orders
BASE: Final = next(iter(WORLDS))


@dataclass(frozen=True, slots=True)
class Score:
    """The mean pinball loss of an order in seconds, and the median error of P50 in per cent of what it really took."""

    pinball: float
    error: float


@dataclass(frozen=True, slots=True)
class Held:
    """Of one run: coverage at LEVELS in per cent, our score and that of who sees no queue, and coverage after a change
    of laws (from minute 30 on). `by_oracle`: of the orders that an oracle was asked for, our score and the oracle's."""

    coverage: tuple[float, ...]
    ours: Score
    blind: Score
    p90_after_change: float | None
    by_oracle: tuple[Score, Score] | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    order: str
    at: float
    done: float
    said: tuple[float, ...]
    blind: tuple[float, ...]


def measure(folder: Path, rounds: int) -> list[Row]:
    """A round is one fleet more of each world."""
    seeds = {name: range(1, rounds * (OF_BASE if name == BASE else 1) + 1) for name in WORLDS}
    tasks = [(name, seed) for name in WORLDS for seed in seeds[name]]
    with ProcessPoolExecutor() as pool:
        held = dict(zip(tasks, pool.map(_run, tasks), strict=True))
    rows: list[Row] = []
    for name in WORLDS:
        rows += _rows(name, [held[name, seed] for seed in seeds[name]])
    return rows


def _rows(name: str, runs: Sequence[Held]) -> list[Row]:
    bounds = IN_STRESS if name in STRESS else ON_EACH
    rows = []
    for place, (level, bound) in enumerate(zip(LEVELS, bounds, strict=True)):
        off = tuple(abs(run.coverage[place] - 100 * level) for run in runs)
        rows.append(Row(f"{name}: P{100 * level:.0f} off, worst fleet", "", (max(off),), (), bound, "points"))
        if name == BASE and len(runs) > 1:
            mean = abs(fmean(run.coverage[place] for run in runs) - 100 * level)
            what = f"{name}: P{100 * level:.0f} off, all {len(runs)} fleets"
            rows.append(Row(what, "", (mean,), (), OVER_ALL[place], "points"))
    pinball = tuple(run.ours.pinball / run.blind.pinball for run in runs)
    rows.append(Row(f"{name}: pinball loss", "blind quantile", pinball, (1.0,) * len(runs), 0.35, ""))
    rows.append(Row(f"{name}: error of P50", "", tuple(run.ours.error for run in runs), (), 10.0, "%"))
    if asked := [run.by_oracle for run in runs if run.by_oracle]:
        ours, oracle = ([each[who] for each in asked] for who in (0, 1))
        what = f"of {ASKED * len(asked)} orders"
        rows += [
            Row(f"{name}: pinball loss {what}", "oracle", (_loss(ours),), (_loss(oracle),), 1.1, "s"),
            Row(f"{name}: error of P50 {what}", "oracle", (_error(ours),), (_error(oracle),), None, "%"),
        ]
    if after := tuple(run.p90_after_change for run in runs if run.p90_after_change is not None):
        rows.append(Row(f"{name}: P90 covers from minute 30 on", "", after, (), 85.0, "%", at_least=True))
    return rows


def _run(task: tuple[str, int]) -> Held:
    name, seed = task
    world = WORLDS[name](seed)
    asked = _asked(world) if name == BASE and seed <= ORACLES else frozenset[str]()
    engine = OracleEngine(world, seed, foresight=Foresight(), asked=asked)
    tally = engine.run()
    cases = _cases([(order.id, order.at) for order in world.workload.orders], tally.promised, tally.done)
    return Held(
        coverage=tuple(_coverage(cases, place) for place in range(len(LEVELS))),
        ours=_score(cases),
        blind=_score([replace(case, said=case.blind) for case in cases]),
        p90_after_change=_after(cases, world.changed_at),
        by_oracle=_by_oracle(cases, engine.known) if asked else None,
    )


def _asked(world: World) -> frozenset[str]:
    orders = world.workload.orders
    first, step = UNSCORED, (len(orders) - UNSCORED) // (ASKED + 1)
    return frozenset(order.id for order in orders[first + step :: step][:ASKED])


def _by_oracle(cases: Sequence[_Case], known: Mapping[str, tuple[float, ...]]) -> tuple[Score, Score]:
    asked = [case for case in cases if case.order in known]
    return _score(asked), _score([replace(case, said=known[case.order]) for case in asked])


def _score(cases: Sequence[_Case]) -> Score:
    error = median(abs(case.said[0] - case.done) / (case.done - case.at) for case in cases)
    return Score(fmean(map(_pinball, cases)), 100 * error)


def _loss(scores: Sequence[Score]) -> float:
    return fmean(score.pinball for score in scores)


def _error(scores: Sequence[Score]) -> float:
    return fmean(score.error for score in scores)


def _cases(
    orders: Sequence[tuple[str, float]], promised: dict[str, tuple[float, ...]], done: dict[str, float]
) -> list[_Case]:
    """Each order with what was said of it, and what the quantiles of the orders done by then would have said."""
    ends = sorted((done[order], at) for order, at in orders if order in done)
    waits: deque[float] = deque(maxlen=BLIND_WINDOW)
    cases, ended = [], 0
    for number, (order, at) in enumerate(orders):
        while ended < len(ends) and ends[ended][0] <= at:
            waits.append(ends[ended][0] - ends[ended][1])
            ended += 1
        if number < UNSCORED or order not in promised or order not in done or len(waits) < BLIND_WINDOW // 5:
            continue
        ascending = sorted(waits)
        blind = tuple(at + (quantile(ascending, level) or 0.0) for level in LEVELS)
        cases.append(_Case(order, at, done[order], promised[order], blind))
    return cases


def _coverage(cases: Sequence[_Case], place: int) -> float:
    return 100 * fmean(case.done <= case.said[place] for case in cases)


def _pinball(case: _Case) -> float:
    return sum(
        max(level * (case.done - said), (level - 1) * (case.done - said))
        for level, said in zip(LEVELS, case.said, strict=True)
    )


def _after(cases: Sequence[_Case], changed_at: float | None) -> float | None:
    """Of the orders from half an hour to four hours after the change."""
    if changed_at is None:
        return None
    later = [case for case in cases if changed_at + 1800 <= case.at < changed_at + 4 * 3600]
    return _coverage(later, 1) if later else None
