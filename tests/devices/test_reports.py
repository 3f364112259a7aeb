from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from devices import reports
from devices.agent import wire
from devices.models import BlankBin, CachedImage, DeviceEvent, Disc, Drive, Printer, Write
from tests.devices.conftest import SHA256, Plant, serials, states

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

CD = {"format": "cd", "kind": "CD-R", "bin": "d1"}


def everything() -> list[Any]:
    """All rows that reports write, but not when the writer was last seen."""
    models = (Write, Disc, Drive, BlankBin, CachedImage, DeviceEvent)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_first_report_makes_the_writer_known(plant: Plant) -> None:
    writer = plant.writer
    assert (writer.state, writer.reasons) == ("idle", [])
    assert (writer.journal_id, writer.boot_id) == (plant.agent.journal_id, plant.agent.boot_id)
    assert (writer.software, writer.protocol, writer.kind) == ("fake-agent 1", 1, "fake")
    assert (writer.disk_capacity, writer.disk_free) == (10**12, 10**11)
    drives = list(writer.drives.values_list("ident", "role", "feed", "formats", "kinds", "state"))
    assert drives == [(ident, "copier", "robot", ["cd", "dvd"], ["CD-R", "DVD-R"], "idle") for ident in ("d1", "d2")]


def test_second_report_changes_nothing(plant: Plant) -> None:
    plant.agent.blanks = [wire.BlankFact(**CD, remaining=10)]
    write = plant.accepted(2)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    before = everything()
    plant.report()
    plant.report()
    assert everything() == before


