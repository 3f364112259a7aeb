"""The policy in force: what may be chosen, and how the queue is ranked anew while jobs come and go."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from archive.models import Image
from fulfillment import choosing, ranking
from fulfillment.models import Job, PolicyChoice
from fulfillment.planning.cost import prior_rates
from fulfillment.planning.policies import BUILT_IN
from fulfillment.planning.ranks import full_rank
from tests.browser.demo import ROOT
from tests.scene import NOW, ask_for, make_image

HERE = "tests.fulfillment.own_policies"


def choose(policy: str) -> PolicyChoice:
    return choosing.choose(policy, why="A test.", who="user:1 anna", now=NOW)


def queue() -> list[int]:
    """The open jobs in the order of their rows, by the number of their copies."""
    return list(Job.objects.filter(state__in=Job.OPEN).order_by("rank").values_list("copies", flat=True))


# --- What may be chosen ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere.Policy", "No module named 'nowhere'"),
        ("fulfillment.planning.policies.Nobody", "Nobody"),
        ("nonsense", "nonsense"),
        (f"{HERE}.Nameless", "it has no name"),
        (f"{HERE}.Rankless", "it has no rank(job)"),
        (f"{HERE}.Exploding", "OSError: no such file"),
        (f"{HERE}.Raising", "KeyError: 'customer'"),
        (f"{HERE}.Nan", "NaN"),
        (f"{HERE}.Listing", "tuple of numbers"),
        (f"{HERE}.Wordy", "at most 5 numbers"),
        (f"{HERE}.Losing", "1 lost"),
        (f"{HERE}.Inventing", "1 not known"),
        (f"{HERE}.Doubling", "and gave 5"),
        (f"nowhere.{'x' * 200}", "longer than 200"),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_with_what_is_wrong(path: str, said: str) -> None:
    with pytest.raises(choosing.Unusable) as raised:
        choosing.check(path)
    assert said in str(raised.value)


@pytest.mark.parametrize("path", [*BUILT_IN, "fulfillment.planning.policies.FirstCome", f"{HERE}.Plain"])
def test_a_built_in_name_and_a_path_of_the_least_class_will_do(path: str) -> None:
    choosing.check(path)


@pytest.mark.parametrize("program", [["manage.py", "check"], ["-c", "import django; django.setup()"]])
def test_a_bad_setting_stops_the_shop_at_its_start(program: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env=os.environ | {"SPINDLE_POLICY": "nowhere.Policy", "DJANGO_SETTINGS_MODULE": "storefront.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "SPINDLE_POLICY='nowhere.Policy' can't be used: it can't be imported" in done.stderr
    assert "Set it to a dotted path" in done.stderr


# --- Which is in force ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_without_a_choice_the_setting_is_in_force_and_the_newest_choice_after_it(settings: Settings) -> None:
    settings.SPINDLE_POLICY = "earliest-due"
    assert ranking.in_force(NOW).name == "earliest-due"
    choose("shortest-first")
    choose(f"{HERE}.Plain")
    with CaptureQueriesContext(connection) as queries:
        assert ranking.in_force(NOW).name == "largest-number-first"
    assert len(queries) == 1


@pytest.mark.django_db
def test_a_choice_ranks_the_queue_anew_in_chunks_while_jobs_come_and_go() -> None:
    for copies in (3, 1, 2, 5, 4):
        ask_for(copies)
    choose(f"{HERE}.Plain")
    assert ranking.rerank(NOW, most=2) == 2
    ask_for(6)
    Job.objects.filter(copies=5).update(state="cancelled")
    while ranking.rerank(NOW, most=2):
        ask_for(2)
    assert queue()[:3] == [6, 4, 3]
    assert queue() == sorted(queue(), reverse=True)
    assert set(Job.objects.filter(state__in=Job.OPEN).values_list("ranked_by", flat=True)) == {
        ranking.in_force(NOW).ranked_by
    }
    assert ranking.rerank(NOW) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("policy", BUILT_IN)
def test_after_the_last_chunk_the_rows_stand_in_the_policys_order(policy: str) -> None:
    for number, copies in enumerate((3, 1, 20, 5)):
        job = ask_for(copies, received_at=NOW + dt.timedelta(minutes=number))
        Job.objects.filter(pk=job.pk).update(priority=number % 2, due=NOW + dt.timedelta(hours=50 - 10 * number))
    choose(policy)
    while ranking.rerank(NOW, most=3):
        pass
    jobs = list(Job.objects.select_related("image"))
    expected = sorted(jobs, key=lambda job: full_rank(BUILT_IN[policy](), ranking.view_of(job)))
    assert list(Job.objects.order_by("rank")) == expected


@pytest.mark.django_db
def test_a_job_whose_image_is_made_is_ranked_by_its_work() -> None:
    choose("longest-first")
    large = make_image("large", 600_000_000)
    size = large.size
    Image.objects.filter(pk=large.pk).update(sha256=None, size=None, state="waiting")
    large.refresh_from_db()
    unmade, small = ask_for(2, large), ask_for(1)
    assert (unmade.work_seconds, queue()) == (None, [1, 2])
    assert ranking.rerank(NOW) == 0
    Image.objects.filter(pk=large.pk).update(sha256="ab" * 32, size=size, state="ready")
    assert ranking.rerank(NOW) == 1
    unmade.refresh_from_db()
    assert unmade.work_seconds is not None
    assert unmade.work_seconds > (small.work_seconds or 0.0)
    assert queue() == [2, 1]


@pytest.mark.django_db
def test_a_row_that_changed_since_it_was_read_is_left_to_the_next_tick() -> None:
    job = ask_for(1)
    choose("earliest-due")
    stale = Job.objects.select_related("image").get()
    assert ranking.rerank(NOW) == 1
    kept = Job.objects.get().rank
    ranking.place(stale, ranking.in_force(NOW), prior_rates())
    stale.rank = "another tick's"
    assert ranking._keep(stale, job.ranked_by) == 0
    assert Job.objects.get().rank == kept
