"""What holds of every policy, of those that come with Spindle and of a user's own; then what each is for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.model import JobView
from fulfillment.planning.policies import BUILT_IN, ByRank, HighPriority, Policy, TardinessCost
from fulfillment.planning.ranks import MOST_NUMBERS, checked_rank, encode_rank, full_rank
from tests.fulfillment.planning.fleets import job

NOW = 10_000.0


class LargeTitlesLast(ByRank):
    """A user's own that inherits."""

    name = "large-titles-last"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (job.bytes > 10**9, job.due or math.inf)


class LatestFirst:
    """A user's own that inherits nothing."""

    name = "latest-first"
    any_order = False

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (-job.received_at,)

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        return [*head[1:], *head[:1]]

    def explain(self, job: JobView) -> str:
        return "The last comes first, and the first of the head last."


EVERY: list[Policy] = [*(made() for made in BUILT_IN.values()), LargeTitlesLast(), LatestFirst()]
every_policy = pytest.mark.parametrize("policy", EVERY, ids=lambda policy: policy.name)


@st.composite
def queues(draw: st.DrawFn) -> list[JobView]:
    """Any small queue, with many equals in it."""
    return [
        replace(
            job(f"job-{number}", received_at=float(draw(st.integers(0, 3))), sequence=number),
            bytes=draw(st.sampled_from([0, 10**6, 10**10])),
            priority=draw(st.integers(0, 1)),
            due=draw(st.sampled_from([None, 0.0, NOW, NOW + 1, NOW + 10**7])),
            work=draw(st.sampled_from([0.0, 0.5, 100.0, 101.0, 111.0, 10**6])),
            put_first=draw(st.sampled_from([0.0, 0.0, 0.0, 5.0, 6.0])),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


def in_order(policy: Policy, jobs: Sequence[JobView]) -> list[JobView]:
    return sorted(jobs, key=lambda each: full_rank(policy, each))


def names(jobs: Sequence[JobView]) -> list[str]:
    return [each.id for each in jobs]


@every_policy
@given(data=st.data(), jobs=queues())
def test_an_order_is_a_permutation_that_does_not_depend_on_the_order_of_the_input(
    policy: Policy, data: st.DataObject, jobs: list[JobView]
) -> None:
    ordered = in_order(policy, jobs)
    assert sorted(names(ordered)) == sorted(names(jobs))
    assert in_order(policy, data.draw(st.permutations(jobs))) == ordered


@every_policy
@given(jobs=queues())
def test_no_two_jobs_are_equal_and_the_row_sorts_as_the_tuple(policy: Policy, jobs: list[JobView]) -> None:
    ranks = [full_rank(policy, each) for each in jobs]
    assert len(set(ranks)) == len(jobs)
    assert sorted(ranks) == sorted(ranks, key=encode_rank)
    assert all(len(encode_rank(rank)) <= 128 for rank in ranks)


@every_policy
@given(jobs=queues())
def test_reorder_gives_the_same_jobs_and_the_same_order_twice(policy: Policy, jobs: list[JobView]) -> None:
    head = in_order(policy, jobs)
    again = policy.reorder(head, NOW)
    assert sorted(names(again)) == sorted(names(head))
    assert policy.reorder(head, NOW) == again


@every_policy
@given(jobs=queues())
def test_ranks_are_few_numbers_and_each_job_is_explained_in_words(policy: Policy, jobs: list[JobView]) -> None:
    for each in jobs:
        assert checked_rank(policy.rank(each)) == policy.rank(each)
        assert policy.explain(each).endswith(".")


@every_policy
@given(jobs=queues())
def test_the_last_one_put_first_stands_first(policy: Policy, jobs: list[JobView]) -> None:
    put = [each.put_first for each in in_order(policy, jobs)]
    assert put == sorted(put, reverse=True)


floats = st.floats(allow_nan=False)
ranks = st.lists(floats, max_size=8).map(tuple)


@given(ranks, ranks)
def test_encoded_ranks_sort_as_the_ranks_do(left: tuple[float, ...], right: tuple[float, ...]) -> None:
    assert (encode_rank(left) < encode_rank(right)) == (left < right)
    assert (encode_rank(left) == encode_rank(right)) == (left == right)


def test_a_rank_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        encode_rank((1.0, math.nan))


@pytest.mark.parametrize(
    ("rank", "said"),
    [
        ((math.nan,), "NaN"),
        ([1.0], "tuple of numbers, and gave list"),
        (None, "gave NoneType"),
        (("soon",), "gave str 'soon' among them"),
        ((1.0,) * (MOST_NUMBERS + 1), "at most 5 numbers, and gave 6"),
        ((10**400,), "too large"),
    ],
)
def test_nonsense_for_a_rank_is_refused_and_named(rank: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked_rank(rank)


NORMAL, HIGH = 0, 1
#         received, due, work, priority
SCENE = {
    "early": (1.0, None, 1000.0, NORMAL),
    "tight": (2.0, NOW + 900, 800.0, NORMAL),
    "roomy": (3.0, NOW + 800, 100.0, NORMAL),
    "urgent": (4.0, NOW + 9000, 105.0, HIGH),
    "urgent too": (5.0, None, 3000.0, HIGH),
}


def scene() -> list[JobView]:
    return [
        replace(job(name, received_at=received), due=due, work=work, priority=priority)
        for name, (received, due, work, priority) in SCENE.items()
    ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("first-come", ["early", "tight", "roomy", "urgent", "urgent too"]),
        ("earliest-due", ["roomy", "tight", "urgent", "early", "urgent too"]),
        ("high-priority", ["urgent", "urgent too", "roomy", "tight", "early"]),
        ("shortest-first", ["roomy", "urgent", "tight", "early", "urgent too"]),
        ("longest-first", ["urgent too", "early", "tight", "roomy", "urgent"]),
        ("promise-slack", ["tight", "roomy", "urgent", "early", "urgent too"]),
        ("tardiness-cost", ["tight", "roomy", "urgent", "early", "urgent too"]),
    ],
)
def test_each_policy_has_its_order(policy: str, expected: list[str]) -> None:
    assert names(in_order(BUILT_IN[policy](), scene())) == expected


def test_times_of_one_step_of_ten_percent_keep_the_order_of_receipt() -> None:
    longer = replace(job("longer", received_at=1.0), work=115.0)
    shorter = replace(job("shorter", received_at=2.0), work=108.0)
    for name in ("shortest-first", "longest-first"):
        assert names(in_order(BUILT_IN[name](), [shorter, longer])) == ["longer", "shorter"]


def test_among_late_jobs_the_short_and_the_dear_come_first() -> None:
    late = [
        replace(job("long"), due=NOW - 1, work=900.0),
        replace(job("short"), due=NOW - 1, work=400.0),
        replace(job("dear"), due=NOW - 1, work=900.0, priority=1),
        replace(job("no date"), work=1.0),
    ]
    assert names(TardinessCost().reorder(late, NOW)) == ["dear", "short", "long", "no date"]


def test_with_time_enough_what_is_due_soonest_comes_first() -> None:
    """So far ahead that the rule's exponential is 0 as a float: its logarithm still tells the two apart."""
    early = [replace(job(name), due=NOW + 10**6 + later, work=60.0) for name, later in (("a", 500), ("b", 0))]
    assert names(TardinessCost().reorder(early, NOW)) == ["b", "a"]


def test_the_dates_of_high_priority_decide_among_equals() -> None:
    one, other = (replace(job(name), due=due, priority=1) for name, due in (("one", 2.0), ("other", 1.0)))
    assert names(in_order(HighPriority(), [one, other])) == ["other", "one"]