def test_unchanged_report_costs_few_queries(
    plant: Plant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    plant.agent.blanks = [wire.BlankFact(**CD, remaining=10)]
    for _ in range(5):
        plant.accepted(3)
    plant.report()
    writer, state = plant.writer, plant.agent.state(with_images=False)
    with django_assert_max_num_queries(9):  # two of them begin and end the transaction
        reports.take_report(writer, state, plant.clock.now)


def test_overtaken_report_of_the_same_boot_is_dropped(plant: Plant) -> None:
    write = plant.accepted()
    old = plant.agent.state()
    plant.agent.make_all()
    plant.report()
    before = everything()
    answer = reports.take_report(plant.writer, old, plant.clock.now)
    assert (answer.recorded, everything()) == ((), before)
    write.refresh_from_db()
    assert write.state == "done"


def test_result_is_recorded_again_when_the_answer_was_lost(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.make_all()
    state = plant.agent.state()
    for _ in range(2):
        answer = reports.take_report(plant.writer, state, plant.clock.now)
        assert answer.recorded == (write.uuid,)
    older = state.model_copy(update={"sequence": state.sequence - 1})
    assert reports.take_report(plant.writer, older, plant.clock.now).recorded == (write.uuid,)


def test_progress_and_serial_of_drives_are_followed(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    busy = plant.agent.drives[0].model_copy(
        update={"state": wire.DriveState.BUSY, "progress": 0.5, "serial": serials(write)[0]}
    )
    plant.agent.drives[0] = busy
    plant.report()
    drive = plant.writer.drives.get(ident="d1")
    assert (drive.state, drive.progress, drive.serial) == ("busy", 0.5, serials(write)[0])
    assert plant.writer.state == "busy"
    write.refresh_from_db()
    assert write.state == "writing"
    disc = write.discs.get()
    assert (disc.state, disc.drive) == ("started", "d1")
    assert disc.started_at is not None


def test_drive_that_is_no_longer_reported_is_gone(plant: Plant) -> None:
    """Not deleted: what was counted of it is there when it comes back."""
    second = plant.agent.drives.pop()
    Drive.objects.filter(ident="d2").update(discs=7)
    plant.report()
    gone = Drive.objects.get(ident="d2")
    assert (gone.gone, gone.state, gone.progress, gone.serial) == (True, "offline", None, "")
    assert plant.keywords() == []
    plant.agent.drives.append(second)
    plant.report()
    back = Drive.objects.get(ident="d2")
    assert (back.gone, back.state, back.discs) == (False, "idle", 7)


def test_stopped_drives_are_a_reason_that_ends_by_itself(plant: Plant) -> None:
    working = list(plant.agent.drives)
    stop = {"state": wire.DriveState.STOPPED, "reasons": ("three bad discs in a row",)}
    plant.agent.drives = [working[0].model_copy(update=stop), working[1]]
    plant.report()
    assert (plant.writer.state, plant.keywords()) == ("idle", ["stopped-partly"])
    assert plant.writer.reasons[0]["text"] == "Drive 1 is stopped: three bad discs in a row"
    plant.agent.drives = [drive.model_copy(update=stop) for drive in working]
    plant.report()
    assert (plant.writer.state, plant.keywords()) == ("stopped", ["drives-stopped"])
    plant.agent.drives = working
    plant.report()
    assert (plant.writer.state, plant.keywords()) == ("idle", [])


def test_good_without_verification_is_unknown(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.GOOD, verified=wire.Verified.NONE)
    assert plant.report().recorded == (write.uuid,)
    disc = write.discs.get()
    assert disc.state == "unknown"
    assert disc.reason.startswith("Reported good with verification none")
    before = everything()
    plant.agent.recorded.clear()
    plant.report()
    assert everything() == before


def test_good_without_verification_is_good_when_none_was_asked(plant: Plant) -> None:
    write = plant.accepted(verify=False)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.GOOD, verified=wire.Verified.NONE)
    plant.report()
    assert states(write) == ["good"]


def test_offset_verifies_audio_only(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.GOOD, verified=wire.Verified.OFFSET)
    plant.report()
    assert states(write) == ["unknown"]


def test_bad_disc_keeps_blame_and_reason(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.set_disc(
        serials(write)[0], wire.DiscState.BAD, blame=wire.Blame.MEDIUM, reason="read error at sector 17"
    )
    plant.report()
    disc = write.discs.get()
    assert (disc.state, disc.blame, disc.reason) == ("bad", "medium", "read error at sector 17")
    assert disc.final_at == plant.clock.now


def test_final_disc_never_moves_and_a_contradiction_is_noted_once(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.make_all()
    plant.report()
    plant.agent.recorded.clear()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.BAD)
    for _ in range(3):
        plant.report()
    assert states(write) == ["good"]
    assert len(plant.events("contradiction")) == 1


def test_disc_left_out_of_the_final_report_is_unknown(plant: Plant) -> None:
    write = plant.accepted(2)
    plant.agent.make_all()
    del plant.agent.writes[write.uuid].discs[serials(write)[1]]
    plant.report()
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["good", "unknown"])


def test_unknown_writes_and_serials_are_one_event_each(plant: Plant) -> None:
    write = plant.accepted()
    known = plant.agent.writes[write.uuid]
    known.discs["STRANGE"] = wire.DiscResult(serial="STRANGE", state=wire.DiscState.PLANNED)
    foreign = uuid4()
    plant.agent.writes[foreign] = plant.agent.writes[write.uuid]
    read = wire.ReadAnswer(uuid=uuid4(), state=wire.WriteState.ACCEPTED, drive="d1")
    state = plant.agent.state().model_copy(update={"reads": (read,)})
    for _ in range(3):
        answer = reports.take_report(plant.writer, state, plant.clock.now)
        assert answer.recorded == ()
    assert [event.new for event in plant.events("unknown-write")] == [str(foreign)]
    assert [event.serial for event in plant.events("unknown-disc")] == ["STRANGE"]
    assert [event.new for event in plant.events("unknown-read")] == [str(read.uuid)]


def test_report_proves_that_a_sent_write_arrived(plant: Plant) -> None:
    write = plant.accepted()
    Write.objects.update(state="sent", accepted_at=None)
    plant.report()
    write.refresh_from_db()
    assert (write.state, write.accepted_at) == ("accepted", plant.clock.now)


def test_agents_clock_is_kept_as_said_and_orders_nothing(plant: Plant) -> None:
    write = plant.accepted()
    skewed = datetime(1999, 12, 31, 23, 59)  # noqa: DTZ001  (agents may forget their zone)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    result = plant.agent.writes[write.uuid].discs[serials(write)[0]]
    plant.agent.writes[write.uuid].discs[serials(write)[0]] = result.model_copy(
        update={"started_at": skewed, "finished_at": datetime(1, 1, 1, tzinfo=UTC) - timedelta(0)}
    )
    plant.report()
    disc = write.discs.get()
    assert disc.started_at == skewed.replace(tzinfo=UTC)
    assert disc.final_at == plant.clock.now


def test_time_that_no_calendar_has_is_left_out(plant: Plant) -> None:
    write = plant.accepted()
    serial = serials(write)[0]
    raw = {"serial": serial, "state": "started", "started_at": "0001-01-01T00:00:00+14:00"}
    plant.agent.writes[write.uuid].discs[serial] = wire.DiscResult.model_validate(raw)
    plant.report()
    assert (states(write), write.discs.get().started_at) == (["started"], None)


def test_images_are_mirrored_and_asked_for_when_only_their_digest_came(plant: Plant) -> None:
    plant.agent.set_image(SHA256, wire.ImageState.RECEIVING)
    assert plant.report(plant.agent.state(with_images=False)).want == ("images",)
    assert plant.report().want == ()
    assert plant.report(plant.agent.state(with_images=False)).want == ()
    image = plant.writer.images.get()
    assert (image.sha256, image.state) == (SHA256, "receiving")
    plant.agent.set_image(SHA256, wire.ImageState.READY)
    plant.report()
    assert plant.writer.images.get().state == "ready"
    plant.agent.images.clear()
    plant.agent.sequence += 1
    plant.report()
    assert not plant.writer.images.exists()


def test_printers_are_mirrored(plant: Plant) -> None:
    supply = wire.SupplyFact(name="cyan", percent=40)
    printer = wire.PrinterFact(id="p1", state="idle", supplies=(supply,))
    plant.report(plant.agent.state().model_copy(update={"printers": (printer,)}))
    row = Printer.objects.get()
    assert (row.ident, row.state, row.supplies) == ("p1", "idle", [{"name": "cyan", "percent": 40.0}])
    plant.report()
    assert not Printer.objects.exists()


def test_report_of_another_protocol_is_refused_with_a_reason(plant: Plant) -> None:
    plant.agent.protocol = 2
    with pytest.raises(reports.ReportRefused) as refused:
        plant.report()
    assert refused.value.field == "protocol"
    assert plant.keywords() == ["agent-outdated"]
    assert plant.writer.takes_work is False
    plant.agent.protocol = 1
    plant.report()
    assert plant.keywords() == []


@pytest.mark.parametrize(
    ("field", "update"),
    [
        ("writer", {"writer": uuid4()}),
        ("sequence", {"sequence": 2**63}),
        ("disk.free", {"disk": wire.DiskFact(capacity=1, free=2**70)}),
        ("blanks.remaining", {"blanks": (wire.BlankFact(**CD, remaining=2**64),)}),
    ],
)
def test_impossible_reports_name_their_field(plant: Plant, field: str, update: dict[str, Any]) -> None:
    before = everything()
    with pytest.raises(reports.ReportRefused) as refused:
        plant.report(plant.agent.state().model_copy(update=update))
    assert refused.value.field == field
    assert everything() == before


def test_text_of_an_agent_is_made_fit_for_the_database(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.BAD, reason="a\x00b\nc" + "x" * 9000, drive="d" * 99)
    plant.report()
    disc = write.discs.get()
    assert disc.reason.startswith("a b cx")
    assert (len(disc.reason), len(disc.drive)) == (500, 64)


def test_changes_of_discs_raise_the_revision_of_their_write(plant: Plant) -> None:
    write = plant.accepted(2)
    write.refresh_from_db()
    before = write.revision
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    write.refresh_from_db()
    assert write.revision > before
    before = write.revision
    plant.report()
    write.refresh_from_db()
    assert write.revision == before
