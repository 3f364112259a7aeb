"""Work that fails each time is set aside after three tries, and never stops its siblings."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from devices import dispatch, errands, lifecycle, reports, tasks, trouble
from devices.dispatch import images
from devices.models import Trouble, Write, Writer
from devices.states import WriteState
from devices.testing import Answer
from tests.devices.conftest import Plant, states
from tests.scene import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

STEP = "devices.test"
LATER = dt.timedelta(minutes=1)


def broken(write: Write) -> None:
    raise ValueError(f"{write.title} is poison")


def rows_of(plant: Plant) -> list[Write]:
    return [plant.queue(title="One"), plant.queue(title="Two"), plant.queue(title="Three")]


def test_a_row_that_fails_is_noted_and_its_siblings_are_done(plant: Plant) -> None:
    done: list[str] = []

    def work(write: Write) -> None:
        if write.title == "Two":
            broken(write)
        done.append(write.title)

    assert trouble.each(STEP, rows_of(plant), work, NOW) == 2
    assert done == ["One", "Three"]
    (noted,) = Trouble.objects.all()
    assert (noted.tries, noted.reason, noted.set_aside_at) == (1, "ValueError: Two is poison", None)


def test_the_third_failure_sets_it_aside_and_try_again_brings_it_back(plant: Plant) -> None:
    write, now, tried = plant.queue(), NOW, []

    def work(row: Write) -> None:
        tried.append(row.pk)
        broken(row)

    for _ in range(6):
        trouble.each(STEP, [write], work, now)
        now += LATER
    noted = Trouble.objects.get()
    assert len(tried) == noted.tries == trouble.TRIES == 3
    assert noted.set_aside_at is not None
    assert trouble.left_alone(STEP, now) == [str(write.pk)]
    assert trouble.try_again(noted, now)
    assert trouble.each(STEP, [write], lambda row: None, now) == 1
    assert not Trouble.objects.exists()


def test_between_two_tries_there_is_a_pause(plant: Plant) -> None:
    write = plant.queue()
    trouble.each(STEP, [write], broken, NOW)
    trouble.each(STEP, [write], broken, NOW + dt.timedelta(seconds=4))
    assert Trouble.objects.get().tries == 1
    trouble.each(STEP, [write], broken, NOW + dt.timedelta(seconds=5))
    assert Trouble.objects.get().tries == 2


def test_a_deadlock_is_nobodys_fault(plant: Plant) -> None:
    def deadlock(write: Write) -> None:
        raise OperationalError("deadlock detected")

    assert trouble.each(STEP, rows_of(plant), deadlock, NOW) == 0
    assert not Trouble.objects.exists()


def database_says(words: str, **codes: object) -> Callable[[Write], None]:
    """As Django raises it: from the driver's own exception, which has the code."""

    def work(write: Write) -> None:
        cause = Exception(words)
        cause.__dict__.update(codes)
        raise OperationalError(words) from cause

    return work


@pytest.mark.parametrize(
    ("codes", "counted"),
    [
        ({"sqlite_errorcode": sqlite3.SQLITE_ERROR}, 3),  # too many SQL variables
        ({"sqlite_errorcode": sqlite3.SQLITE_BUSY_SNAPSHOT}, 0),
        ({"sqlite_errorcode": sqlite3.SQLITE_FULL}, 0),
        ({"sqlstate": "57014"}, 3),  # statement timeout
        ({"sqlstate": "40P01"}, 0),
        ({"sqlstate": "55P03"}, 0),
        ({"sqlstate": "57P01"}, 0),
        ({"sqlstate": "08006"}, 0),
        ({"sqlstate": None}, 0),  # psycopg's own: the connection is gone
    ],
)
def test_what_the_database_says_of_each_row_itself_is_counted(
    plant: Plant, codes: dict[str, object], counted: int
) -> None:
    trouble.each(STEP, rows_of(plant), database_says("no", **codes), NOW)
    assert Trouble.objects.count() == counted


