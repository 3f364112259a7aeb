"""Good discs that nobody wants any more: found without a look at all that were ever made, and given before any is
written."""

from __future__ import annotations

import importlib
from datetime import datetime

import pytest
from django.apps import apps
from django.db import connection

from devices.agent import wire
from devices.models import Disc
from fulfillment import allocation, progress, tick
from fulfillment.models import Allocation, Job
from tests.scene import Plant, ask_for, make_image

pytestmark = pytest.mark.postgres


def test_stock_is_used_before_anything_is_written(plant: Plant) -> None:
    first = ask_for(2)
    plant.turn()
    Job.objects.filter(pk=first.pk).update(state=Job.State.CANCELLED)
    plant.make_all()
    assert not Allocation.objects.exclude(job=None).exists()
    second = ask_for(1)
    plant.turn()
    second.refresh_from_db()
    assert second.state == Job.State.MADE
    assert Disc.objects.count() == 2


def test_only_jobs_that_need_stock_are_asked_and_no_more_than_there_is_for(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_image()
    ask_for(1, image)
    plant.turn()  # it is being written, and needs nothing
    given_up = ask_for(1, image)
    plant.turn()
    Job.objects.filter(pk=given_up.pk).update(state=Job.State.CANCELLED)
    plant.agent.set_disc(
        given_up.shares.get().write.discs.get().serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST
    )
    plant.report()
    progress.read_writes(plant.now)
    wanting = [ask_for(1, image) for _ in range(3)]
    asked: list[Job] = []
    give = progress._give_stock

    def watched(job: Job, now: datetime) -> None:
        asked.append(job)
        give(job, now)

    monkeypatch.setattr(progress, "_give_stock", watched)
    progress.use_stock(plant.now)
    first = min(wanting, key=lambda job: job.rank)
    assert asked == [first]
    assert first.allocations.count() == 1


def test_a_console_copy_is_nobodys_stock(plant: Plant) -> None:
    job = ask_for(1)
    plant.make_all()
    disc = job.allocations.get().disc
    Allocation.objects.all().delete()
    disc.write.shares.all().delete()
    other = ask_for(1)
    plant.turn()
    other.refresh_from_db()
    assert other.state == Job.State.WRITING


def left_over(plant: Plant, image: str = "image-a") -> Disc:
    job = ask_for(1, make_image(image))
    plant.turn()
    disc = job.shares.get().write.discs.get()
    Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED)
    plant.make_all()
    return disc


def test_what_is_left_over_lies_in_stock_and_is_put_there_once(plant: Plant) -> None:
    disc = left_over(plant)
    assert list(allocation.stock()) == [disc]
    write = disc.write
    written = allocation.read_written([write])
    Allocation.objects.all().delete()
    raced = allocation.read_written([write])
    allocation.allocate_write(write, written, plant.now)
    allocation.allocate_write(write, raced, plant.now)
    allocation.allocate_write(write, raced, plant.now)
    assert list(allocation.stock()) == [disc]


def test_a_disc_that_somebody_took_from_stock_is_not_taken_again(plant: Plant) -> None:
    disc = left_over(plant)
    first, second = ask_for(1), ask_for(1)
    assert allocation._give(first, [disc], plant.now, in_stock=True) == 1
    with pytest.raises(allocation.Overtaken):
        allocation._give(second, [disc], plant.now, in_stock=True)
    assert Allocation.objects.get().job_id == first.pk
    second.refresh_from_db()
    assert second.revision == 1, "nothing of it stays"


def test_stock_is_looked_for_among_what_lies_there_alone(plant: Plant) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table of one row whole, and is right")
    left_over(plant)
    how = allocation.stock().explain()
    assert "SEARCH fulfillment_allocation USING INDEX" in how
    assert "SCAN" not in how


def test_a_job_that_changed_since_it_was_read_is_left_to_the_next_turn(plant: Plant) -> None:
    job = ask_for(1)
    plant.turn()
    plant.agent.make_all()
    plant.report()
    write = job.shares.get().write
    written = allocation.read_written([write])
    Job.objects.filter(pk=job.pk).update(revision=99)
    with pytest.raises(allocation.Overtaken):
        allocation.allocate_write(write, written, plant.now)
    assert not Allocation.objects.exists()
    tick.run(plant.now)
    assert job.allocations.count() == 1


def test_discs_left_over_before_stock_was_kept_are_put_there(plant: Plant) -> None:
    disc = left_over(plant)
    given = ask_for(1)
    plant.make_all()
    assert given.allocations.get().disc == disc
    other = left_over(plant, "another")
    Allocation.objects.filter(job=None).delete()
    migration = importlib.import_module("fulfillment.migrations.0007_stock")
    migration.put_in_stock(apps, None)
    assert list(allocation.stock()) == [other]
