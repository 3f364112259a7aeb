from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.planning.belief import LEVELS
from fulfillment.planning.forecast import Chance
from fulfillment.planning.model import Snapshot
from fulfillment.planning.policies import FirstCome
from fulfillment.planning.projection import project, queue_up, quote
from tests.fulfillment.planning.fleets import job, snapshots, writer

CERTAIN = Chance(sigma=0.0, bad=0.0, again=0.0, level=0.0)


def test_a_quote_queues_behind_all_that_is_projected() -> None:
    fleet = (writer("w", drives=2, cached=("image-a",)),)
    empty = project(Snapshot((), fleet), FirstCome(), 0.0)
    full = project(Snapshot((job("queue", copies=10),), fleet), FirstCome(), 0.0)
    alone, behind = (quote(standing, [job("mine")], 0.0, chance=CERTAIN) for standing in (empty, full))
    assert alone is not None
    assert behind is not None
    assert behind.ready(0.97) == pytest.approx(full.finishes["queue"] + alone.ready(0.97))


@given(snapshots(), st.integers(1, 12))
def test_what_came_since_a_run_counts_as_if_the_run_had_known_it(snapshot: Snapshot, copies: int) -> None:
    """Jobs that nobody can make at all, or whose images are not made, are in nobody's way."""
    came = [job("first", copies=copies), job("second", "image-b")]
    standing = project(Snapshot((), snapshot.writers), FirstCome(), 0.0)
    knowing = standing
    for each in came:
        known = project(Snapshot((each,), knowing.writers), FirstCome(), 0.0)
        standing, knowing = queue_up(standing, [each], 0.0), known
        assert standing.writers == known.writers
    mine = quote(standing, [job("mine")], 0.0, chance=CERTAIN)
    assert mine == quote(replace(knowing, ahead=standing.ahead), [job("mine")], 0.0, chance=CERTAIN)


def test_what_came_since_a_run_makes_a_quote_later_and_less_certain() -> None:
    standing = project(Snapshot((), (writer("w", drives=2, cached=("image-a",)),)), FirstCome(), 0.0)
    whole = project(Snapshot((job("flash", copies=50),), standing.writers), FirstCome(), 0.0)
    since = queue_up(standing, [job("flash", copies=50)], 0.0)
    mine, known, unknown = (quote(each, [job("mine")], 0.0) for each in (since, whole, standing))
    assert mine is not None
    assert unknown is not None
    assert mine == known
    assert mine.ready(0.5) > 10 * unknown.ready(0.5)


def test_what_nobody_can_write_gets_no_date() -> None:
    standing = project(Snapshot((), (writer("w"),)), FirstCome(), 0.0)
    assert quote(standing, [job("film", format="bd")], 0.0) is None
    assert quote(standing, [], 0.0) is None


@given(snapshots(), st.integers(1, 5))
def test_more_copies_are_not_quoted_sooner_by_a_disc(snapshot: Snapshot, copies: int) -> None:
    """By less they may: each disc goes where it is done first, and one disc more may make a better fit of all."""
    standing = project(snapshot, FirstCome(), 0.0)
    fewer = quote(standing, [job("mine", copies=copies)], 0.0, chance=CERTAIN)
    more = quote(standing, [job("mine", copies=copies + 1)], 0.0, chance=CERTAIN)
    assert more is None or fewer is not None
    if more and fewer:
        assert fewer.ready(0.5) < more.ready(0.5) + more.disc


@pytest.mark.parametrize("drives", [1, 2, 3, 8])
def test_more_copies_are_hardly_ever_quoted_sooner_whatever_chance_adds(drives: int) -> None:
    standing = project(Snapshot((job("queue", copies=7),), (writer("w", drives=drives),)), FirstCome(), 0.0)
    quotes = [quote(standing, [job("mine", copies=copies)], 0.0) for copies in range(1, 40)]
    for level in LEVELS:
        dates = [found.ready(level) for found in quotes if found]
        assert len(dates) == 39
        assert all(later >= 0.95 * sooner for sooner, later in pairwise(dates))


@given(snapshots())
def test_without_chance_each_job_is_ready_when_the_roll_forward_says(snapshot: Snapshot) -> None:
    found = project(snapshot, FirstCome(), 0.0, chance=CERTAIN)
    assert found.forecasts.keys() == found.finishes.keys()
    for name, finish in found.finishes.items():
        for level in LEVELS:
            assert found.forecasts[name].ready(level) == pytest.approx(max(finish, 1.0), abs=0.1)


@given(snapshots())
def test_what_is_behind_more_work_is_less_certain(snapshot: Snapshot) -> None:
    found = project(snapshot, FirstCome(), 0.0)
    for forecast in found.forecasts.values():
        assert forecast.ready(0.5) <= forecast.ready(0.9) <= forecast.ready(0.97)
        assert forecast.doubt >= forecast.chance.level * forecast.start


@pytest.mark.parametrize(("busy_until", "writers"), [(0.0, {"a", "b"}), (900.0, {"a"})])
def test_a_job_is_split_where_drives_are_idle_and_else_goes_whole_to_one_writer(
    busy_until: float, writers: set[str]
) -> None:
    """As the planner does when its turn comes: a drive that will be free some day is no idle one."""
    fleet = tuple(writer(name, drives=2, cached=("image-a",), busy_until=busy_until) for name in "ab")
    found = project(Snapshot((job("one", copies=4),), fleet), FirstCome(), 0.0)
    assert {bar.writer for bar in found.bars} == writers
