"""Each write is counted once, for eviction to know what is written often."""

from __future__ import annotations

import pytest

from fulfillment import demand, rolling, tick
from fulfillment.models import ImageDemand, LearningMark
from tests.at_once import at_once
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = pytest.mark.postgres


def test_a_write_is_counted_once_however_often_it_is_looked_for(plant: Plant) -> None:
    image = make_image("song")
    ask_for(1, image)
    tick.run(NOW)
    assert [demand.learn_from_writes() for _ in range(2)] == [1, 0]
    row = ImageDemand.objects.get()
    assert row.sha256 == image.sha256
    before = row.level
    ask_for(1, image)
    ask_for(1, make_image("film"))
    tick.run(NOW)
    rolling.run(NOW)
    row.refresh_from_db()
    assert row.level > before
    assert ImageDemand.objects.count() == 2


def test_a_tick_counts_a_bounded_number_and_goes_on_with_the_next(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        ask_for(1, make_image(name))
    tick.run(NOW)
    ImageDemand.objects.all().delete()
    LearningMark.objects.update(write=0)
    monkeypatch.setattr(demand, "AT_ONCE", 2)
    assert [demand.learn_from_writes() for _ in range(3)] == [2, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_count_each_write_once(plant: Plant) -> None:
    ask_for(1, make_image("song"))
    tick.run(NOW)
    ImageDemand.objects.all().delete()
    LearningMark.objects.update(write=0)
    assert sum(at_once(*[demand.learn_from_writes] * 4)) == 1
    assert ImageDemand.objects.count() == 1
