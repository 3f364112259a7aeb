"""What the console shows of a copy whose writer is silent: nothing old as if it were of now."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Disc, Drive, Writer
from devices.states import DiscState
from fulfillment.console import showing
from fulfillment.fleet.words import moment
from fulfillment.models import Copy
from tests.fulfillment.console.conftest import begin, begun, fresh, from_drive, make, wanted
from tests.scene import Plant

pytestmark = pytest.mark.django_db
HALF_WRITTEN = {"progress": 0.5}


def shown(copy: Copy, now: dt.datetime) -> showing.Shown:
    return showing.show(fresh(copy), now)


def writing(plant: Plant, **more: Any) -> Copy:
    """Two discs; half of the first one is written."""
    copy = begun(wanted(plant, copies=2), plant)
    disc = Disc.objects.order_by("id").first()
    assert disc is not None
    Disc.objects.filter(pk=disc.pk).update(state=DiscState.STARTED, drive="d1")
    Drive.objects.filter(ident="d1").update(serial=disc.serial, **HALF_WRITTEN)
    return copy


def test_rings_of_a_silent_writer_are_not_known_and_it_says_since_when(plant: Plant) -> None:
    copy = writing(plant)
    heard = shown(copy, plant.now)
    assert [(ring.state, ring.percent) for ring in heard.rings] == [("writing", 50), ("waiting", 0)]
    later = plant.now + dt.timedelta(minutes=5)
    silent = shown(copy, later)
    assert [(ring.state, ring.word, ring.percent) for ring in silent.rings] == [("not-known", "not known", 0)] * 2
    said = f"Writer 1 was not heard since {moment(plant.writer.last_seen, later)}."
    assert (silent.line, silent.tone) == (said, "watch")
    assert said in silent.told


def test_a_disc_that_ended_stays_what_it_is_however_silent_its_writer(plant: Plant) -> None:
    copy = begun(wanted(plant), plant)
    make(plant)
    silent = shown(copy, plant.now + dt.timedelta(minutes=5))
    assert ([ring.state for ring in silent.rings], silent.word) == (["good"], "done")
    assert "not heard" not in silent.line


def test_while_a_disc_is_read_its_own_writer_is_asked(plant: Plant, other: Plant) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    Drive.objects.filter(writer=other.writer, ident="s1").update(progress=0.4)
    Writer.objects.filter(pk=other.writer.pk).update(last_seen=plant.now)
    assert shown(copy, plant.now).percent == 40
    Writer.objects.filter(pk=other.writer.pk).update(last_seen=plant.now - dt.timedelta(minutes=5))
    silent = shown(copy, plant.now)
    assert (silent.percent, silent.line.startswith("Writer 2 was not heard since ")) == (None, True)
    Writer.objects.filter(pk=other.writer.pk).update(last_seen=None)
    assert shown(copy, plant.now).line == "Writer 2 was never heard."


def test_a_writer_that_is_heard_and_not_believed_says_why(plant: Plant) -> None:
    copy = writing(plant)
    reason = {"keyword": "second-agent", "text": "Two agents say that they are it.", "since": plant.now.isoformat()}
    Writer.objects.update(reasons=[reason])
    silent = shown(copy, plant.now)
    assert (silent.line, silent.rings[0].state) == ("Writer 1: Two agents say that they are it.", "not-known")


def test_both_pages_say_it(plant: Plant, admin_client: Any) -> None:
    copy = writing(plant)
    Writer.objects.update(last_seen=timezone.now() - dt.timedelta(minutes=5))
    for url in (copy.get_absolute_url(), f"{copy.get_absolute_url()}now/", "/plant/console/going/"):
        page = admin_client.get(url).content.decode()
        assert "Writer 1 was not heard since " in page, url
        assert "not known" in page, url
        assert "50 %" not in page, url
