"""Where a new order comes in a queue that is not one of receipt, and what orders to come make of its date."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from statistics import fmean, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.forecast import PLACES, Chance, Forecast
from fulfillment.planning.model import Coming, JobView, Projection, Snapshot
from fulfillment.planning.overtaking import Overtakers, coming, overtakes
from fulfillment.planning.policies import BUILT_IN, EarliestDue, FirstCome, HighPriority, Policy
from fulfillment.planning.projection import project, queue_up, quote
from fulfillment.planning.ranks import full_rank
from tests.fulfillment.planning.fleets import job, snapshots, writer

CERTAIN = Chance(sigma=0.0, bad=0.0, again=0.0, level=0.0)
FLEET = (writer("w", drives=2, cached=("image-a",)),)


def due(name: str, at: float | None, copies: int = 1, **also: float) -> JobView:
    return replace(job(name, copies=copies, sequence=999), due=at, **also)  # type: ignore[arg-type]


def queue_of_ten() -> Snapshot:
    return Snapshot(tuple(due(f"job-{number}", 1000.0 * number, copies=4) for number in range(1, 11)), FLEET)


def quoted(standing: Projection, wanted: JobView, policy: Policy | None) -> Forecast:
    found = quote(standing, [wanted], 0.0, chance=CERTAIN, policy=policy)
    assert found is not None
    return found


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_policy_that_looks_at_more_than_receipt_lets_orders_overtake(name: str) -> None:
    assert overtakes(BUILT_IN[name]()) == (name not in {"first-come", "longest-first"})


def test_an_order_is_quoted_behind_what_is_due_before_it_and_nothing_else() -> None:
    standing = project(queue_of_ten(), EarliestDue(), 0.0, chance=CERTAIN)
    alone = quoted(project(Snapshot((), FLEET), EarliestDue(), 0.0, chance=CERTAIN), due("mine", 1.0), EarliestDue())
    first, middle, last = (quoted(standing, due("mine", at), EarliestDue()) for at in (1.0, 5500.0, None))
    assert first.ready(0.9) == pytest.approx(alone.ready(0.9))
    assert middle.ready(0.9) == pytest.approx(standing.finishes["job-5"] + alone.ready(0.9), rel=0.05)
    assert last.ready(0.9) == pytest.approx(standing.finishes["job-10"] + alone.ready(0.9))


def test_without_its_policy_an_order_is_quoted_behind_everything() -> None:
    standing = project(queue_of_ten(), EarliestDue(), 0.0, chance=CERTAIN)
    behind_all, last = quoted(standing, due("mine", 1.0), None), quoted(standing, due("mine", None), EarliestDue())
    assert behind_all == last


def test_of_what_came_since_only_what_ranks_before_an_order_is_in_its_way() -> None:
    policy = EarliestDue()
    standing = project(queue_of_ten(), policy, 0.0)
    mine = due("mine", 450.0)
    alone = quoted(standing, mine, policy)
    for at, is_in_the_way in ((440.0, True), (460.0, False)):
        came = [due("came", at, copies=20, received_at=1.0)]
        found = quote(queue_up(standing, came, 0.0), [mine], 0.0, chance=CERTAIN, policy=policy, came=came)
        assert found is not None
        assert (found.ready(0.5) > alone.ready(0.5) + 100) == is_in_the_way
        assert (found == alone) != is_in_the_way


def test_a_queue_of_receipt_has_no_marks() -> None:
    assert project(queue_of_ten(), FirstCome(), 0.0).marks == ()


@given(snapshots(), st.lists(st.floats(0, 5000), min_size=2, max_size=2))
def test_who_is_due_sooner_is_never_quoted_later(snapshot: Snapshot, dues: list[float]) -> None:
    jobs = tuple(replace(each, due=700.0 * number) for number, each in enumerate(snapshot.jobs))
    standing = project(replace(snapshot, jobs=jobs), EarliestDue(), 0.0, chance=CERTAIN)
    sooner, later = (
        quote(standing, [due("mine", at)], 0.0, chance=CERTAIN, policy=EarliestDue()) for at in sorted(dues)
    )
    assert (sooner is None) == (later is None)
    if sooner and later:
        assert sooner.start <= later.start + 1e-6


def stream(policy: Policy, seconds: float, *works: float, slack: float = 2000.0) -> Coming:
    jobs = tuple(
        replace(job(f"late-{number}", received_at=0.0), due=slack, work=work) for number, work in enumerate(works)
    )
    return Coming(seconds, jobs)


def test_what_is_due_before_anything_that_may_come_is_not_put_off() -> None:
    standing = replace(
        project(queue_of_ten(), EarliestDue(), 0.0, chance=CERTAIN), coming=stream(EarliestDue(), 60.0, 100.0)
    )
    assert quoted(standing, due("mine", 1500.0), EarliestDue()).begins == ()
    assert quoted(standing, due("mine", 9500.0), EarliestDue()).begins != ()


def test_high_priority_to_come_puts_off_all_that_has_none_for_ever() -> None:
    urgent = replace(due("urgent", None), priority=1, work=100.0)
    ahead = Overtakers(Coming(60.0, (urgent,)), HighPriority(), full_rank(HighPriority(), due("mine", 1.0)), 0.0, 1e6)
    assert fmean(ahead.begins(1000.0, 0.0, lambda job: 30.0)) == pytest.approx(2000.0, rel=0.15)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.85])
@pytest.mark.parametrize("slack", [600.0, 3000.0, 1e9])
def test_what_is_foreseen_is_what_comes_of_it_where_orders_really_come(load: float, slack: float) -> None:
    """Beside a queue that is played through. slack: an order to come is due so long after it came."""
    policy, start, mine, works = EarliestDue(), 900.0, 4000.0, (20.0, 40.0, 90.0)
    seconds = fmean(works) / load
    rank = full_rank(policy, due("mine", mine if slack < 1e8 else None))
    expected = stream(policy, seconds, *works, slack=slack if slack < 1e8 else 0.0)
    foreseen = Overtakers(expected, policy, rank, 0.0, 10_000.0).begins(start, 60.0, lambda job: job.work)
    until = mine - slack if slack < 1e8 else 1e9
    played = [_play(Random(seed), start, 60.0, seconds, works, until) for seed in range(3000)]
    really = dict(zip([number / 20 for number in range(1, 20)], quantiles(played, n=20), strict=True))
    assert foreseen[PLACES.index(0.5)] == pytest.approx(really[0.5], rel=0.08)
    assert foreseen[PLACES.index(0.25)] == pytest.approx(really[0.25], rel=0.08)
    assert foreseen[PLACES.index(0.9)] == pytest.approx(really[0.9], rel=0.15)


def _play(draw: Random, start: float, doubt: float, seconds: float, works: tuple[float, ...], until: float) -> float:
    begins, at = max(0.0, draw.gauss(start, doubt)), draw.expovariate(1 / seconds)
    while at < min(begins, until):
        begins += draw.choice(works)
        at += draw.expovariate(1 / seconds)
    return begins


@given(st.floats(1, 20_000), st.floats(0, 2000), st.floats(20, 500), st.lists(st.floats(1, 2000), min_size=1))
def test_a_start_is_put_off_and_never_brought_forward(
    start: float, doubt: float, seconds: float, works: list[float]
) -> None:
    policy = HighPriority()
    urgent = Coming(seconds, tuple(replace(due("urgent", None), priority=1, work=work) for work in works))
    ahead = Overtakers(urgent, policy, full_rank(policy, due("mine", None)), 0.0, 100_000.0)
    begins = ahead.begins(start, doubt, lambda job: job.work)
    undisturbed = Overtakers(urgent, policy, full_rank(policy, due("mine", None)), 0.0, 100_000.0).begins(
        start, doubt, lambda job: 0.0
    )
    assert all(sooner <= later for sooner, later in pairwise(begins))
    assert fmean(begins) >= 0.9 * fmean(undisturbed) - max(works)


def test_jobs_to_come_are_as_many_and_as_large_as_those_of_late() -> None:
    draw = Random(1)
    late = [
        replace(job(str(n), received_at=30.0 * n, sequence=n), work=draw.lognormvariate(5, 1.5)) for n in range(1000)
    ]
    expected = coming(late, 30_000.0)
    assert expected is not None
    assert fmean(job.work for job in expected.jobs) / expected.seconds == pytest.approx(
        sum(job.work for job in late) / 30_000.0
    )


def test_a_handful_of_jobs_says_nothing_of_those_to_come() -> None:
    assert coming([job("one")], 100.0) is None
    assert coming([], 100.0) is None


def test_jobs_that_wait_are_forecast_with_those_that_will_overtake_them() -> None:
    snapshot = queue_of_ten()
    calm = project(snapshot, EarliestDue(), 0.0, chance=CERTAIN)
    busy = project(replace(snapshot, coming=stream(EarliestDue(), 60.0, 60.0)), EarliestDue(), 0.0, chance=CERTAIN)
    assert busy.forecasts["job-1"] == calm.forecasts["job-1"]
    assert busy.forecasts["job-10"].ready(0.5) > calm.forecasts["job-10"].ready(0.5) + 60
    assert busy.finishes == calm.finishes
