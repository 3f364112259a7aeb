from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from devices.agent import wire
from devices.models import BlankBin, BlankEntry, Writer
from devices.serials import spoken
from tests.devices.conftest import Plant, serials

pytestmark = pytest.mark.django_db

MODELS = ["writer", "write", "disc", "blankbin", "blankentry", "deviceevent"]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("anna", password="x"))
    return client


@pytest.mark.parametrize("model", MODELS)
def test_lists_open_with_few_queries(
    plant: Plant, staff: Client, model: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=5)]
    for _ in range(3):
        plant.accepted(2)
    plant.report()
    with django_assert_max_num_queries(15):
        answer = staff.get(reverse(f"admin:devices_{model}_changelist"))
    assert answer.status_code == 200


def test_pages_of_rows_open(plant: Plant, staff: Client) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=None)]
    write = plant.accepted(2)
    plant.report()
    rows = [plant.writer, write, write.discs.first(), BlankBin.objects.get(), plant.events("write")[0]]
    for row in rows:
        assert row is not None
        url = reverse(f"admin:devices_{row._meta.model_name}_change", args=[row.pk])
        assert staff.get(url).status_code == 200


def test_disc_is_found_by_the_serial_a_person_reads(plant: Plant, staff: Client) -> None:
    write = plant.accepted(3)
    serial = serials(write)[1]
    answer = staff.get(reverse("admin:devices_disc_changelist"), {"q": spoken(serial).lower()})
    assert [disc.serial for disc in answer.context["cl"].result_list] == [serial]


def test_states_can_not_be_edited(plant: Plant, staff: Client) -> None:
    write = plant.accepted()
    for row in (write, write.discs.get()):
        url = reverse(f"admin:devices_{row._meta.model_name}_change", args=[row.pk])
        staff.post(url, {"state": "done", "_save": "Save"})
    write.refresh_from_db()
    assert (write.state, write.discs.get().state) == ("accepted", "planned")
    url = reverse("admin:devices_writer_change", args=[plant.new.writer.pk])
    staff.post(url, _writer_form(plant.writer) | {"state": "stopped"})
    assert plant.writer.state == "idle"


@pytest.mark.parametrize("model", ["writer", "write", "disc", "blankbin", "deviceevent"])
def test_rows_are_neither_added_nor_deleted(plant: Plant, staff: Client, model: str) -> None:
    assert staff.get(reverse(f"admin:devices_{model}_add")).status_code == 403
    url = reverse(f"admin:devices_{model}_delete", args=[1])
    assert staff.post(url, {"post": "yes"}).status_code in {302, 403}
    assert Writer.objects.exists()


def test_address_is_checked_when_it_is_changed(plant: Plant, staff: Client) -> None:
    url = reverse("admin:devices_writer_change", args=[plant.new.writer.pk])
    answer = staff.post(url, _writer_form(plant.writer) | {"address": "http://169.254.169.254:80"})
    assert answer.status_code == 200
    assert "never dialled" in answer.content.decode()
    answer = staff.post(url, _writer_form(plant.writer) | {"address": "http://127.0.0.1:9999"})
    assert answer.status_code == 302
    assert plant.writer.address == "http://127.0.0.1:9999"


def test_drain_and_resume_say_who_and_why(plant: Plant, staff: Client) -> None:
    url = reverse("admin:devices_writer_changelist")
    data = {"action": "drain", "_selected_action": [plant.new.writer.pk], "why": "new laser"}
    answer = staff.post(url, data, follow=True)
    assert "1 draining, 0 left as they were." in answer.content.decode()
    writer = plant.writer
    assert (writer.draining, writer.draining_why) == (True, "new laser")
    assert writer.draining_who.endswith(" anna")
    assert "0 draining, 1 left as they were." in staff.post(url, data, follow=True).content.decode()
    staff.post(url, data | {"action": "start_maintenance"})
    assert plant.writer.maintenance is True
    staff.post(url, data | {"action": "resume"})
    assert (plant.writer.draining, plant.writer.maintenance) == (False, False)


def test_write_is_cancelled_by_action(plant: Plant, staff: Client) -> None:
    write = plant.queue()
    url = reverse("admin:devices_write_changelist")
    staff.post(url, {"action": "cancel", "_selected_action": [write.pk]})
    write.refresh_from_db()
    assert write.state == "cancelled"


def _entry(bin_: BlankBin, **values: Any) -> dict[str, Any]:
    return {"bin": bin_.pk, "change": "50", "why": "a new spindle"} | values


def test_blanks_are_loaded_as_a_line_of_the_ledger(plant: Plant, staff: Client) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=None)]
    plant.report()
    bin_ = BlankBin.objects.get()
    url = reverse("admin:devices_blankentry_add")
    assert "not 0" in staff.post(url, _entry(bin_, change="0")).content.decode()
    assert staff.post(url, _entry(bin_)).status_code == 302
    bin_.refresh_from_db()
    entry = BlankEntry.objects.get()
    assert (bin_.loaded, bin_.remaining, bin_.counted) == (50, 50, True)
    assert (entry.change, entry.column, entry.why) == (50, "loaded", "a new spindle")
    assert entry.by.endswith(" anna")


def test_machine_that_counts_is_not_loaded_by_hand(plant: Plant, staff: Client) -> None:
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=5)]
    plant.report()
    answer = staff.post(reverse("admin:devices_blankentry_add"), _entry(BlankBin.objects.get()))
    assert "counts its blanks itself" in answer.content.decode()
    assert BlankEntry.objects.count() == 1


def test_people_without_the_permission_see_nothing(plant: Plant, client: Client) -> None:
    client.force_login(User.objects.create_user("ben", password="x", is_staff=True))
    for model in MODELS:
        assert client.get(reverse(f"admin:devices_{model}_changelist")).status_code == 403


def _writer_form(writer: Writer) -> dict[str, Any]:
    form = {"name": writer.name, "address": writer.address, "low_blanks": "10"}
    for inline in ("drives", "printers", "bins", "images"):
        form |= {f"{inline}-TOTAL_FORMS": "0", f"{inline}-INITIAL_FORMS": "0"}
    return form