def test_a_row_that_was_not_come_to_is_as_it_was(plant: Plant) -> None:
    write = plant.queue()
    for turn in range(2):
        trouble.each(STEP, [write], broken, NOW + turn * LATER)

    def not_now(row: Write) -> None:
        raise trouble.NotTried

    assert trouble.each(STEP, [write], not_now, NOW + 2 * LATER) == 0
    assert Trouble.objects.get().tries == 2
    trouble.each(STEP, [write], broken, NOW + 3 * LATER)
    assert Trouble.objects.get().set_aside_at == NOW + 3 * LATER


def test_what_an_agent_says_can_be_stored_whatever_it_is(plant: Plant) -> None:
    write = plant.queue()
    trouble.note(STEP, write, ValueError("it said \x00 and\na second line" + "!" * 2000), NOW)
    reason = Trouble.objects.get().reason
    assert reason.startswith("ValueError: it said   and a second line!")
    assert len(reason) == 1000


def test_one_row_alone_is_not_to_blame_for_what_is_broken_without_it(plant: Plant) -> None:
    def total(rows: list[Write]) -> int:
        raise KeyError("a writer without drives")

    with pytest.raises(KeyError):
        trouble.together(STEP, [plant.queue()], total, NOW)
    assert not Trouble.objects.exists()


def test_the_end_of_the_tasks_time_is_no_rows_fault_when_all_are_done_at_once(plant: Plant) -> None:
    runs: list[int] = []

    def slow(rows: list[Write]) -> int:
        runs.append(len(rows))
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        trouble.together(STEP, rows_of(plant), slow, NOW)
    assert runs == [3]

    def slow_in_halves(rows: list[Write]) -> int:
        runs.append(len(rows))
        raise ValueError if len(rows) == 3 else SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        trouble.together(STEP, rows_of(plant), slow_in_halves, NOW)
    assert not Trouble.objects.exists()


def test_the_trouble_of_a_write_ends_with_the_write(plant: Plant) -> None:
    open_, over = plant.queue(), plant.queue()
    for write in (open_, over):
        for turn in range(trouble.TRIES):
            trouble.note(errands.GIVE, write, ValueError("no"), NOW + turn * LATER)
    lifecycle.request_cancel(over, now=NOW, actor="anna")
    Writer.objects.update(enabled=False)  # nobody is to be visited
    tasks.tick()
    assert [noted.row for noted in Trouble.objects.all()] == [str(open_.pk)]


