"""Operators put orders first, hold and release them, and read why a job stands where it stands."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from devices.models import Write
from fulfillment import choosing, operators, ranking, standing
from fulfillment.models import Job
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = pytest.mark.django_db

LATER = NOW + dt.timedelta(minutes=5)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("anna", "anna@example.com", "disc-disc-disc"))
    return client


def act(staff: Client, action: str, job: Job, **also: str) -> Any:
    values = {"action": action, "_selected_action": str(job.pk)} | also
    return staff.post("/admin/fulfillment/job/", values, follow=True)


def page(staff: Client, job: Job) -> str:
    return staff.get(f"/admin/fulfillment/job/{job.pk}/change/").content.decode()


def in_turn(*copies: int) -> list[Job]:
    """Jobs received one after the other."""
    return [
        ask_for(number, received_at=NOW + dt.timedelta(seconds=at), image=make_image(f"image-{at}"))
        for at, number in enumerate(copies)
    ]


def queue() -> list[int]:
    return list(Job.objects.order_by("rank").values_list("copies", flat=True))


def again(job: Job) -> Job:
    return Job.objects.select_related("image").get(pk=job.pk)


def test_the_last_one_put_first_stands_first_and_each_can_be_taken_back() -> None:
    jobs = in_turn(1, 2, 3)
    assert operators.put_first(jobs[1], "user:1 anna", NOW)
    assert operators.put_first(jobs[2], "user:1 anna", LATER)
    assert queue() == [3, 2, 1]
    assert operators.put_back(jobs[2], "user:1 anna", LATER)
    assert queue() == [2, 1, 3]
    assert not operators.put_back(jobs[2], "user:1 anna", LATER)
    event = again(jobs[2]).events.latest("pk")
    assert (event.actor, event.text) == ("user:1 anna", "no longer put first")


def test_what_was_put_first_is_made_first_under_any_policy(plant: Plant) -> None:
    choosing.choose("tardiness-cost", why="A test.", who="user:1 anna", now=NOW)
    jobs = [ask_for(1, make_image(name)) for name in "abcdefgh"]
    assert operators.put_first(jobs[7], "user:1 anna", NOW)
    plant.turn()
    assert Write.objects.order_by("queued_at", "pk").values_list("shares__job", flat=True)[0] == jobs[7].pk
    ranking.rerank(plant.now)
    assert Job.objects.order_by("rank")[0] == jobs[7]


def test_a_job_that_is_made_is_not_put_first() -> None:
    job = ask_for(1)
    Job.objects.update(state="made")
    assert not operators.put_first(job, "user:1 anna", NOW)


def test_a_tick_that_moved_the_job_meanwhile_is_no_reason_to_refuse() -> None:
    job = ask_for(1)
    Job.objects.update(revision=7, reason="waiting-for-drive")
    assert operators.put_first(job, "user:1 anna", NOW)
    assert (again(job).revision, again(job).reason) == (8, "waiting-for-drive")


def test_an_order_is_put_first_whole_and_by_name(staff: Client) -> None:
    first, other, sibling = in_turn(1, 2, 3)
    Job.objects.filter(pk=sibling.pk).update(shipment=other.shipment)
    answer = act(staff, "put_first", other)
    assert "2 put first." in answer.content.decode()
    assert queue()[2] == first.copies
    assert again(sibling).put_first_at == again(other).put_first_at is not None
    assert again(sibling).events.latest("pk").actor.endswith(" anna")
    act(staff, "put_back", sibling)
    assert queue() == [1, 2, 3]


def test_a_hold_needs_a_reason_and_is_logged_with_it(staff: Client) -> None:
    job = ask_for(1)
    assert "say why" in act(staff, "hold", job).content.decode()
    assert again(job).state == "waiting"
    act(staff, "hold", job, why="The customer called.")
    assert (again(job).state, again(job).reason) == ("held", "Held by an operator: The customer called.")
    event = again(job).events.latest("pk")
    assert (event.actor.partition(" ")[2], event.text) == ("anna", "Held by an operator: The customer called.")
    act(staff, "release", job)
    assert again(job).state == "waiting"


def test_the_buttons_of_a_jobs_page_lead_back_to_it(staff: Client) -> None:
    job = ask_for(1)
    assert "Put its order first" in page(staff, job)
    answer = act(staff, "put_first", job, from_page="yes")
    assert answer.redirect_chain[-1][0] == f"/admin/fulfillment/job/{job.pk}/change/"
    assert "Take back" in answer.content.decode()
    Job.objects.update(state="made")
    assert "Put its order first" not in page(staff, job)


def test_whoever_may_only_look_sees_no_buttons(client: Client) -> None:
    user = User.objects.create_user("bert", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(user)
    job = ask_for(1)
    assert "Put its order first" not in page(client, job)
    act(client, "put_first", job)
    assert again(job).put_first_at is None


def test_a_job_says_its_number_and_what_the_policy_says() -> None:
    first, second = in_turn(1, 2)
    said = standing.of(again(second), NOW)
    assert said.startswith("It is number 2 of 2 that wait. The policy first-come says: It was received on Wednesday")
    choosing.choose("longest-first", why="A test.", who="user:1 anna", now=NOW)
    ranking.rerank(NOW)
    assert standing.of(again(second), NOW) == (
        "It is number 1 of 2 that wait. The policy longest-first says: Its discs take one drive 1 min; "
        "more work comes before it, and about as much in order of receipt."
    )
    Job.objects.filter(pk=first.pk).update(state="made")
    assert standing.of(again(first), NOW) == ""


def test_a_job_says_who_put_it_first_who_holds_it_and_what_it_waits_for() -> None:
    job = ask_for(1)
    Job.objects.update(reason="no-writer")
    operators.put_first(job, "user:1 anna", NOW)
    said = standing.of(again(job), NOW)
    assert "It was put first by anna on Wednesday 18 November at " in said
    assert "Else the policy first-come says" in said
    assert said.endswith("Waiting for a writer of this format. The work goes on when one is back.")
    operators.hold(again(job), "user:2 bert", NOW, "The customer called.")
    operators.put_first(again(job), "user:1 anna", LATER)
    said = standing.of(again(job), NOW)
    assert said.startswith("It is held by bert on Wednesday 18 November at ")
    assert ": The customer called. It was put first by anna" in said
