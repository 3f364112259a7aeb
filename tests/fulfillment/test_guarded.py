"""A policy that fails never stops work: from then on the order of receipt, until somebody chooses again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from pytest_django import Settings

from devices.models import Write
from fulfillment import choosing, guarded, ranking
from fulfillment.guarded import Guarded
from fulfillment.models import Job, PlanRun, PolicyChoice
from fulfillment.planning.model import JobView
from fulfillment.planning.policies import ByRank
from storefront import alerts
from storefront.models import Alert
from tests.fulfillment import own_policies
from tests.fulfillment.planning.fleets import job
from tests.scene import NOW, Plant, ask_for, make_image

HERE = "tests.fulfillment.own_policies"
EARLY, LATE = job("early", received_at=1.0, sequence=2), job("late", received_at=2.0, sequence=1, copies=9)
PUT_FIRST = replace(job("put first", received_at=3.0, sequence=3), put_first=5.0)


class Watch:
    """A clock that a policy moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(ByRank):
    """Takes so many seconds at each of its first calls."""

    name = "slow"

    def __init__(self, watch: Watch, seconds: float, calls: int = 10**6) -> None:
        self.watch, self.seconds, self.calls = watch, seconds, calls

    def _take(self) -> None:
        self.watch.now += self.seconds if self.calls > 0 else 0.0
        self.calls -= 1

    def rank(self, job: JobView) -> tuple[float, ...]:
        self._take()
        return (-float(job.copies),)

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        self._take()
        return head[::-1]


class Late(ByRank):
    """The tick's time ends while it is asked."""

    name = "late"

    def __init__(self, watch: Watch, seconds: float) -> None:
        self.watch, self.seconds = watch, seconds

    def rank(self, job: JobView) -> tuple[float, ...]:
        self.watch.now += self.seconds
        raise SoftTimeLimitExceeded


def guard(policy: object, seconds: Callable[[], float] = lambda: 0.0) -> tuple[Guarded, list[str]]:
    noted: list[str] = []

    def note(text: str) -> str:
        noted.append(text)
        return "failed"

    return Guarded(policy, "own", note, seconds=seconds), noted


@pytest.fixture
def turning() -> Iterator[type[own_policies.Turning]]:
    yield own_policies.Turning
    own_policies.Turning.broken = False


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (own_policies.Raising, "KeyError: 'customer'"),
        (own_policies.Nan, "ValueError: rank gave NaN"),
        (own_policies.Listing, "tuple of numbers"),
        (own_policies.Wordy, "at most 5"),
        (own_policies.Losing, "1 lost"),
        (own_policies.Inventing, "1 not known"),
        (own_policies.Doubling, "gave 3"),
    ],
)
def test_nonsense_leaves_the_order_of_receipt_and_is_noted_once(made: type[ByRank], said: str) -> None:
    policy, noted = guard(made())
    for each in (EARLY, LATE):
        policy.rank(each)
    assert policy.reorder([LATE, EARLY], 0.0) == [EARLY, LATE]
    assert (policy.rank(LATE), policy.name, policy.ranked_by) == ((), "first-come", "failed")
    assert "received" in policy.explain(LATE)
    assert len(noted) == 1
    assert said in noted[0]


def test_what_was_put_first_stays_first_whatever_a_policy_does() -> None:
    watch = Watch()
    for policy, _ in (guard(Slow(watch, 0.0), watch), guard(own_policies.Losing())):
        assert policy.reorder([PUT_FIRST, EARLY, LATE], 0.0)[0] == PUT_FIRST


def test_a_policy_without_reorder_and_explain_has_those_of_rank() -> None:
    policy, noted = guard(own_policies.Plain())
    assert policy.reorder([LATE, EARLY], 0.0) == [LATE, EARLY]
    assert policy.explain(LATE) == "largest-number-first says no more than its rank."
    assert not noted


def test_a_policy_that_cannot_explain_still_orders(caplog: pytest.LogCaptureFixture) -> None:
    policy, noted = guard(own_policies.Silent())
    assert policy.explain(LATE) == "largest-number-first can't say why: LookupError: no words."
    assert policy.rank(LATE) == (-9.0,)
    assert not noted


@pytest.mark.parametrize("ask", ["rank", "reorder"])
def test_what_is_slow_twice_is_put_out_of_force_and_a_sleepy_machine_is_not(ask: str) -> None:
    bound = guarded.RANK_SECONDS if ask == "rank" else guarded.REORDER_SECONDS
    arguments = (LATE,) if ask == "rank" else ([EARLY, LATE], 0.0)
    for calls, failed in ((1, False), (2, True)):
        watch = Watch()
        policy, noted = guard(Slow(watch, bound * 1.01, calls), watch)
        getattr(policy, ask)(*arguments)
        assert policy.failed is failed
        assert bool(noted) is failed


