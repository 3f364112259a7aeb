from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.policies import FirstCome, encode_rank, full_rank
from tests.fulfillment.planning.fleets import job

floats = st.floats(allow_nan=False)
ranks = st.lists(floats, min_size=3, max_size=3).map(tuple)


@given(ranks, ranks)
def test_encoded_ranks_sort_as_the_ranks_do(left: tuple[float, ...], right: tuple[float, ...]) -> None:
    assert (encode_rank(left) < encode_rank(right)) == (left < right)
    assert (encode_rank(left) == encode_rank(right)) == (left == right)


def test_a_rank_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        encode_rank((1.0, math.nan))


def test_first_come_is_the_order_of_receipt_and_total() -> None:
    policy = FirstCome()
    early, late = job("early", received_at=1.0, sequence=9), job("late", received_at=2.0, sequence=1)
    twin = job("twin", received_at=1.0, sequence=10)
    assert sorted([late, twin, early], key=lambda each: full_rank(policy, each)) == [early, twin, late]
