"""What would happen is shown, and nothing happens."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from fulfillment import operators, rolling
from fulfillment.models import Job, PlanRun
from fulfillment.planning.what_if import Shift, shifts
from tests.scene import Plant, ask_for, make_image


@pytest.fixture
def client(db: None) -> Client:
    user = User.objects.create_user("bert", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_shipment"))
    client = Client()
    client.force_login(user)
    return client


def queue(plant: Plant, orders: int = 4) -> list[Job]:
    """Orders that each take a while, the later ones later."""
    plant.now = timezone.now()
    plant.report()
    jobs = [
        ask_for(6, make_image(f"large {number}", 700_000_000), received_at=plant.now + dt.timedelta(seconds=number))
        for number in range(orders)
    ]
    Job.objects.update(due=plant.now + dt.timedelta(days=1))
    rolling.roll(plant.now)
    return jobs


def ask(client: Client, **form: str | int) -> Any:
    return client.get("/staff/what-if/", form)


def test_an_order_put_first_gains_and_those_before_it_slip(plant: Plant, client: Client) -> None:
    jobs = queue(plant)
    before = [(job.rank, job.state, job.put_first_at) for job in Job.objects.order_by("pk")]
    answer = ask(client, first=jobs[-1].order).context["answer"]
    assert [moved.reference for moved in answer.gains] == [jobs[-1].order]
    assert jobs[0].order in {moved.reference for moved in answer.slips}
    assert answer.gains[0].by.endswith("sooner")
    assert [(job.rank, job.state, job.put_first_at) for job in Job.objects.order_by("pk")] == before
    assert PlanRun.objects.count() == 1


def test_a_status_that_would_change_is_said(plant: Plant, client: Client) -> None:
    jobs = queue(plant)
    first = ask(client, first=jobs[-1].order).context["answer"].gains[0]
    Job.objects.filter(pk=jobs[-1].pk).update(due=first.after + (first.before - first.after) / 2)
    rolling.roll(plant.now)
    answer = ask(client, first=jobs[-1].order).context["answer"]
    assert f"{jobs[-1].order}: late, would be on time." in answer.turns
    assert answer.late_after < answer.late_before


def test_a_held_order_has_no_date_and_others_gain(plant: Plant, client: Client) -> None:
    jobs = queue(plant)
    answer = ask(client, hold=jobs[0].order).context["answer"]
    assert [moved.reference for moved in answer.slips] == [jobs[0].order]
    assert answer.slips[0].by == "has no date any more"
    assert answer.gains


def test_one_more_writer_makes_orders_sooner_and_a_drained_one_leaves_them_without_date(
    plant: Plant, client: Client
) -> None:
    queue(plant)
    assert ask(client, like=plant.writer.pk).context["answer"].gains
    response = ask(client, drain=plant.writer.pk)
    assert len(response.context["answer"].slips) == 4
    assert f"/plant/fleet/{plant.writer.uuid}/" in response.content.decode()


def test_what_is_wrong_is_said_at_its_field(plant: Plant, client: Client) -> None:
    jobs = queue(plant)
    operators.hold(Job.objects.get(pk=jobs[1].pk), "user:1 anna", plant.now)
    rolling.roll(plant.now)
    for form, field in (
        ({"first": "S-nothing"}, "first"),
        ({"first": jobs[1].order}, "first"),
        ({"hold": "x" * 40}, "hold"),
        ({"drain": "nobody"}, "drain"),
        ({"like": "-1"}, "like"),
        ({"first": jobs[0].order, "hold": jobs[0].order}, "hold"),
    ):
        response = ask(client, **form)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == [field]


def test_without_a_fresh_plan_there_is_nothing_to_ask(plant: Plant, client: Client) -> None:
    queue(plant)
    PlanRun.objects.all().delete()
    response = ask(client, first="S-1")
    assert response.status_code == 200
    assert "There is no plan of the last minute to ask." in response.content.decode()


def test_the_part_that_changes_costs_nothing_while_it_does_not(plant: Plant, client: Client) -> None:
    jobs = queue(plant)
    page = client.get("/staff/", {"show": "waiting"})
    assert jobs[0].order in page.content.decode()
    part = client.get("/staff/now/")
    again = client.get("/staff/now/", headers={"If-None-Match": part["ETag"]})
    assert again.status_code in {200, 304}  # 200 when a minute has just begun
    assert client.post("/staff/").status_code == 405


def test_only_those_who_may_see_shipments_pass(plant: Plant) -> None:
    client = Client()
    assert client.get("/staff/").status_code == 302
    client.force_login(User.objects.create_user("emil", is_staff=True))
    for path in ("", "now/", "what-if/"):
        assert client.get(f"/staff/{path}").status_code == 403


def test_the_most_moved_come_first_and_what_hardly_moves_is_left_out() -> None:
    before = {"a": 100.0, "b": 100.0, "c": 1000.0, "d": None, "e": 5.0}
    gains, slips = shifts(before, {"a": 200.0, "b": 110.0, "c": 10.0, "d": 50.0, "e": None})
    assert gains == [Shift("d", None, 50.0), Shift("c", 1000.0, 10.0)]
    assert slips == [Shift("e", 5.0, None), Shift("a", 100.0, 200.0)]
