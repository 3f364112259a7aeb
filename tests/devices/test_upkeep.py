"""What drives do is counted once, whatever is repeated; thresholds warn, block, and end with a service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices import lifecycle, upkeep
from devices.agent import wire
from devices.drives import service_drive
from devices.intake import NotAccepted
from devices.models import Drive, DriveOrder
from devices.wear import Level
from tests.devices.conftest import Plant, serials

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

WHO = "user:1 Anna"
BEGAN = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def drive(ident: str = "d1") -> Drive:
    return Drive.objects.get(ident=ident)


def counts(ident: str = "d1") -> tuple[int, int, int]:
    return drive(ident).discs, drive(ident).failures, drive(ident).seconds


def ends(plant: Plant, serial: str, state: wire.DiscState, seconds: float = 300, **values: Any) -> None:
    times = {"started_at": BEGAN, "finished_at": BEGAN + timedelta(seconds=seconds)}
    verified = wire.Verified.DIGEST if state == wire.DiscState.GOOD else wire.Verified.NONE
    plant.agent.set_disc(serial, state, **({"verified": verified} | times | values))


def words(plant: Plant) -> list[str]:
    return list(DriveOrder.objects.filter(drive="d1").order_by("id").values_list("verb", flat=True))


# --- Counted --------------------------------------------------------------------------------------


def test_a_disc_counts_once_for_the_drive_that_wrote_it_however_often_it_is_told(plant: Plant) -> None:
    write = plant.accepted(3)
    first, second, third = serials(write)
    plant.agent.set_disc(first, wire.DiscState.STARTED)
    for _ in range(2):
        plant.report()
        assert counts() == (1, 0, 0)
    ends(plant, first, wire.DiscState.GOOD)
    ends(plant, second, wire.DiscState.BAD, 60)  # begun and ended between two reports
    ends(plant, third, wire.DiscState.UNKNOWN, drive="d2")
    for _ in range(2):
        plant.report()
        assert (counts("d1"), counts("d2")) == ((2, 1, 360), (1, 1, 300))


def test_a_disc_that_was_never_begun_counts_for_no_drive(plant: Plant) -> None:
    serial = serials(plant.accepted())[0]
    ends(plant, serial, wire.DiscState.BAD, started_at=None, reason="no drive takes it")
    plant.report()
    assert counts() == (0, 0, 0)


@pytest.mark.parametrize("seconds", [-3600, 25 * 3600])
def test_time_by_a_clock_that_was_set_meanwhile_is_not_counted(plant: Plant, seconds: float) -> None:
    ends(plant, serials(plant.accepted())[0], wire.DiscState.GOOD, seconds)
    plant.report()
    assert counts() == (1, 0, 0)


def test_a_lost_journal_counts_begun_discs_as_failures_of_their_drive(plant: Plant) -> None:
    write = plant.accepted(2)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    lifecycle.lose_journal(plant.writer, "lost", now=plant.clock.now, actor="tick")
    assert counts()[:2] == (1, 1)


# --- Thresholds -----------------------------------------------------------------------------------


def test_a_drive_whose_service_is_due_says_so_and_goes_on(plant: Plant) -> None:
    Drive.objects.filter(ident="d1").update(discs=9, warn_discs=10, block_discs=20)
    ends(plant, serials(plant.accepted())[0], wire.DiscState.GOOD)
    plant.report()
    assert plant.keywords() == ["drive-service-due"]
    assert plant.writer.reasons[0]["text"] == (
        "Drive 1: 10 discs since its last service (warn at 10 discs). Service it soon."
    )
    assert drive().takes_work
    assert words(plant) == []


def test_a_worn_drive_is_drained_once_and_takes_no_work_until_it_was_serviced(plant: Plant) -> None:
    Drive.objects.filter(ident="d1").update(failures=2, block_failures=3)
    ends(plant, serials(plant.accepted())[0], wire.DiscState.BAD)
    for _ in range(3):
        plant.report()
    assert words(plant) == ["drain"]
    assert (drive().wear.level, drive().takes_work, drive().blocked_at) == (Level.BLOCK, False, plant.clock.now)
    assert "drive-blocked" in plant.keywords()
    plant.attend()
    plant.report()
    assert plant.agent.drives[0].reasons == ("paused",)
    assert words(plant) == ["drain"]
    with pytest.raises(NotAccepted, match="Service it first") as refused:
        plant.queue(drive="d1")
    assert refused.value.field == "drive"

    assert service_drive(drive(), who=WHO, now=plant.clock.now)
    plant.attend()
    plant.report()
    assert words(plant) == ["drain", "resume"]
    assert (drive().state, drive().takes_work, drive().blocked_at) == ("idle", True, None)
    assert (drive().failures, drive().since_service.failures) == (3, 0)
    assert (drive().serviced_by, plant.keywords()) == (WHO, [])
    assert plant.events("service")[0].actor == WHO


def test_two_who_service_a_drive_at_once_are_one_service(plant: Plant) -> None:
    seen = drive()
    assert service_drive(drive(), who=WHO, now=plant.clock.now)
    assert not service_drive(seen, who="user:2 Bert", now=plant.clock.now)
    assert len(plant.events("service")) == 1


def test_a_threshold_that_is_raised_lets_the_drive_go_on(plant: Plant) -> None:
    Drive.objects.filter(ident="d1").update(discs=5, block_discs=5)
    plant.report()
    Drive.objects.filter(ident="d1").update(block_discs=50)
    for _ in range(2):
        plant.report()
    assert words(plant) == ["drain", "resume"]
    assert plant.keywords() == []


def test_an_agent_that_starts_anew_without_the_drain_is_told_again(plant: Plant) -> None:
    Drive.objects.filter(ident="d1").update(discs=5, block_discs=5)
    plant.report()
    plant.attend()
    plant.agent.set_drive("d1", state=wire.DriveState.IDLE, reasons=())
    plant.agent.restart()
    plant.report()
    plant.attend()
    plant.agent.restart()
    plant.report()
    assert words(plant) == ["drain", "drain"]
    assert upkeep.PAUSED in plant.agent.drives[0].reasons


def test_a_writer_whose_drives_are_all_worn_takes_no_write(plant: Plant) -> None:
    Drive.objects.update(discs=5, block_discs=5)
    with pytest.raises(NotAccepted, match="that may be used") as refused:
        plant.queue()
    assert refused.value.field == "format"


def test_hours_count_as_well() -> None:
    worn = Drive(ident="d1", seconds=7200, seconds_at_service=3600, block_hours=1)
    assert worn.wear.text == "1 hours since its last service (block at 1 hours)"
