"""The same thing from several threads at once: one effect, and nobody crashes."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db.models import Sum

from devices import lifecycle, reports
from devices.agent import wire
from devices.intake import cancel_write
from devices.models import BlankBin, DeviceEvent, Disc, Write
from tests.at_once import at_once
from tests.devices.conftest import Plant, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

AT_ONCE = 6


def test_one_report_six_times_books_every_disc_once(plant: Plant) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=20)]
    plant.agent.sequence += 1
    plant.report()
    write = plant.accepted(8)
    plant.agent.make_all()
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=12)]
    state, now = plant.agent.state(), plant.clock.now
    answers = at_once(*[lambda: reports.take_report(plant.writer, state, now)] * AT_ONCE)
    assert [answer.recorded for answer in answers] == [(write.uuid,)] * AT_ONCE
    assert states(write) == ["good"] * 8
    assert DeviceEvent.objects.filter(kind="disc").count() == 8
    bin_ = BlankBin.objects.get()
    assert (bin_.started, bin_.good, bin_.remaining, bin_.entries.count()) == (8, 8, 12, 1)


def test_reports_in_any_order_end_with_the_newest(plant: Plant) -> None:
    write = plant.accepted(3)
    history = [plant.agent.state()]
    for disc in write.discs.all():
        for state, verified in ((wire.DiscState.STARTED, "none"), (wire.DiscState.GOOD, "digest")):
            plant.agent.set_disc(disc.serial, state, verified=wire.Verified(verified))
            history.append(plant.agent.state())
    now = plant.clock.now
    at_once(*[lambda state=state: reports.take_report(plant.writer, state, now) for state in history])
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["good"] * 3)
    assert plant.writer.sequence == history[-1].sequence


def test_six_visits_give_a_write_once(plant: Plant) -> None:
    writes = [plant.queue(2) for _ in range(3)]
    at_once(*[plant.attend] * AT_ONCE)
    plant.attend()
    given = [call for call in plant.agent.calls if call.startswith("PUT /v1/writes/")]
    assert sorted(given) == sorted(f"PUT /v1/writes/{write.uuid}" for write in writes)
    assert set(Write.objects.values_list("state", flat=True)) == {"accepted"}


def test_one_uuid_six_times_is_one_write(plant: Plant) -> None:
    uuid = uuid4()
    made = at_once(*[lambda: plant.queue(3, uuid=uuid)] * AT_ONCE)
    assert {write.pk for write in made} == {Write.objects.get().pk}
    assert Disc.objects.count() == 3


def test_cancellation_against_the_visit_leaves_no_write_in_between(plant: Plant) -> None:
    writes = [plant.queue(2) for _ in range(4)]
    cancels = [lambda write=write: cancel_write(write, "user:1 Anna", plant.clock.now) for write in writes]
    assert at_once(*cancels, plant.attend)[:4] == [True] * 4
    plant.attend()
    plant.report()
    assert set(Write.objects.values_list("state", flat=True)) == {"cancelled"}
    assert set(Disc.objects.values_list("state", flat=True)) == {"cancelled"}


def test_lost_journal_six_times_is_one_loss(plant: Plant) -> None:
    write = plant.accepted(4)
    plant.agent.lose_journal()
    state, now = plant.agent.state(), plant.clock.now

    def report() -> wire.ProblemType:
        with pytest.raises(reports.ReportRefused) as refused:
            reports.take_report(plant.writer, state, now)
        return refused.value.problem

    assert at_once(*[report] * AT_ONCE) == [wire.ProblemType.JOURNAL_LOST] * AT_ONCE
    assert states(write) == ["unknown"] * 4
    assert DeviceEvent.objects.filter(kind="reason", new="journal-lost").count() == 1


def test_drain_by_six_people_is_one_drain(plant: Plant) -> None:
    now = plant.clock.now
    moved = at_once(*[lambda: lifecycle.drain(plant.writer, who="user:1 Anna", why="", now=now)] * AT_ONCE)
    assert sorted(moved) == [False] * (AT_ONCE - 1) + [True]
    assert DeviceEvent.objects.filter(kind="drain").aggregate(Sum("writer"))["writer__sum"] == plant.writer.pk
