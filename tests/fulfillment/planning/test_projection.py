from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.model import Snapshot
from fulfillment.planning.planner import project
from fulfillment.planning.policies import FirstCome
from fulfillment.planning.projection import quote
from tests.fulfillment.planning.fleets import job, snapshots, writer


def test_a_quote_queues_behind_all_that_is_projected() -> None:
    fleet = (writer("w", drives=2, cached=("image-a",)),)
    empty = project(Snapshot((), fleet), FirstCome(), 0.0)
    full = project(Snapshot((job("queue", copies=10),), fleet), FirstCome(), 0.0)
    alone, behind = quote(empty, [job("mine")], 0.0), quote(full, [job("mine")], 0.0)
    assert alone is not None
    assert behind is not None
    assert behind == full.finishes["queue"] + alone


def test_what_nobody_can_write_gets_no_date() -> None:
    standing = project(Snapshot((), (writer("w"),)), FirstCome(), 0.0)
    assert quote(standing, [job("film", format="bd")], 0.0) is None


@given(snapshots(), st.integers(1, 5))
def test_more_copies_are_never_quoted_sooner(snapshot: Snapshot, copies: int) -> None:
    standing = project(snapshot, FirstCome(), 0.0)
    fewer = quote(standing, [job("mine", copies=copies)], 0.0)
    more = quote(standing, [job("mine", copies=copies + 1)], 0.0)
    assert more is None or (fewer is not None and fewer <= more)