def test_many_ranks_may_not_take_long_together() -> None:
    watch = Watch()
    policy, noted = guard(Slow(watch, 0.010), watch)
    for _ in range(200):
        policy.rank(EARLY)
    assert policy.failed
    assert watch.now < guarded.RANKS_SECONDS + 0.1
    assert "ranks took 1.0 s" in noted[0]
    watch = Watch()
    quick, _ = guard(Slow(watch, 0.0015), watch)
    for _ in range(2000):
        quick.rank(EARLY)
    assert not quick.failed


@pytest.mark.parametrize(("seconds", "failed"), [(0.001, False), (20.0, True)])
def test_the_end_of_the_ticks_time_is_the_fault_of_who_took_it(seconds: float, failed: bool) -> None:
    watch = Watch()
    policy, _ = guard(Late(watch, seconds), watch)
    with pytest.raises(SoftTimeLimitExceeded):
        policy.rank(EARLY)
    assert policy.failed is failed


# --- In the plant ---------------------------------------------------------------------------------


def queue() -> list[int]:
    return list(Job.objects.filter(state__in=Job.OPEN).order_by("rank").values_list("copies", flat=True))


def choose(policy: str) -> PolicyChoice:
    return choosing.choose(policy, why="A test.", who="user:1 anna", now=NOW)


def open_alerts() -> list[tuple[str, str]]:
    alerts.watch(NOW)
    return [(alert.kind, alert.text) for alert in Alert.objects.filter(closed_at=None, kind="policy-failed")]


def test_work_goes_on_when_the_policy_fails_and_staff_is_told_until_somebody_chooses_again(
    plant: Plant, turning: type[own_policies.Turning]
) -> None:
    choice = choose(f"{HERE}.Turning")
    for at, copies in enumerate((1, 3, 2)):
        ask_for(copies, make_image(f"image-{at}"), received_at=NOW + dt.timedelta(seconds=at))
    assert queue() == [3, 2, 1]
    turning.broken = True
    plant.turn()
    choice.refresh_from_db()
    assert choice.failure == "ZeroDivisionError: division by zero"
    assert choice.failed_at == plant.now
    assert Write.objects.exists(), "work stands still"
    assert queue() == [1, 3, 2]
    assert PlanRun.objects.latest().policy == "first-come"
    ((_, text),) = open_alerts()
    assert "ZeroDivisionError: division by zero" in text
    assert "choose" in text

    turning.broken = False
    plant.turn()
    assert queue() == [1, 3, 2], "it came back into force by itself"

    choose(f"{HERE}.Turning")
    plant.turn()
    assert queue() == [3, 2, 1]
    assert open_alerts() == []


@pytest.mark.django_db
def test_an_order_is_accepted_while_the_policy_fails(turning: type[own_policies.Turning]) -> None:
    choice = choose(f"{HERE}.Turning")
    turning.broken = True
    job = ask_for(2)
    choice.refresh_from_db()
    assert choice.failure
    assert job.ranked_by == ranking.in_force(NOW).ranked_by


@pytest.mark.django_db
def test_a_choice_that_can_no_more_be_imported_falls_back() -> None:
    choice = choose("gone.Policy")
    assert ranking.in_force(NOW).name == "first-come"
    choice.refresh_from_db()
    assert choice.failure == "gone.Policy: it can't be imported: ModuleNotFoundError: No module named 'gone'"


@pytest.mark.django_db
def test_a_setting_that_fails_gets_a_row_that_no_choice_is_hidden_by(settings: Settings) -> None:
    settings.SPINDLE_POLICY = f"{HERE}.Raising"
    ask_for(1)
    ask_for(2)
    (row,) = PolicyChoice.objects.all()
    assert (row.policy, row.chosen_by, row.failure) == (f"{HERE}.Raising", "setting", "KeyError: 'customer'")
    assert open_alerts() != []
    settings.SPINDLE_POLICY = "earliest-due"
    assert ranking.in_force(NOW).name == "earliest-due"
    settings.SPINDLE_POLICY = f"{HERE}.Raising"
    choose("shortest-first")
    assert ranking.in_force(NOW).name == "shortest-first"
    assert open_alerts() == []


@pytest.mark.django_db
def test_two_processes_that_fail_note_the_first_failure_only() -> None:
    choice = choose(f"{HERE}.Plain")
    mine, others = ranking.in_force(NOW), ranking.in_force(NOW)
    for each, error in ((mine, "first"), (others, "second")):
        each._fail(ValueError(error))
    choice.refresh_from_db()
    assert choice.failure == "ValueError: first"
    assert mine.ranked_by == others.ranked_by == ranking.in_force(NOW).ranked_by
