"""What the plant's own discs and fetches teach, and that planning reckons with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices import lifecycle, wishes
from devices.intake import ImageRef
from devices.models import CachedImage, Disc, ImageRequest, Write, Writer
from devices.states import DiscState, RequestState
from fulfillment import foreseeing, learning, open_jobs, plan_runs, ranking, rolling, snapshot
from fulfillment.models import ForecastMemory, Job, LearnedRate, LearningMark, WriteShare
from fulfillment.planning.cost import PRIOR_LOAD, disc_seconds, prior_rates
from fulfillment.planning.experience import Experience
from tests.at_once import at_once
from tests.scene import NOW, Plant, ask_for, make_image, running_plant

pytestmark = pytest.mark.postgres

MB = 1_000_000
SIZE = 500 * MB  # a CD that takes the prior 15 s + 200 s
LATER = NOW + timedelta(minutes=5)

_serials = count(1)


def finish(
    writer: Writer,
    seconds: float,
    *,
    drive: str = "d1",
    state: DiscState = DiscState.GOOD,
    verified: str = "digest",
    at: datetime = NOW,
    **disc: object,
) -> Disc:
    """A disc that took so long, by its agent's clock. at: when that was booked, by the server's."""
    write = Write.objects.create(
        uuid=uuid4(),
        writer=writer,
        image_sha256="ab" * 32,
        image_size=SIZE,
        layout="iso",
        format="cd",
        title="Nine songs",
        copies=1,
        state="done",
        queued_at=NOW,
        changed_at=NOW,
        revision_read=99,
        revision=99,
    )
    made = Disc.objects.create(write=write, serial=f"LEARN{next(_serials):08d}", drive=drive)
    times = {"started_at": NOW, "finished_at": NOW + timedelta(seconds=seconds), **disc}
    lifecycle.move_disc(made, state, now=at, actor="test", verified=verified, **times)
    return made


def fetch(writer: Writer, size: int, seconds: float) -> ImageRequest:
    sha256 = f"{next(_serials):064x}"
    wishes.have_image(writer, ImageRef(sha256, size, "iso"), title="A film", actor="test", now=NOW)
    request = ImageRequest.objects.get(sha256=sha256)
    lifecycle.end_request(request, RequestState.DONE, now=NOW + timedelta(seconds=seconds), actor="test")
    return request


def learned(**which: object) -> list[tuple[str, str, str, int]]:
    return list(LearnedRate.objects.filter(**which).values_list("drive", "kind", "format", "samples"))


def test_a_slower_drive_is_reckoned_with_by_itself_and_its_writer_as_well(plant: Plant) -> None:
    for seconds in [200] * 12 + [400] * 20:
        finish(plant.writer, PRIOR_LOAD + seconds)
    assert learning.learn_from_log(LATER) == 32
    row = LearnedRate.objects.get()
    assert (row.writer, row.drive, row.kind, row.format) == (plant.writer, "d1", "speed", "cd")
    assert row.told(row.used) == "1.25 MB/s"
    assert row.resets == 1
    assert "times as long as was expected" in row.reset_why
    assert row.reset_at == LATER
    (view,) = snapshot.take([], NOW).writers
    assert disc_seconds(view.rates, SIZE, "cd") == pytest.approx(PRIOR_LOAD + 400, rel=0.02)
    own = {drive.id: drive.rates for drive in view.drives}
    assert own["d1"] is not None
    assert disc_seconds(own["d1"], SIZE, "cd") == pytest.approx(PRIOR_LOAD + 400, rel=0.02)
    assert own["d2"] is None
    assert disc_seconds(view.rates, SIZE, "dvd") == disc_seconds(prior_rates(), SIZE, "dvd")


def test_a_disc_teaches_once_however_often_it_is_looked_for(plant: Plant) -> None:
    finish(plant.writer, 300)
    assert [learning.learn_from_log(LATER) for _ in range(3)] == [1, 0, 0]
    assert learned() == [("d1", "speed", "cd", 1)]


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_learn_each_disc_once(plant: Plant) -> None:
    for _ in range(8):
        finish(plant.writer, 215)
    assert sum(at_once(*[lambda: learning.learn_from_log(LATER)] * 4)) == 8
    assert learned() == [("d1", "speed", "cd", 8)]


def test_a_tick_that_read_the_mark_before_another_one_moved_it_learns_nothing(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(plant.writer, 215)
    stale, _ = LearningMark.objects.get_or_create(pk=1)
    learning.learn_from_log(LATER)
    monkeypatch.setattr(LearningMark.objects, "get_or_create", lambda **_: (stale, False))
    assert learning.learn_from_log(LATER) == 0
    assert learned() == [("d1", "speed", "cd", 1)]


def test_a_tick_learns_from_a_bounded_number_and_goes_on_with_the_next(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning.learn_from_log(LATER)
    monkeypatch.setattr(learning, "AT_ONCE", 3)
    for _ in range(7):
        finish(plant.writer, 215)
    assert [learning.learn_from_log(LATER) for _ in range(4)] == [3, 3, 1, 0]


def test_the_last_minute_is_left_to_settle(plant: Plant) -> None:
    finish(plant.writer, 215)
    assert learning.learn_from_log(NOW + timedelta(seconds=59)) == 0
    assert learning.learn_from_log(NOW + timedelta(seconds=60)) == 1


def test_an_event_that_is_not_settled_is_not_passed_over_for_a_later_one_with_an_earlier_time(plant: Plant) -> None:
    """A tick that lasts stamps what it writes with the moment at which it began."""
    learning.learn_from_log(LATER)
    for at in (NOW + timedelta(seconds=30), NOW):
        finish(plant.writer, 215, at=at)
    assert learning.learn_from_log(NOW + timedelta(seconds=70)) == 0
    assert learning.learn_from_log(NOW + timedelta(seconds=90)) == 2


def test_a_clock_that_was_ahead_for_a_while_does_not_end_learning(plant: Plant) -> None:
    finish(plant.writer, 215, at=NOW + timedelta(days=365))
    finish(plant.writer, 215)
    assert learning.learn_from_log(LATER) == 2


def test_what_did_not_run_to_its_end_or_was_not_timed_teaches_nothing(plant: Plant) -> None:
    finish(plant.writer, 215, state=DiscState.UNKNOWN)
    finish(plant.writer, 20, state=DiscState.BAD, verified="none")
    finish(plant.writer, -3600)
    finish(plant.writer, 215, drive="")
    finish(plant.writer, 0, started_at=None)
    finish(plant.writer, 900, spoilt=1)
    assert learning.learn_from_log(LATER) == 0
    assert learned() == []


def test_a_bad_disc_that_was_read_back_teaches(plant: Plant) -> None:
    finish(plant.writer, 215, state=DiscState.BAD)
    assert learning.learn_from_log(LATER) == 1


def test_a_disc_that_lay_there_for_an_hour_moves_little(plant: Plant) -> None:
    for _ in range(15):
        finish(plant.writer, 215)
    finish(plant.writer, 3600)
    learning.learn_from_log(LATER)
    row = LearnedRate.objects.get()
    assert row.used == pytest.approx(row.prior, rel=0.03)


def test_a_fixed_value_is_used_and_goes_on_learning_beside_it(plant: Plant) -> None:
    finish(plant.writer, 215)
    learning.learn_from_log(LATER)
    LearnedRate.objects.update(fixed=5.0, fixed_why="A new drive is in.", fixed_by="user:1 anna")
    finish(plant.writer, 215)
    learning.learn_from_log(LATER)
    row = LearnedRate.objects.get()
    assert (row.samples, row.fixed, row.told(row.used), row.told(row.learned)) == (2, 5.0, "5 MB/s", "2.5 MB/s")
    assert disc_seconds(learning.typical_rates(), SIZE, "cd") == pytest.approx(PRIOR_LOAD + 100)


def test_fetches_that_were_small_or_shared_the_link_teach_nothing_of_it(plant: Plant) -> None:
    fetch(plant.writer, 100 * MB, 60)
    fetch(plant.writer, 4_000 * MB, 160)
    assert learning.learn_from_log(LATER) == 0
    ImageRequest.objects.filter(size=100 * MB).delete()
    LearningMark.objects.update(event=0)
    assert learning.learn_from_log(LATER) == 1
    (row,) = LearnedRate.objects.all()
    assert (row.drive, row.kind, row.format) == ("", "link", "")
    assert row.learned < row.prior
    (view,) = snapshot.take([], NOW).writers
    assert view.rates.link == row.learned


def test_typical_rates_are_the_middle_of_the_enabled_writers(plant: Plant) -> None:
    others = [running_plant(f"Writer {number}") for number in (2, 3)]
    with others[0] as second, others[1] as third:
        for speed, each in ((1.0, plant), (2.0, second), (9.0, third)):
            LearnedRate.objects.create(
                writer=each.writer, drive="d1", kind="speed", format="cd", fixed=speed, fixed_why="-", fixed_by="-"
            )
        assert disc_seconds(learning.typical_rates(), SIZE, "cd") == pytest.approx(PRIOR_LOAD + 250)
        Writer.objects.filter(pk=third.writer.pk).update(enabled=False)
        assert disc_seconds(learning.typical_rates(), SIZE, "cd") == pytest.approx(PRIOR_LOAD + 500 / 1.5)


def test_only_images_of_the_given_jobs_are_looked_for_on_the_disks(plant: Plant) -> None:
    wanted, other = make_image("wanted"), make_image("other")
    for image in (wanted, other):
        CachedImage.objects.create(
            writer=plant.writer, sha256=image.sha256 or "", size=image.size or 0, layout="iso", state="ready"
        )
    ask_for(1, wanted)
    seen = snapshot.take(open_jobs.head(), NOW)
    assert seen.writers[0].cached == {wanted.sha256}
    run, _ = plan_runs.reckon(seen, ranking.in_force(NOW), NOW)
    assert run.snapshot["writers"][0]["cached"] == [wanted.sha256]


def test_a_stored_run_is_read_back_with_the_rates_of_its_drives(plant: Plant) -> None:
    for _ in range(9):
        finish(plant.writer, 600)
    learning.learn_from_log(LATER)
    run, projection = plan_runs.reckon(snapshot.take([], NOW), ranking.in_force(NOW), NOW)
    run.save()
    run.refresh_from_db()
    (stored,), (fresh,) = plan_runs.read(run).writers, projection.writers
    assert stored.rates == fresh.rates
    assert [drive.rates for drive in stored.drives] == [drive.rates for drive in fresh.drives]


def test_learning_costs_as_many_queries_for_many_drives_as_for_one(plant: Plant) -> None:
    def cost() -> int:
        LearningMark.objects.update(event=0)
        with CaptureQueriesContext(connection) as queries:
            learning.learn_from_log(LATER)
        return len(queries)

    finish(plant.writer, 215)
    cost()
    alone = cost()
    with running_plant("Writer 2") as second:
        for number in range(12):
            finish(plant.writer, 215, drive=f"d{number}")
            finish(second.writer, 215, drive=f"d{number}")
        cost()
        assert cost() <= alone


def test_rolling_on_learns(plant: Plant) -> None:
    finish(plant.writer, 215)
    rolling.run(LATER)
    assert learned() == [("d1", "speed", "cd", 1)]


def test_discs_teach_forecasts_how_far_off_times_are_and_how_many_go_bad(plant: Plant) -> None:
    before = foreseeing.belief(NOW).chance
    for number in range(40):
        finish(plant.writer, 400 if number % 2 else 100)
    finish(plant.writer, 30, state=DiscState.BAD, verified="none")
    assert learning.learn_from_log(LATER)
    after = foreseeing.belief(NOW).chance
    assert after.sigma > 1.5 * before.sigma
    memory = ForecastMemory.objects.get()
    assert memory.experience["bad"][1] == memory.experience["square"][1] + 1, "what was given up is bad, and not timed"


def test_a_bad_disc_teaches_how_long_its_job_waits_for_the_next_one(plant: Plant) -> None:
    """Bad after 100 s; the next one begins 400 s after that, and takes 200 s: two of its own times."""
    job, other = ask_for(2), ask_for(1)
    Job.objects.filter(pk=job.pk).update(lost=1)
    bad = finish(plant.writer, 100, state=DiscState.BAD)
    begun = NOW + timedelta(seconds=500)
    good = finish(plant.writer, 0, started_at=begun, finished_at=begun + timedelta(seconds=200))
    alone = finish(plant.writer, 100)
    for disc, whose in ((bad, job), (good, job), (alone, other)):
        WriteShare.objects.create(write=disc.write, job=whose, copies=1)
    assert learning.learn_from_log(LATER)
    tries = foreseeing.belief(NOW).chance.again
    prior = Experience()
    prior.tried_again(2.0)
    assert tries == pytest.approx(prior.chance.again), "once, and of this job alone"
