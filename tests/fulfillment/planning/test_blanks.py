from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from fulfillment.planning.model import Snapshot
from fulfillment.planning.policies import FirstCome
from fulfillment.planning.projection import project
from tests.fulfillment.planning.fleets import job, snapshots, writer

FIRST_COME = FirstCome()
DISC = 35.0  # seconds: 15 to load, 10 to write and 10 to check 100 MB


def test_blanks_last_until_the_last_of_them_is_begun() -> None:
    fleet = (writer("w", drives=2, cached=("image-a",), blanks={"cd": 5}),)
    projection = project(Snapshot((job("one", copies=6),), fleet), FIRST_COME, 0.0)
    assert projection.blanks_until == {"w": {"cd": 2 * DISC}}


def test_blanks_that_outlast_the_plan_or_are_not_counted_have_no_end() -> None:
    fleet = (writer("many", cached=("image-a",), blanks={"cd": 7}), writer("uncounted", formats=("dvd",)))
    queue = (job("one", copies=6), job("film", format="dvd", copies=50))
    assert project(Snapshot(queue, fleet), FIRST_COME, 0.0).blanks_until == {}


def test_blanks_that_are_all_spoken_for_last_until_the_last_of_those_is_begun() -> None:
    spoken_for = replace(writer("w", blanks={"cd": 0, "dvd": 0}), last_blank_at={"cd": 70.0})
    projection = project(Snapshot((), (spoken_for,)), FIRST_COME, 10.0)
    assert projection.blanks_until == {"w": {"cd": 70.0, "dvd": 10.0}}


@given(snapshots())
def test_an_end_of_blanks_means_that_none_is_left(snapshot: Snapshot) -> None:
    projection = project(snapshot, FIRST_COME, 0.0)
    left = {each.id: each.blanks for each in projection.writers}
    for name, until in projection.blanks_until.items():
        assert all(left[name][format_] == 0 for format_ in until)
    ended = {(name, format_) for name, until in projection.blanks_until.items() for format_ in until}
    assert {(name, format_) for name, blanks in left.items() for format_, count in blanks.items() if not count} == ended
