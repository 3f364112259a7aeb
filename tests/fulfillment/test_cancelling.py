"""A shipment taken back: no new disc for it, and nothing that was made is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devices.agent import wire
from devices.models import Disc, Write
from fulfillment import allocation, intake, operators, papers, progress, tick
from fulfillment.models import Allocation, Job, JobEvent, Paper, Shipment
from tests.at_once import at_once
from tests.scene import NOW, Plant, ask_for, running_plant


@pytest.fixture
def plant(db: None) -> Iterator[Plant]:
    with running_plant() as running:
        yield running


def cancel(job: Job, even_packed: bool = False) -> bool:
    return intake.cancel(job.shipment, actor="test", now=NOW, text="changed their mind", even_packed=even_packed)


def states(job: Job) -> tuple[str, str]:
    job.refresh_from_db()
    return job.state, Shipment.objects.get(pk=job.shipment_id).state


def test_a_shipment_cancelled_as_its_last_disc_is_booked_gets_no_papers(plant: Plant) -> None:
    job = ask_for(1)
    stale = Shipment.objects.get(pk=job.shipment_id)
    assert cancel(job)
    Job.objects.update(state="made")
    progress.finish_shipment(stale, NOW)  # the tick had read it before
    assert not Paper.objects.exists()
    assert states(job)[1] == "cancelled"


def test_a_paper_that_waits_for_a_cancelled_shipment_is_not_printed(plant: Plant) -> None:
    """A printer had begun it when the shipment was cancelled, so cancelling did not end it."""
    job = ask_for(1)
    Paper.objects.create(shipment=job.shipment, kind=Paper.Kind.ADDRESS_LABEL, next_try_at=NOW)
    assert cancel(job)
    Paper.objects.update(state="waiting", attempts=1, reason="")
    assert papers.print_waiting(NOW) == 0
    paper = Paper.objects.get()
    assert (paper.state, paper.reason, paper.path) == ("failed", "The shipment was cancelled.", "")


def test_work_that_was_not_begun_is_never_begun(plant: Plant) -> None:
    job = ask_for(2)
    assert cancel(job)
    assert cancel(job)
    plant.make_all()
    assert states(job) == ("cancelled", "cancelled")
    assert JobEvent.objects.filter(job=job, new="cancelled").count() == 1
    assert not Write.objects.exists()


def test_a_started_disc_is_finished_and_becomes_stock_and_no_other_begins(plant: Plant) -> None:
    job = ask_for(4)
    plant.turn()
    first, second, *_ = Disc.objects.order_by("id")
    plant.agent.set_disc(first.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.agent.set_disc(second.serial, wire.DiscState.STARTED)
    plant.report()
    tick.run(plant.now)
    assert Allocation.objects.filter(job=job).count() == 1
    assert cancel(job)
    plant.turn()
    plant.agent.set_disc(second.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.make_all()
    made = Disc.objects.filter(state="good")
    assert set(made) == {first, second}
    assert set(Disc.objects.exclude(state="good").values_list("state", flat=True)) <= {"cancelled"}
    assert set(allocation.stock()) == {first, second}
    other = ask_for(2)
    plant.make_all()
    assert states(other) == ("made", "ready")
    assert {row.disc for row in other.allocations.select_related("disc")} == {first, second}


def test_a_write_shared_with_another_job_goes_on_for_it(plant: Plant) -> None:
    mine, other = ask_for(1), ask_for(1)
    plant.turn()
    assert Write.objects.get().shares.count() == 2
    cancel(mine)
    plant.make_all()
    assert states(mine) == ("cancelled", "cancelled")
    assert states(other) == ("made", "ready")
    assert Write.objects.get().cancel_requested is False
    assert allocation.stock().count() == 1


def test_a_ready_shipment_gives_its_discs_back_and_prints_nothing(plant: Plant) -> None:
    job = ask_for(2)
    plant.make_all()
    assert states(job) == ("made", "ready")
    assert cancel(job)
    assert states(job) == ("cancelled", "cancelled")
    assert allocation.stock().count() == 2
    assert not Paper.objects.filter(state="waiting").exists()


def test_what_is_packed_is_cancelled_only_when_that_is_said_and_what_left_never(plant: Plant) -> None:
    packed, left = ask_for(1), ask_for(1)
    plant.make_all()
    for job in (packed, left):
        assert operators.pack(Shipment.objects.get(pk=job.shipment_id), "user:1 Anna", NOW)
    assert operators.ship(Shipment.objects.get(pk=left.shipment_id), "user:1 Anna", NOW)
    assert not cancel(packed)
    assert states(packed) == ("made", "packed")
    assert cancel(packed, even_packed=True)
    assert states(packed) == ("cancelled", "cancelled")
    assert not cancel(left, even_packed=True)
    assert states(left) == ("made", "shipped")
    assert allocation.stock().count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_cancelling_against_ticks_leaves_no_disc_that_is_nobodys(plant: Plant) -> None:
    jobs = [ask_for(2) for _ in range(3)]
    plant.turn()
    plant.agent.make_all()
    plant.report()
    calls = [lambda job=job: cancel(job) for job in jobs[:2]]
    at_once(*calls, *[lambda: tick.run(plant.now)] * 3)
    plant.make_all()
    assert [states(job) for job in jobs] == [("cancelled", "cancelled")] * 2 + [("made", "ready")]
    good = Disc.objects.filter(state="good").count()
    assert (Allocation.objects.exclude(job=None).count(), allocation.stock().count()) == (2, good - 2)
    assert not Allocation.objects.filter(job__in=jobs[:2]).exists()
