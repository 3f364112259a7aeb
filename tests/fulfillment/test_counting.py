"""What a job's row says of its discs is what the discs say."""

from __future__ import annotations

import datetime as dt
import importlib

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction

from devices.agent import wire
from devices.models import Disc, Write
from fulfillment import counting, progress, rolling, tick
from fulfillment.models import Job
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = pytest.mark.postgres


def sums(*jobs: Job) -> list[tuple[int, int]]:
    """Of each: how many discs are covered, and how many were lost."""
    rows = {row.pk: row for row in Job.objects.filter(pk__in=[job.pk for job in jobs])}
    return [(rows[job.pk].covered, rows[job.pk].lost) for job in jobs]


def counted(*jobs: Job) -> list[tuple[int, int]]:
    counts = counting.count(jobs)
    return [(counts[job.pk].covered, counts[job.pk].lost) for job in jobs]


def finish(plant: Plant, job: Job, state: wire.DiscState) -> None:
    """The first disc of the job's write ends so."""
    disc = Disc.objects.filter(write__shares__job=job, state="planned").order_by("id").first()
    assert disc
    verified = wire.Verified.DIGEST if state == wire.DiscState.GOOD else None
    plant.agent.set_disc(disc.serial, state, **({"verified": verified} if verified else {"reason": "verify-failed"}))
    plant.report()
    tick.run(plant.now)


def test_what_is_given_out_is_covered_and_a_bad_disc_is_wanted_again(plant: Plant) -> None:
    job = ask_for(2)
    assert sums(job) == [(0, 0)]
    tick.run(plant.now)
    assert sums(job) == [(2, 0)]
    plant.turn()
    finish(plant, job, wire.DiscState.BAD)
    assert sums(job) == counted(job)
    assert sums(job)[0][1] == 1, "lost, and given out again in the same turn or the next"
    plant.make_all()
    job.refresh_from_db()
    assert (job.state, job.covered, job.wanting) == ("made", 2, 0)


def test_sums_that_a_fault_left_wrong_are_counted_anew_by_the_roll(plant: Plant) -> None:
    job = ask_for(2)
    tick.run(plant.now)
    Job.objects.filter(pk=job.pk).update(covered=1, lost=7)
    assert rolling.run(plant.now)
    assert sums(job) == [(2, 0)]


def test_sums_stay_right_when_ranks_change_while_a_shared_write_has_lost_a_disc(plant: Plant) -> None:
    first, second = ask_for(1), ask_for(1)
    plant.turn()
    write = Write.objects.get(shares__job=first)
    assert set(write.shares.values_list("job", flat=True)) == {first.pk, second.pk}
    disc = write.discs.order_by("id")[0]
    plant.agent.set_disc(disc.serial, wire.DiscState.BAD, reason="verify-failed")
    plant.report()
    progress.read_writes(plant.now)
    assert sums(first, second) == counted(first, second)
    assert sorted(sums(first, second)) == [(0, 1), (1, 1)], "one disc is left, for whichever came first in the plan"
    ranks = dict(Job.objects.filter(pk__in=[first.pk, second.pk]).values_list("pk", "rank"))
    for job, other in ((first, second), (second, first)):
        Job.objects.filter(pk=job.pk).update(rank=ranks[other.pk])
    assert sums(first, second) == counted(first, second)
    plant.make_all()
    assert sums(first, second) == [(1, 1), (1, 1)]


def test_the_database_lets_nobody_cover_more_than_was_ordered(plant: Plant) -> None:
    job = ask_for(2)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(covered=3)


def test_what_was_under_way_before_sums_were_kept_is_counted_by_the_migration(plant: Plant) -> None:
    shared = [ask_for(1), ask_for(1)]
    later = NOW + dt.timedelta(seconds=1)  # of one instant, any of them might be planned first
    other = ask_for(2, make_image("image-b"), received_at=later)
    waiting = ask_for(1, make_image("image-c"), received_at=later + dt.timedelta(seconds=1))
    for _ in range(3):
        plant.turn()
    finish(plant, shared[0], wire.DiscState.BAD)
    finish(plant, other, wire.DiscState.GOOD)
    jobs = list(Job.objects.filter(state__in=Job.OPEN))
    expected = sums(*jobs)
    assert expected == counted(*jobs)
    assert {job.pk for job in jobs} >= {other.pk, waiting.pk}
    assert any(lost for _, lost in expected)
    Job.objects.update(covered=0, lost=0)
    importlib.import_module("fulfillment.migrations.0008_counted_discs").count(apps, None)
    assert sums(*jobs) == expected
