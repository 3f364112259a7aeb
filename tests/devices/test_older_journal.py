"""An agent that came back with an older copy of its journal: what it forgot is never made a second time unseen."""

from __future__ import annotations

import pytest

from devices import lifecycle, reports
from devices.agent import wire
from devices.intake import cancel_write
from devices.models import Disc, Write
from tests.devices.conftest import Plant, serials, states

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_it_is_found_out_although_a_resume_adopts_whatever_reports_first(plant: Plant) -> None:
    write = plant.accepted(2)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    lifecycle.lose_journal(plant.writer, "It no longer knows a write.", now=plant.clock.now, actor="tick")
    assert states(write) == ["unknown", "unknown"]
    assert lifecycle.resume(plant.writer, who="user:1 Anna", why="inspected", now=plant.clock.now)
    assert plant.writer.journal_id is None
    plant.agent.set_disc(serials(write)[0], wire.DiscState.PLANNED)
    plant.agent.restart()
    with pytest.raises(reports.ReportRefused) as refused:
        plant.report()
    assert refused.value.problem == wire.ProblemType.JOURNAL_LOST


def test_a_disc_that_was_cancelled_and_waits_there_again_is_cancelled_there_again(plant: Plant) -> None:
    write = plant.accepted(2)
    assert cancel_write(write, "anna", plant.clock.now)
    plant.attend()
    plant.report()
    assert states(write) == ["cancelled", "cancelled"]
    for serial in serials(write):
        plant.agent.set_disc(serial, wire.DiscState.PLANNED)
    plant.agent.restart()
    plant.agent.recorded.clear()
    plant.report()
    plant.attend()
    discs = plant.agent.writes[write.uuid].discs.values()
    assert {disc.state for disc in discs} == {wire.DiscState.CANCELLED}
    assert plant.report().recorded == (write.uuid,)
    assert not Write.objects.filter(waits_there=True).exists()
    assert plant.keywords() == []


def test_reports_are_booked_in_the_order_of_the_writes_whatever_theirs_is(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As cancelling does: two transactions that lock the same writes in two orders would be a deadlock."""
    writes = [plant.accepted() for _ in range(3)]
    plant.agent.make_all()
    plant.agent.writes = dict(reversed(plant.agent.writes.items()))
    booked: list[int] = []
    move = lifecycle.move_disc

    def watched(disc: Disc, *arguments: object, **values: object) -> bool:
        booked.append(disc.write_id)
        return move(disc, *arguments, **values)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(lifecycle, "move_disc", watched)
    plant.report()
    assert booked == [write.pk for write in writes]
