"""From a job to allocated discs, over rows and the protocol."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices import trouble
from devices.agent import wire
from devices.models import BlankBin, Disc, Trouble, Write, Writer
from fulfillment import allocation, apply, open_jobs, operators, ranking, recalls, rolling, snapshot, tick
from fulfillment.models import Allocation, Job, Paper, PlanRun, Shipment
from fulfillment.planning.planner import plan
from tests.scene import NOW, Plant, ask_for, make_image, running_plant

pytestmark = pytest.mark.postgres


def test_a_job_is_written_allocated_and_its_shipment_ready(plant: Plant) -> None:
    job = ask_for(3)
    plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE
    assert Allocation.objects.filter(job=job, disc__state="good").count() == 3
    assert job.shipment.papers.count() == len(Paper.Kind)
    shipment = Shipment.objects.get(pk=job.shipment_id)
    assert (shipment.state, shipment.ready_at) == (Shipment.State.READY, job.made_at)


def test_every_change_of_a_job_is_in_its_log(plant: Plant) -> None:
    job = ask_for(1)
    plant.make_all()
    assert list(job.events.values_list("old", "new")) == [("", "waiting"), ("waiting", "writing"), ("writing", "made")]


def test_no_more_discs_are_written_than_were_ordered(plant: Plant) -> None:
    ask_for(5)
    ask_for(2)
    plant.make_all()
    plant.make_all()
    assert Disc.objects.count() == 7


def test_jobs_of_one_image_share_a_write(plant: Plant) -> None:
    first, second = ask_for(1), ask_for(1)
    plant.turn()
    write = Write.objects.get()
    assert write.copies == 2
    assert set(write.shares.values_list("job", flat=True)) == {first.pk, second.pk}


def test_a_bad_disc_is_replaced_by_itself(plant: Plant) -> None:
    job = ask_for(2)
    plant.turn()
    bad = Disc.objects.order_by("id").first()
    assert bad is not None
    plant.agent.set_disc(bad.serial, wire.DiscState.BAD, blame=wire.Blame.MEDIUM, reason="unreadable")
    plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE
    assert Disc.objects.count() == 3
    assert not Allocation.objects.filter(disc=bad).exists()


def test_a_job_that_only_makes_bad_discs_is_held_until_somebody_looks(plant: Plant) -> None:
    job = ask_for(1)
    for _ in range(6):
        plant.turn()
        for disc in Disc.objects.filter(state__in=["planned", "started"]):
            plant.agent.set_disc(disc.serial, wire.DiscState.BAD, blame=wire.Blame.DRIVE, reason="power calibration")
        plant.report()
    plant.turn()
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.HELD, "too-many-bad-discs")
    assert Disc.objects.count() == 3
    assert operators.release(job, "user:1 Anna", plant.now)
    plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE


def test_a_job_whose_writes_are_refused_is_held_with_what_the_agent_said(plant: Plant) -> None:
    """Such as an image that arrives with another digest: trying for ever would help nobody."""
    job = ask_for(2)
    plant.agent.new_images = wire.ImageState.FAILED
    for _ in range(60):
        plant.turn(minutes=2)
        job.refresh_from_db()
        if job.state == Job.State.HELD:
            break
    assert job.state == Job.State.HELD
    assert plant.agent.why_failed in job.reason
    assert Write.objects.count() == 3
    assert not Disc.objects.exclude(state="cancelled").exists()


def test_an_unknown_disc_is_never_allocated_and_is_replaced(plant: Plant) -> None:
    job = ask_for(1)
    plant.turn()
    lost = Disc.objects.get()
    plant.agent.set_disc(lost.serial, wire.DiscState.UNKNOWN, reason="the agent was killed")
    plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE
    assert job.allocations.get().disc.serial != lost.serial


def test_trouble_ends_with_the_job_or_shipment_that_it_was_about(plant: Plant) -> None:
    open_, over = ask_for(1), ask_for(1)
    for job in (open_, over):
        trouble.note("fulfillment.plan", job, ValueError("no"), NOW)
        trouble.note("fulfillment.finish-shipment", job.shipment, ValueError("no"), NOW)
    Job.objects.filter(pk=over.pk).update(state=Job.State.CANCELLED)
    Shipment.objects.filter(pk=over.shipment_id).update(state=Shipment.State.CANCELLED)
    rolling.run(NOW)
    kept = set(Trouble.objects.values_list("row", flat=True))
    assert kept == {str(open_.pk), str(open_.shipment_id)}


def test_a_job_without_a_writer_is_held_and_goes_on_by_itself(db: None) -> None:
    job = ask_for(1)
    tick.run(NOW)
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.HELD, "no-writer")
    with running_plant() as plant:
        plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE


def test_a_drained_writer_gets_nothing_new(plant: Plant) -> None:
    Writer.objects.update(draining=True)
    ask_for(1)
    plant.turn()
    assert not Write.objects.exists()


def test_the_head_is_read_at_one_instant_so_that_none_that_moves_is_read_twice(plant: Plant) -> None:
    waiting, writing = ask_for(1), ask_for(1)
    Job.objects.filter(pk=writing.pk).update(state=Job.State.WRITING)
    with CaptureQueriesContext(connection) as queries:
        # of one instant, and so in the order of their random keys
        assert sorted(each.pk for each in open_jobs.head()) == sorted([waiting.pk, writing.pk])
    assert sum("fulfillment_job" in query["sql"] for query in queries) == 1


def test_of_several_writes_one_that_was_overtaken_stops_no_other(plant: Plant) -> None:
    first, second = ask_for(1), ask_for(1, make_image("image-b"))
    jobs = open_jobs.head()
    decided = plan(snapshot.take(jobs, NOW), ranking.in_force(NOW), NOW.timestamp())
    assert len(decided.assignments) == 2
    rows = apply._rows({str(job.pk): job for job in jobs}, [str(job.pk) for job in jobs])
    orders = apply._orders_of(decided, rows)
    Job.objects.filter(pk=first.pk).update(revision=99)
    assert apply._queue_together(orders, {}, NOW) == 0
    assert not Write.objects.exists()
    assert [(row.state, row.revision, row.covered) for row in rows.values()] == [("waiting", 1, 0)] * 2
    assert apply._queue_each(orders, {}, NOW) == 1
    assert [share.job_id for share in Write.objects.get().shares.all()] == [second.pk]


def test_of_several_jobs_with_good_discs_one_that_changed_stops_no_other(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask_for(1)
    ask_for(1, make_image("image-b"))
    plant.turn()
    plant.agent.make_all()
    plant.report()
    real = allocation._give_whole

    def then_it_changes(gifts: Any, now: datetime) -> None:
        if len(gifts) > 1:
            Job.objects.filter(pk=first.pk).update(revision=99)
        real(gifts, now)

    monkeypatch.setattr(allocation, "_give_whole", then_it_changes)
    tick.run(plant.now)
    assert set(Job.objects.values_list("state", flat=True)) == {"made"}
    assert set(Shipment.objects.values_list("state", flat=True)) == {"ready"}
    assert Allocation.objects.count() == 2


def test_two_ticks_at_once_send_a_job_once(plant: Plant) -> None:
    """The second tick read the rows before the first one wrote them."""
    ask_for(2)
    one, other = open_jobs.head(), open_jobs.head()
    decided = plan(snapshot.take(one, NOW), ranking.in_force(NOW), NOW.timestamp())
    assert apply.apply(decided, one, NOW) == 1
    assert apply.apply(decided, other, NOW) == 0
    assert Write.objects.count() == 1
    assert Disc.objects.count() == 2


def test_a_tick_that_finds_nothing_changes_nothing(plant: Plant) -> None:
    job = ask_for(1)
    plant.make_all()
    before = (job.events.count(), Write.objects.count(), Shipment.objects.get(pk=job.shipment_id).revision)
    for _ in range(3):
        plant.turn()
    job.refresh_from_db()
    assert before == (job.events.count(), Write.objects.count(), Shipment.objects.get(pk=job.shipment_id).revision)


def test_a_turn_costs_as_many_queries_for_a_long_queue_and_a_large_fleet_as_for_small_ones(plant: Plant) -> None:
    BlankBin.objects.create(writer=plant.writer, format="cd", kind="CD-R", bin="d1", counted=True)
    ask_for(1)

    def cost() -> int:
        tick.run(NOW)  # notes why what came last waits
        with CaptureQueriesContext(connection) as queries:
            tick.run(NOW)
        return len(queries)

    alone = cost()
    with running_plant("Writer 2") as second, running_plant("Writer 3") as third:
        for other in (second, third):
            BlankBin.objects.create(writer=other.writer, format="cd", kind="CD-R", bin="d1", counted=True)
        for number in range(9):
            ask_for(3, make_image(f"image-{number}"))
        assert cost() <= alone


def test_a_disc_that_became_good_since_the_last_look_is_not_made_again(plant: Plant) -> None:
    """The report came between reading the writes and planning."""
    ask_for(1)
    plant.turn()
    plant.agent.make_all()
    plant.report()
    jobs = open_jobs.head()
    assert snapshot.take(jobs, plant.now).jobs == ()


def test_work_that_a_dead_writer_was_never_sent_goes_to_another(plant: Plant) -> None:
    job = ask_for(1)
    tick.run(NOW)
    assert Write.objects.get().state == "queued"
    Writer.objects.filter(pk=plant.writer.pk).update(state="offline")
    with running_plant("Writer 2") as other:
        other.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE
    assert set(Write.objects.values_list("writer__name", "state")) == {("Writer 1", "cancelled"), ("Writer 2", "done")}


def test_a_job_with_all_its_discs_is_found_after_a_tick_that_died(plant: Plant) -> None:
    job = ask_for(1)
    plant.make_all()
    Job.objects.filter(pk=job.pk).update(state=Job.State.WAITING, made_at=None)
    plant.turn(seconds=15)
    job.refresh_from_db()
    assert job.state == Job.State.MADE


def test_a_parcel_that_leaves_late_arrives_late(plant: Plant) -> None:
    shipment = ask_for(1).shipment
    plant.make_all()
    shipment.refresh_from_db()
    before = shipment.estimated_on
    later = plant.now + timedelta(days=7)
    assert operators.pack(shipment, "user:1 Anna", later)
    assert before is not None
    assert Shipment.objects.get(pk=shipment.pk).estimated_on == before + timedelta(days=7)


def test_a_held_job_waits_until_it_is_released(plant: Plant) -> None:
    job = ask_for(1)
    assert operators.hold(job, "user:1 Anna", NOW)
    plant.turn()
    assert not Write.objects.exists()
    assert operators.release(job, "user:1 Anna", NOW)
    plant.make_all()
    job.refresh_from_db()
    assert job.state == Job.State.MADE
    assert "user:1 Anna" in job.events.values_list("actor", flat=True)


def test_packing_comes_after_making_and_shipping_after_packing(plant: Plant) -> None:
    shipment = ask_for(1).shipment
    assert not operators.pack(shipment, "user:1 Anna", NOW)
    plant.make_all()
    shipment.refresh_from_db()
    assert not operators.ship(shipment, "user:1 Anna", plant.now)
    assert operators.pack(shipment, "user:1 Anna", plant.now)
    assert operators.ship(shipment, "user:1 Anna", plant.now)
    assert not operators.ship(shipment, "user:1 Anna", plant.now)
    assert list(shipment.events.values_list("new", flat=True)) == ["preparing", "ready", "packed", "shipped"]


def test_the_estimate_follows_the_projection_and_the_promise_stays(plant: Plant) -> None:
    job = ask_for(1)
    plant.turn()
    late = plant.now.replace(hour=19)  # after closing: it leaves a day later than promised
    rolling.roll(late)
    shipment = Shipment.objects.get(pk=job.shipment_id)
    assert shipment.estimated_on is not None
    assert shipment.promised_on is not None
    assert shipment.estimated_on > shipment.promised_on
    assert shipment.events.filter(text__startswith="estimated arrival").exists()


def test_old_roll_forwards_go_but_those_behind_a_promise_stay(plant: Plant) -> None:
    plant.turn()
    kept = PlanRun.objects.order_by("id")[0]
    Shipment.objects.filter(pk=ask_for(1, make_image("other")).shipment_id).update(plan_run=kept)
    plant.turn(minutes=1)
    dropped = PlanRun.objects.exclude(pk=kept.pk).order_by("id")[0]
    plant.turn(days=2)
    assert PlanRun.objects.filter(pk=kept.pk).exists()
    assert not PlanRun.objects.filter(pk=dropped.pk).exists()


def test_writes_of_a_cancelled_shipment_are_taken_back_in_the_order_in_which_reports_are_booked(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask_for(1)
    plant.turn()
    share = job.shares.get()
    for _ in range(2):
        write = share.write
        write.pk, write.uuid = None, uuid4()
        write.save()
        job.shares.create(write=write, copies=1)
    Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED)
    taken: list[int] = []
    monkeypatch.setattr(recalls, "cancel_write", lambda write, actor, now: taken.append(write.pk))
    recalls.recall_cancelled(job.shipment, actor="anna", now=NOW)
    assert len(taken) == 3
    assert taken == sorted(taken)
