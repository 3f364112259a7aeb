"""Dates under policies by which one order overtakes another, from the shop's own rows."""

from __future__ import annotations

import datetime as dt

import pytest

from fulfillment import arrivals, choosing, plan_runs, quotes, ranking, rolling
from fulfillment.models import Job, PlanRun
from fulfillment.planning.overtaking import LEAST
from fulfillment.quotes import Wanted
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = pytest.mark.postgres
LARGE = 300_000 * 2048
HOUR = dt.timedelta(hours=1)


def choose(policy: str) -> None:
    choosing.choose(policy, why="A test.", who="user:1 anna", now=NOW - 2 * HOUR)


def wait_in_line(jobs: int, due: dt.datetime, copies: int = 40) -> None:
    for number in range(jobs):
        job = ask_for(copies, make_image("large", LARGE), received_at=NOW - HOUR + dt.timedelta(seconds=number))
        Job.objects.filter(pk=job.pk).update(due=due, ranked_by="")
    ranking.rerank(NOW)


def ready_at(copies: int = 1) -> dt.datetime:
    (option, *_) = quotes.options([Wanted(make_image("large", LARGE), "cd", copies)], "DE", NOW)
    assert option.ready_at is not None
    return option.ready_at


def test_an_order_is_quoted_before_what_is_due_later(plant: Plant) -> None:
    wait_in_line(6, NOW + dt.timedelta(days=60))
    rolling.roll(NOW)
    behind_all = ready_at()
    choose("earliest-due")
    ranking.rerank(NOW)
    rolling.roll(NOW)
    assert ready_at() - NOW < (behind_all - NOW) / 4


def test_and_behind_what_is_due_before_it(plant: Plant) -> None:
    choose("earliest-due")
    wait_in_line(6, NOW + dt.timedelta(minutes=5))
    rolling.roll(NOW)
    finish = max(PlanRun.objects.latest("pk").jobs["finishes"].values())
    assert ready_at().timestamp() > finish


def test_a_run_of_another_policy_than_the_one_in_force_says_when_all_of_it_is_made(plant: Plant) -> None:
    choose("earliest-due")
    wait_in_line(6, NOW + dt.timedelta(days=60))
    rolling.roll(NOW)
    overtaking = ready_at()
    choose("first-come")
    assert ready_at() - NOW > 4 * (overtaking - NOW)


def test_what_jobs_are_to_come_is_read_from_those_of_late_and_stored_with_the_run(plant: Plant) -> None:
    choose("high-priority")
    assert arrivals.expected(NOW) is None
    wait_in_line(LEAST, NOW + HOUR, copies=2)
    expected = arrivals.expected(NOW)
    assert expected is not None
    assert expected.seconds == pytest.approx(3600 / LEAST)
    assert {job.copies for job in expected.jobs} == {2}
    rolling.roll(NOW)
    run = PlanRun.objects.latest("pk")
    assert plan_runs.seen(run).coming == plan_runs.standing(run).coming == expected


def test_who_comes_first_by_receipt_asks_nothing_of_late(plant: Plant) -> None:
    wait_in_line(LEAST, NOW + HOUR, copies=2)
    rolling.roll(NOW)
    standing = plan_runs.standing(PlanRun.objects.latest("pk"))
    assert (standing.coming, standing.marks) == (None, ())


def test_a_run_in_which_jobs_are_overtaken_replays_to_the_second(plant: Plant) -> None:
    choose("earliest-due")
    wait_in_line(LEAST, NOW + HOUR / 6)
    Job.objects.filter(pk=ask_for(1, make_image("large", LARGE)).pk).update(due=None, ranked_by="")
    ranking.rerank(NOW)
    rolling.roll(NOW)
    run = PlanRun.objects.latest("pk")
    again, projection = plan_runs.reckon(plan_runs.seen(run), ranking.in_force(NOW), run.at, plan_runs.belief(run))
    assert any(forecast.begins for forecast in projection.forecasts.values())
    assert (again.projection, again.jobs) == (run.projection, run.jobs)
    assert plan_runs.read(run) == projection