def test_of_many_rows_those_that_break_the_whole_are_found(plant: Plant) -> None:
    writes = [plant.queue(title=f"{number}") for number in range(9)]

    def total(rows: list[Write]) -> int:
        return sum(100 // (int(row.title) - 6) for row in rows)

    kept, _ = trouble.together(STEP, writes, total, NOW)
    assert [write.title for write in kept] == ["0", "1", "2", "3", "4", "5", "7", "8"]
    assert Trouble.objects.get().row == str(writes[6].pk)


def test_what_fails_for_every_row_is_no_rows_fault(plant: Plant) -> None:
    def total(rows: list[Write]) -> int:
        return len(rows) // 0

    with pytest.raises(ZeroDivisionError):
        trouble.together(STEP, rows_of(plant), total, NOW)
    assert not Trouble.objects.exists()


def test_a_write_that_its_agent_always_fails_is_set_aside_and_the_next_one_is_given(plant: Plant) -> None:
    poison, healthy = plant.queue(), plant.queue()
    plant.agent.will_answer(f"PUT /v1/writes/{poison.uuid}", *[Answer(500)] * 9)
    for _ in range(5):
        plant.attend()
        plant.clock.pass_(seconds=60)
        plant.report()
    healthy.refresh_from_db()
    assert healthy.state == "accepted"
    noted = Trouble.objects.get()
    assert (noted.step, noted.row, noted.set_aside_at is not None) == ("devices.give-write", str(poison.pk), True)
    assert plant.keywords() == []
    plant.agent.next_answers.clear()
    trouble.try_again(noted, plant.clock.now)
    plant.attend()
    poison.refresh_from_db()
    assert poison.state == "accepted"


def test_a_write_that_a_slow_visit_does_not_come_to_keeps_its_tries(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = plant.queue()
    plant.agent.will_answer(f"PUT /v1/writes/{poison.uuid}", *[Answer(500)] * 9)
    for budget in (30.0, 30.0, -1.0):
        monkeypatch.setattr(dispatch, "BUDGET", budget)
        plant.attend()
        plant.clock.pass_(seconds=60)
        plant.report()
    assert Trouble.objects.get().tries == 2


def test_a_write_whose_image_is_not_looked_at_keeps_its_tries(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    write = plant.queue()
    for turn in range(2):
        trouble.note(errands.GIVE, write, ValueError("no"), plant.clock.now + turn * LATER)
    plant.clock.pass_(seconds=180)
    plant.report()
    monkeypatch.setattr(images, "MOST_IMAGES", 0)
    plant.attend()
    assert Trouble.objects.get().tries == 2


def test_a_cancellation_of_which_the_second_call_fails_is_tried_again(plant: Plant) -> None:
    write = plant.queue()
    lifecycle.move_write(write, WriteState.SENT, now=NOW, actor="tick")
    lifecycle.request_cancel(write, now=NOW, actor="anna")
    plant.agent.will_answer(f"GET /v1/writes/{write.uuid}", Answer(500))
    plant.attend()
    assert Write.objects.get().state == "sent"
    plant.clock.pass_(seconds=10)
    plant.attend()
    assert Write.objects.get().state == "cancelled"


def test_an_agent_that_fails_altogether_is_the_writers_trouble(plant: Plant) -> None:
    plant.queue()
    plant.agent.will_answer("GET", *[Answer(502)] * 3)
    plant.attend()
    assert plant.keywords() == ["connecting-to-device"]
    assert not Trouble.objects.exists()


def test_a_result_that_can_not_be_booked_does_not_stop_the_others(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, healthy = plant.accepted(2), plant.accepted(2)
    plant.agent.make_all()
    finish = lifecycle.finish_write

    def fail(write: Write, **arguments: object) -> bool:
        if write.pk == poison.pk:
            raise lifecycle.MoveForbidden("no such move")
        return finish(write, **arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(lifecycle, "finish_write", fail)
    assert plant.report().recorded == (healthy.uuid,)  # the other one stays in the agent's state
    assert (states(poison), states(healthy)) == (["planned", "planned"], ["good", "good"])
    monkeypatch.undo()
    plant.clock.pass_(seconds=6)
    plant.agent.sequence += 1
    assert plant.report().recorded == (poison.uuid,)
    assert not Trouble.objects.exists()


def test_a_fault_of_a_visit_is_a_reason_on_the_writer(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.dispatch._ask_if_silent", lambda visit: 1 / 0)
    plant.attend()
    assert plant.keywords() == ["writer-failure"]
    assert "ZeroDivisionError" in plant.writer.reasons[0]["text"]
    assert plant.writer.failures == 1


def test_what_an_overtaken_visit_heard_of_its_call_no_longer_counts(plant: Plant) -> None:
    """A worker sleeps between its call and its note of it; another one sends the write again meanwhile."""
    write = plant.queue()
    lifecycle.move_write(write, WriteState.SENT, now=NOW, actor="tick")
    slept = Write.objects.get()
    assert lifecycle.mark_sent_again(Write.objects.get(), now=NOW + LATER)
    assert not lifecycle.move_write(slept, WriteState.QUEUED, now=NOW, actor="tick", reason="image-missing")
    assert Write.objects.get().state == "sent"


def test_a_restarted_agent_is_visited_at_once(plant: Plant) -> None:
    Writer.objects.update(failures=3, retry_at=plant.clock.now + dt.timedelta(seconds=40))
    plant.agent.restart()
    reports.take_report(plant.writer, plant.agent.state(), plant.clock.now)
    assert plant.writer.retry_at is None


def test_try_again_is_one_click_in_the_admin(plant: Plant, client: Client) -> None:
    write = plant.queue()
    for turn in range(3):
        trouble.each(STEP, [write], broken, NOW + turn * LATER)
    client.force_login(User.objects.create_superuser("anna"))
    noted = Trouble.objects.get()
    page = client.get("/admin/devices/trouble/")
    assert b"ValueError: Nine songs is poison" in page.content
    answer = client.post(
        "/admin/devices/trouble/", {"action": "try_again", "_selected_action": [noted.pk]}, follow=True
    )
    assert b"1 will be tried again at once" in answer.content
    noted.refresh_from_db()
    assert (noted.tries, noted.set_aside_at) == (0, None)
