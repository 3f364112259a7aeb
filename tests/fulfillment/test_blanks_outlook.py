from __future__ import annotations

import datetime as dt

from devices import blanks
from devices.models import BlankBin
from fulfillment import blanks_outlook, plan_runs, rolling, tick
from tests.scene import Plant, ask_for, make_image


def test_the_outlook_says_until_when_the_blanks_last(plant: Plant) -> None:
    bin_ = BlankBin.objects.create(writer=plant.writer, format="cd", kind="CD-R", bin="d1")
    blanks.load(bin_, 6, by="user:1 Anna", why="opened a spindle", now=plant.now)
    ask_for(10, make_image("long", size=600_000_000))
    tick.run(plant.now)
    rolling.roll(plant.now)
    ((key, until),) = blanks_outlook.outlook(plant.now).items()
    assert key == (plant.writer.pk, "cd")
    assert dt.timedelta(minutes=4) < until - plant.now < dt.timedelta(minutes=10)  # two rounds of about four minutes


def test_without_a_fresh_plan_there_is_no_outlook(plant: Plant) -> None:
    BlankBin.objects.create(writer=plant.writer, format="cd", kind="CD-R", bin="d1", counted=True)
    tick.run(plant.now)
    rolling.roll(plant.now)
    assert blanks_outlook.outlook(plant.now) == {(plant.writer.pk, "cd"): plant.now}
    assert blanks_outlook.outlook(plant.now + plan_runs.FRESH + dt.timedelta(seconds=1)) == {}
