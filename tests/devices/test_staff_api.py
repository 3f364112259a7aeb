"""The resource file as JSON: for staff who may see writers, and for nobody else."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from devices.models import Writer
from tests.devices.conftest import Plant

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def staff(client: Client) -> Client:
    user = User.objects.create_user("emil", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_writer"))
    client.force_login(user)
    return client


def test_all_writers_and_one_of_them_are_told_whole(plant: Plant, staff: Client) -> None:
    Writer.objects.update(
        reasons=[{"keyword": "media-low", "text": "Load some.", "since": "2026-11-20T12:00:00+00:00"}]
    )
    (listed,) = staff.get("/api/v1/writers/").json()["writers"]
    one = staff.get(f"/api/v1/writers/{plant.new.writer.uuid}/").json()
    assert one == listed
    assert (one["name"], one["uuid"], one["enabled"]) == ("Writer 1", str(plant.new.writer.uuid), True)
    assert one["reasons"] == [
        {"keyword": "media-low", "text": "Load some.", "since": "2026-11-20T12:00:00Z", "severity": "warning"}
    ]
    assert [drive["ident"] for drive in one["drives"]] == ["d1", "d2"]
    assert one["drives"][0]["since_service"] == {"discs": 0, "failures": 0, "hours": 0.0}
    assert {drive["wear"] for drive in one["drives"]} == {"fine"}
    assert one["draining"] == {"on": False, "why": "", "who": "", "since": None}


def test_who_may_not_see_writers_gets_a_problem(plant: Plant, client: Client) -> None:
    addresses = ("/api/v1/writers/", f"/api/v1/writers/{plant.new.writer.uuid}/")
    for user in (None, User.objects.create_user("emil", is_staff=True), User.objects.create_user("dora")):
        if user:
            client.force_login(user)
        for address in addresses:
            answer = client.get(address)
            assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
            assert answer.json()["type"] == "forbidden"


def test_a_writer_that_is_not_there_is_404(plant: Plant, staff: Client) -> None:
    answer = staff.get(f"/api/v1/writers/{uuid4()}/")
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")
