"""Where a new order would stand in a queue that is not one of receipt, and what orders to come put before it. Pure.

The roll-forward lays jobs in order of rank, so what stands before a rank is the fleet as the jobs up to there leave it:
`Mark`. What comes later and ranks before it is reckoned as a stream like that of late: `Coming`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from math import exp, inf, sqrt
from random import Random
from statistics import fmean
from typing import Final

from fulfillment.planning.forecast import LAW, PLACES, Chance, Forecast
from fulfillment.planning.model import Coming, JobView, Mark, WriterView
from fulfillment.planning.policies import Policy
from fulfillment.planning.ranks import encode_rank, full_rank
from fulfillment.planning.stations import Laid

MARKS: Final = 32  # the queue in so many parts: a new order stands at most one of them too far behind
HORIZON: Final = 4.0  # times the queue, and some hours: what comes later overtakes nobody who waits now
HALVINGS: Final = 10  # of the time in which an order to come may overtake
OF_LATE: Final = 2000  # jobs: a few are very large, and fewer jobs would say as much of these as of the load
LEAST: Final = 20  # … say something of those to come
SAMPLED: Final = 100  # of them stand for all
WAYS: Final = 120
STEPS: Final = 32  # short ones first: what waits for little is soon begun
STRETCH: Final = 4.0  # times the mean: hardly anything begins later

Rank = tuple[float, ...]
Step = tuple[float, float, float]

_PROBE: Final = JobView("probe", "image", 700_000_000, "cd", 1, 0.0, 1, priority=1, due=3600.0, work=300.0)
PROBES: Final = (
    _PROBE,
    replace(_PROBE, priority=0),
    replace(_PROBE, due=None),
    replace(_PROBE, copies=50, work=15_000.0),
    replace(_PROBE, bytes=4_700_000_000, format="dvd"),
)


def overtakes(policy: Policy) -> bool:
    """Whether anything but the receipt decides who comes first. Where any order will do, nothing does."""
    return not policy.any_order and len({policy.rank(probe) for probe in PROBES}) > 1


def rank_of(policy: Policy, job: JobView) -> str:
    return encode_rank(full_rank(policy, job))


def coming(of_late: Sequence[JobView], now: float) -> Coming | None:
    """What the last jobs, in order of receipt, say of those to come; None if they are too few to say anything."""
    seconds = now - of_late[0].received_at if of_late else 0.0
    if len(of_late) < LEAST or seconds <= 0:
        return None
    # Evenly by size, and so often that as much work comes as did.
    by_work = sorted(of_late, key=lambda job: (job.work, job.received_at, job.sequence))
    most = min(SAMPLED, len(by_work))
    chosen = tuple(by_work[int((number + 0.5) * len(by_work) / most)] for number in range(most))
    mean, of_chosen = fmean(job.work for job in of_late), fmean(job.work for job in chosen)
    return Coming(seconds / len(of_late) * (of_chosen / mean if mean else 1.0), chosen)


def marks_of(
    laid: Sequence[Laid],
    policy: Policy,
    writers: Sequence[WriterView],
    ahead: Callable[[float], Mapping[str, float]],
) -> tuple[Mark, ...]:
    """The fleet before some of the jobs were laid on it, in order of rank; none where they were laid in another order.

    ahead: of an instant, by format.
    """
    jobs = list({one.entry.job.id: one.entry.job for one in laid}.values())
    ranks = {job.id: rank_of(policy, job) for job in jobs}
    if any(ranks[one.id] > ranks[other.id] for one, other in pairwise(jobs)):
        return ()
    free = {writer.id: [drive.free_at for drive in writer.drives] for writer in writers}
    each = max(1, sum(len(one.slots) for one in laid) // MARKS)
    marks, discs, last = [], each, ""
    for one in laid:
        job = one.entry.job.id
        if job != last and discs >= each:
            state = tuple(tuple(drives) for drives in free.values())
            marks.append(Mark(ranks[job], state, ahead(min(min(drives, default=inf) for drives in state))))
            discs = 0
        last, discs = job, discs + len(one.slots)
        drives = free[one.station.id]
        for slot in one.slots:
            drives[slot.drive] = slot.finish
    return tuple(marks)


def place(marks: Sequence[Mark], rank: str) -> int:
    """Of the first mark before which all jobs stand that come before the rank; as many as there are: behind all."""
    return bisect_left(marks, rank, key=lambda mark: mark.rank)


class Stream:
    """Jobs to come, and what those of them that overtake a rank make of a forecast."""

    def __init__(
        self,
        expected: Coming,
        policy: Policy,
        writers: Sequence[WriterView],
        left: Sequence[WriterView],
        now: float,
        chance: Chance,
    ) -> None:
        self._expected, self._policy, self._now, self._chance = expected, policy, now, chance
        ends = max((drive.free_at for writer in left for drive in writer.drives), default=now)
        self._horizon = HORIZON * (max(0.0, ends - now) + 3600.0)
        self._by_rank: dict[Rank, Overtakers] = {}
        self._by_place: dict[tuple[str, str], float] = {}
        self._drives = {
            format_: {
                (writer.id, drive.id) for writer in writers for drive in writer.drives if format_ in drive.formats
            }
            for format_ in frozenset[str]().union(*(writer.formats for writer in writers))
        }

    def put_off(self, forecast: Forecast, rank: Rank, format_: str) -> Forecast:
        if rank not in self._by_rank:
            self._by_rank[rank] = Overtakers(self._expected, self._policy, rank, self._now, self._horizon)
        share = 1 / (1 - self._chance.bad)
        begins = self._by_rank[rank].begins(
            forecast.start, forecast.doubt, lambda job: job.work * share * self._part(job.format, format_)
        )
        return replace(forecast, start=begins[len(begins) // 2], begins=begins) if begins else forecast

    def _part(self, of: str, format_: str) -> float:
        """By how much a second of work of one format delays what is of the other: drives take their work together."""
        known = self._by_place.get((of, format_))
        if known is None:
            theirs, ours = self._drives.get(of, set()), self._drives.get(format_, set())
            known = len(theirs & ours) / (len(theirs) * len(ours)) if theirs and ours else 0.0
            self._by_place[of, format_] = known
        return known


class Overtakers:
    """Of the orders to come, those that will stand before a rank, and until when each of them would."""

    def __init__(self, expected: Coming, policy: Policy, rank: Rank, now: float, horizon: float) -> None:
        self._rate = 1 / (expected.seconds * len(expected.jobs))
        found = [(_until(job, policy, rank, now, horizon), job) for job in expected.jobs]
        self._until = sorted([each for each in found if each[0] > 0], key=lambda each: each[0])

    def begins(self, start: float, doubt: float, share: Callable[[JobView], float]) -> tuple[float, ...]:
        """When something begins that would in `start` seconds (give or take `doubt`), at PLACES of its distribution;
        none if nothing overtakes it. share: by how many seconds an order delays it.

        What stands before it grows as orders come, and shrinks by a second each second; it begins where nothing is
        left. That is followed along WAYS ways, on each of which as much comes as chance may bring, in STEPS steps.
        """
        if not self._until or start <= 0:
            return ()
        delays = [(until, share(job)) for until, job in self._until]
        steps = self._steps(delays, STRETCH * self._mean(delays, start))
        ends = sorted(_way(start + doubt * first, steps, rest) for first, rest in _chances())
        return tuple(ends[min(WAYS - 1, round(part * WAYS))] for part in PLACES)

    def _mean(self, delays: Sequence[tuple[float, float]], start: float) -> float:
        """When it begins if what comes is as much as on average: S = start + Σ rate · delay · min(S, until)."""
        slope, fixed, begins = self._rate * sum(delay for _, delay in delays), 0.0, start
        for until, delay in delays:
            if slope < 1 and (begins := (start + fixed) / (1 - slope)) <= until:
                break
            slope, fixed = slope - self._rate * delay, fixed + self._rate * delay * until
            begins = start + fixed
        return begins

    def _steps(self, delays: Sequence[tuple[float, float]], end: float) -> list[Step]:
        """Of each step its length, the mean of what comes in it, and the standard deviation of that."""
        edges = [end * (number / STEPS) ** 2 for number in range(STEPS + 1)]
        steps = []
        for low, high in pairwise(edges):
            there = [(max(0.0, min(high, until) - low), delay) for until, delay in delays]
            mean = self._rate * sum(seconds * delay for seconds, delay in there)
            variance = self._rate * sum(seconds * delay * delay for seconds, delay in there)
            steps.append((high - low, mean, sqrt(variance)))
        return steps


def _way(left: float, steps: Sequence[Step], chances: Sequence[tuple[float, float]]) -> float:
    """left: seconds of work before it."""
    at = 0.0
    if left <= 0:
        return 0.0
    for (seconds, mean, spread), (z, part) in zip(steps, chances, strict=True):
        after = left + mean + spread * z - seconds
        if after <= 0:
            return at + seconds * left / (left - after)
        # Nothing may have been left within the step as well, although something is at its end (a Brownian bridge).
        if spread and part < exp(-2 * left * after / (spread * spread)):
            return at + seconds * left / (left + after)
        at, left = at + seconds, after
    return at + left


@lru_cache
def _chances() -> tuple[tuple[float, tuple[tuple[float, float], ...]], ...]:
    """Of each way: of its start, and of each step. The same for ever, so that a date can be reckoned again.

    So few ways would lean to one side by chance: what starts with, and what comes over all steps, is evenly spread.
    """
    draw = Random(2)  # noqa: S311 -- draws are to be repeatable, not secret
    evenly = [LAW.inv_cdf((way + 0.5) / WAYS) for way in range(WAYS)]
    totals = draw.sample(evenly, WAYS)
    weights = [sqrt(2 * number + 1) / STEPS for number in range(STEPS)]  # of a step's spread; their squares make 1
    ways = []
    for first, total in zip(evenly, totals, strict=True):
        normals = [draw.gauss() for _ in weights]
        off = total - sum(weight * z for weight, z in zip(weights, normals, strict=True))
        steps = tuple((z + off * weight, draw.random()) for z, weight in zip(normals, weights, strict=True))
        ways.append((first, steps))
    return tuple(ways)


def _until(job: JobView, policy: Policy, rank: Rank, now: float, horizon: float) -> float:
    """Seconds from now within which such an order, if it comes, ranks before: the later it comes, the less likely."""

    def is_before(after: float) -> bool:
        by = now + after - job.received_at
        due = None if job.due is None else job.due + by
        return full_rank(policy, replace(job, received_at=job.received_at + by, due=due, put_first=0.0)) < rank

    if not is_before(0.0):
        return 0.0
    if is_before(horizon):
        return horizon
    low, high = 0.0, horizon
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_before(middle) else (low, middle)
    return (low + high) / 2
