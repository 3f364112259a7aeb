from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.demand import HALF_LIFE, NEVER, asked


def level(*numbers: int) -> float:
    reached = NEVER
    for number in numbers:
        reached = asked(reached, number)
    return reached


def test_asked_for_twice_at_once_is_worth_twice_as_much() -> None:
    assert level(7, 7) - level(7) == pytest.approx(1)


def test_two_writes_ago_half_a_life_are_worth_one_now() -> None:
    assert level(0, 0) == pytest.approx(level(HALF_LIFE))


@given(st.lists(st.integers(0, 50 * HALF_LIFE), min_size=1, max_size=30))
def test_it_is_the_sum_of_what_each_write_is_still_worth(numbers: list[int]) -> None:
    last = max(numbers)
    worth = sum(2 ** ((number - last) / HALF_LIFE) for number in numbers)
    assert level(*sorted(numbers)) - last / HALF_LIFE == pytest.approx(log2(worth))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.randoms())
def test_writes_counted_out_of_their_order_come_to_the_same(numbers: list[int], random: object) -> None:
    shuffled = list(numbers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own random.Random
    assert level(*shuffled) == pytest.approx(level(*numbers))


@given(st.lists(st.integers(0, 10**12), max_size=5), st.integers(0, 10**12))
def test_asking_never_lowers_it(numbers: list[int], number: int) -> None:
    before = level(*numbers)
    assert asked(before, number) >= max(before, number / HALF_LIFE)
