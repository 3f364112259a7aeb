"""A person's word on a bin: the ledger takes it once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devices import stocktaking
from devices.intake import NotAccepted
from devices.models import BlankBin
from devices.stocktaking import newest_entry
from tests.at_once import at_once
from tests.devices.conftest import Clock, Plant

WHO = "user:1 anna"


@pytest.fixture
def new_bin(plant: Plant) -> Callable[..., BlankBin]:
    def make(**values: object) -> BlankBin:
        return BlankBin.objects.create(writer=plant.writer, format="cd", kind="CD-R", bin="A", **values)

    return make


def put_in(bin_: BlankBin, number: int, seen: int, clock: Clock) -> bool:
    return stocktaking.put_in(bin_, number, seen=seen, by=WHO, why="a spindle", now=clock.now)


def count(bin_: BlankBin, number: int, clock: Clock) -> int:
    return stocktaking.count(bin_, number, by=WHO, why="counted", now=clock.now)


def test_the_same_word_again_counts_once(new_bin: Callable[..., BlankBin], clock: Clock) -> None:
    bin_ = new_bin()
    seen = newest_entry(bin_)
    assert [put_in(bin_, 50, seen, clock) for _ in range(3)] == [True, False, False]
    bin_.refresh_from_db()
    assert (bin_.remaining, bin_.entries.count()) == (50, 1)


def test_a_second_spindle_counts_once_its_author_has_seen_the_first(
    new_bin: Callable[..., BlankBin], clock: Clock
) -> None:
    bin_ = new_bin()
    assert put_in(bin_, 50, newest_entry(bin_), clock)
    assert put_in(bin_, 50, newest_entry(bin_), clock)
    assert stocktaking.put_in(bin_, 50, seen=0, by="user:2 bert", why="", now=clock.now), "another person's word"
    bin_.refresh_from_db()
    assert bin_.remaining == 150


def test_a_count_corrects_the_ledger_by_what_it_was_wrong(new_bin: Callable[..., BlankBin], clock: Clock) -> None:
    bin_ = new_bin(counted=True, loaded=100, started=12)
    assert [count(bin_, 80, clock), count(bin_, 80, clock), count(bin_, 88, clock)] == [-8, 0, 8]
    bin_.refresh_from_db()
    assert (bin_.remaining, bin_.loaded, bin_.adjusted) == (88, 100, 0)
    assert list(bin_.entries.values_list("column", "change")) == [("adjusted", 8), ("adjusted", -8)]


def test_counting_begins_with_the_first_count(new_bin: Callable[..., BlankBin], clock: Clock) -> None:
    """Discs were written before anybody counted: they are not taken off what is there now."""
    bin_ = new_bin(counted=False, started=12)
    count(bin_, 40, clock)
    bin_.refresh_from_db()
    assert (bin_.counted, bin_.remaining) == (True, 40)


def test_a_machine_that_counts_is_believed(new_bin: Callable[..., BlankBin], clock: Clock) -> None:
    bin_ = new_bin(counted=True, by_machine=True, loaded=10)
    with pytest.raises(NotAccepted, match="counts its blanks itself"):
        put_in(bin_, 5, 0, clock)
    with pytest.raises(NotAccepted, match="counts its blanks itself"):
        count(bin_, 5, clock)
    assert bin_.entries.count() == 0


@pytest.mark.parametrize("number", [0, -1, 100_001])
def test_numbers_that_no_bin_holds_are_refused(new_bin: Callable[..., BlankBin], clock: Clock, number: int) -> None:
    with pytest.raises(NotAccepted) as refused:
        put_in(new_bin(), number, 0, clock)
    assert refused.value.field == "number"


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_pressed_six_times_at_once_it_counts_once(new_bin: Callable[..., BlankBin], clock: Clock) -> None:
    bin_ = new_bin()
    said = at_once(*[lambda: put_in(BlankBin.objects.get(), 50, 0, clock)] * 6)
    bin_.refresh_from_db()
    assert (sorted(said), bin_.remaining, bin_.entries.count()) == ([False] * 5 + [True], 50, 1)
