from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.wear import Counted, Level, Limits, judge

COUNTS = st.builds(Counted, st.integers(0, 50), st.integers(0, 50), st.floats(0, 50))
LIMIT = st.none() | st.integers(1, 50)
LIMITS = st.builds(Limits, LIMIT, LIMIT, LIMIT)


@given(COUNTS, LIMITS, LIMITS)
def test_a_drive_is_blocked_by_any_count_that_reached_its_limit_and_by_nothing_else(
    counted: Counted, warn: Limits, block: Limits
) -> None:
    def reached(limits: Limits) -> bool:
        pairs = ((counted.discs, limits.discs), (counted.failures, limits.failures), (counted.hours, limits.hours))
        return any(limit is not None and value >= limit for value, limit in pairs)

    wear = judge(counted, warn, block)
    assert wear.level == (Level.BLOCK if reached(block) else Level.WARN if reached(warn) else Level.FINE)
    assert bool(wear.text) == (wear.level is not Level.FINE)


def test_no_threshold_never_wears_out() -> None:
    assert judge(Counted(10**9, 10**9, 1e9), Limits(), Limits()).level is Level.FINE


def test_every_count_that_reached_its_limit_is_named() -> None:
    wear = judge(Counted(1200, 3, 70.0), Limits(), Limits(discs=1000, hours=60))
    assert wear.text == "1200 discs, 70 hours since its last service (block at 1000 discs, 60 hours)"
