"""The staff board in its states. A part of the list in `pages.py`; furnished as `pages_fleet.py` is."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

from devices.models import Writer
from fulfillment import operators, rolling
from fulfillment.models import Job, PlanRun, Shipment
from tests.gates.pages import World, visit
from tests.gates.pages_fleet import SHEETS, staff
from tests.scene import ask_for, make_image


def look(path: str = "", **query: str) -> Any:
    return staff().get(f"/staff/{path}", query)


def filled(world: World) -> list[Job]:
    """An order of each standing: late, at risk or on time, held, to pack, for the carrier."""
    now = world.plant.now = timezone.now()
    today = timezone.localdate(now)
    formats = ["cd", "dvd", "cd", "cd", "dvd", "cd", "dvd", "bd"]
    jobs = [
        ask_for(3 + number, make_image(f"disc {number}", 700_000_000), format=format_, received_at=now)
        for number, format_ in enumerate(formats)
    ]
    Job.objects.update(due=now + dt.timedelta(days=1))
    Job.objects.filter(pk=jobs[0].pk).update(due=now - dt.timedelta(hours=1))
    Job.objects.filter(pk=jobs[1].pk).update(due=now + dt.timedelta(minutes=10))
    operators.hold(Job.objects.get(pk=jobs[3].pk), "user:1 anna", now, "the customer is asked for the artwork")
    for job, state in ((jobs[4], Shipment.State.READY), (jobs[5], Shipment.State.PACKED)):
        Job.objects.filter(pk=job.pk).update(state=Job.State.MADE, covered=job.copies)
        Shipment.objects.filter(pk=job.shipment_id).update(state=state, hand_over_by=today - dt.timedelta(days=1))
    Shipment.objects.update(promised_on=today + dt.timedelta(days=2))
    rolling.roll(now)
    return jobs


@visit("board", "plant")
def whole(world: World) -> Any:
    filled(world)
    return look()


@visit("board-behind", "plant")
def behind(world: World) -> Any:
    filled(world)
    return look(show="behind", format="cd")


@visit("board-nothing-like-it", "plant")
def nothing_like_it(world: World) -> Any:
    filled(world)
    return look(q="nothing like it")


@visit("board-empty", "plant")
def empty(world: World) -> Any:
    Shipment.objects.update(state=Shipment.State.CANCELLED)
    return look()


@visit("board-no-plan", "plant")
def no_plan(world: World) -> Any:
    filled(world)
    PlanRun.objects.update(at=timezone.now() - dt.timedelta(minutes=5))
    return look()


@visit("board-now", "plant", around=f"{SHEETS}<h1>Orders</h1>{{}}")
def fragment(world: World) -> Any:
    filled(world)
    return look("now/")


@visit("what-if", "plant")
def what_if(world: World) -> Any:
    jobs = filled(world)
    return look("what-if/", first=jobs[6].order, like=str(Writer.objects.get(name="Writer 2").pk))


@visit("what-if-asked", "plant")
def what_if_asked(world: World) -> Any:
    filled(world)
    return look("what-if/")


@visit("what-if-error", "plant", status=422)
def what_if_error(world: World) -> Any:
    filled(world)
    return look("what-if/", first="S-nothing", drain="nobody")


@visit("what-if-no-plan", "plant")
def what_if_no_plan(world: World) -> Any:
    PlanRun.objects.all().delete()
    return look("what-if/")
