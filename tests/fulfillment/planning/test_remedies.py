"""Too few blanks: another writer with enough; else split; else wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given

from fulfillment.planning.model import JobView, Snapshot, Wait, WriterView
from fulfillment.planning.planner import Planner, planner_of
from fulfillment.planning.policies import FirstCome
from fulfillment.planning.stations import Laid
from tests.fulfillment.planning.fleets import MB, job, snapshots, writer


def fast(name: str, blanks: int | None, *, drives: int = 1, busy_until: float = 0.0) -> WriterView:
    """A writer that has the image and needs 35 s for a disc."""
    counted = {} if blanks is None else {"cd": blanks}
    return writer(name, drives, cached=("image-a",), blanks=counted, busy_until=busy_until)


def slow(name: str, blanks: int | None) -> WriterView:
    """One that needs 1 015 s for a disc, and has the image as well."""
    counted = {} if blanks is None else {"cd": blanks}
    return writer(name, cached=("image-a",), blanks=counted, speed=0.2 * MB)


def roll(jobs: Sequence[JobView], fleet: Sequence[WriterView]) -> tuple[Planner, list[Laid], dict[str, Wait]]:
    planner = planner_of(Snapshot(tuple(jobs), tuple(fleet)), FirstCome(), 0.0)
    laid, waits = planner.follow(0.0)
    return planner, laid, waits


def place(one: JobView, *fleet: WriterView) -> tuple[dict[str, int], Wait]:
    _, laid, waits = roll([one], fleet)
    placed: Counter[str] = Counter()
    for each in laid:
        placed[each.station.id] += len(each.slots)
    return dict(placed), waits[one.id]


@pytest.mark.parametrize(
    ("what", "copies", "fleet", "placed", "wait"),
    [
        ("all have enough for their part: split for speed", 6, [fast("a", 3), fast("b", 3)], {"a": 3, "b": 3}, "drive"),
        ("not counted is enough", 6, [fast("a", None), fast("b", 3)], {"a": 3, "b": 3}, "drive"),
        ("one has enough for all: nothing is split", 3, [fast("a", 1), fast("b", 3)], {"b": 3}, "drive"),
        ("though it is done later there", 3, [fast("a", 2), slow("b", 3)], {"b": 3}, "drive"),
        ("two have enough: over these", 4, [fast("a", 1), fast("b", 4), fast("c", 9)], {"b": 2, "c": 2}, "drive"),
        ("nobody has enough alone: split", 5, [fast("a", 2), fast("b", 3)], {"a": 2, "b": 3}, "drive"),
        ("split on slow ones too", 5, [fast("a", 3), slow("b", 2)], {"a": 3, "b": 2}, "drive"),
        ("what is left waits for blanks", 5, [fast("a", 1), fast("b", 2)], {"a": 1, "b": 2}, "blanks"),
        ("no blank at all", 5, [fast("a", 0), fast("b", 0)], {}, "blanks"),
        ("an empty one beside a full one", 2, [fast("a", 0), slow("b", 2)], {"b": 2}, "drive"),
        ("a slow one with too few is not in the way", 4, [fast("a", 4), slow("b", 1)], {"a": 4}, "drive"),
    ],
)
def test_remedies_for_too_few_blanks(
    what: str, copies: int, fleet: list[WriterView], placed: dict[str, int], wait: str
) -> None:
    assert place(job("one", copies=copies), *fleet) == (placed, Wait[wait.upper()]), what


def test_a_writer_where_a_disc_went_wrong_is_used_before_a_job_waits_for_blanks() -> None:
    again = job("again", copies=3, avoid=("bad",))
    assert place(again, fast("bad", 9), fast("other", 3)) == ({"other": 3}, Wait.DRIVE)
    assert place(again, fast("bad", 9), fast("other", 1)) == ({"bad": 2, "other": 1}, Wait.DRIVE)


def test_blanks_that_an_earlier_job_takes_are_not_there_for_a_later_one() -> None:
    queue = [job("first", copies=4), job("second", copies=2, sequence=1), job("third", sequence=2)]
    _, laid, waits = roll(queue, (fast("a", 4), fast("b", 2)))
    assert waits == {"first": Wait.DRIVE, "second": Wait.DRIVE, "third": Wait.BLANKS}
    assert {(each.entry.job.id, each.station.id): len(each.slots) for each in laid} == {
        ("first", "a"): 4,
        ("second", "b"): 2,
    }


@given(snapshots())
def test_a_job_is_short_of_blanks_only_where_all_its_writers_have_none_left(snapshot: Snapshot) -> None:
    planner, laid, waits = roll(snapshot.jobs, snapshot.writers)
    placed: Counter[str] = Counter()
    taken: Counter[tuple[str, str]] = Counter()
    for each in laid:
        placed[each.entry.job.id] += len(each.slots)
        taken[each.station.id, each.entry.job.format] += len(each.slots)
    left = {station.id: station.blanks for station in planner.stations}
    for view in snapshot.writers:
        assert left[view.id] == {name: count - taken[view.id, name] for name, count in view.blanks.items()}
        assert all(count >= 0 for count in left[view.id].values())
    for one in snapshot.jobs:
        able = [each.id for each in snapshot.writers if one.format in each.formats and one.bytes <= (each.disk or inf)]
        if waits[one.id] is Wait.BLANKS:
            assert all(left[name].get(one.format) == 0 for name in able)
        elif able and one.image_ready_at is not None:
            assert placed[one.id] == one.copies


@given(snapshots())
def test_blanks_change_where_a_job_goes_only_to_writers_with_enough_for_all_of_it(snapshot: Snapshot) -> None:
    uncounted = tuple(replace(each, blanks={}) for each in snapshot.writers)
    blanks = {each.id: each.blanks for each in snapshot.writers}
    for one in snapshot.jobs:
        (placed, wait), (as_it_comes, _) = place(one, *snapshot.writers), place(one, *uncounted)
        trusted = {name for name in as_it_comes if name not in one.avoid}
        enough = {name for name, left in blanks.items() if left.get(one.format, one.copies) >= one.copies}
        if wait is not Wait.BLANKS and trusted & enough:
            assert placed == as_it_comes or set(placed) <= enough
