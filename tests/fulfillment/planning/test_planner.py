from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given

from fulfillment.planning import pull
from fulfillment.planning.cost import disc_seconds
from fulfillment.planning.model import Share, Snapshot, Wait
from fulfillment.planning.planner import ROUNDS, plan
from fulfillment.planning.policies import FirstCome
from fulfillment.planning.projection import project
from tests.fulfillment.planning.fleets import MB, job, rates, snapshots, writer

FIRST_COME = FirstCome()


def test_a_job_goes_to_the_writer_that_finishes_it_first() -> None:
    slow, quick = writer("slow", speed=2 * MB), writer("quick", speed=20 * MB)
    decided = plan(Snapshot((job("one"),), (slow, quick)), FIRST_COME, 0.0)
    assert [(each.writer, each.copies) for each in decided.assignments] == [("quick", 1)]


def test_a_cached_image_wins_by_being_sooner() -> None:
    bare, holding = writer("a-bare"), writer("b-holding", cached=("image-a",))
    decided = plan(Snapshot((job("one"),), (bare, holding)), FIRST_COME, 0.0)
    assert [each.writer for each in decided.assignments] == ["b-holding"]


def test_work_waits_for_a_better_busy_writer_rather_than_start_on_a_bad_one() -> None:
    idle_snail = writer("snail", speed=0.1 * MB)
    busy_hare = writer("hare", speed=20 * MB, busy_until=60.0, outstanding=2)
    decided = plan(Snapshot((job("one"),), (idle_snail, busy_hare)), FIRST_COME, 0.0)
    assert decided.assignments == ()
    assert decided.waits == {"one": Wait.DRIVE}


def test_jobs_of_the_same_image_share_one_write_and_one_turn() -> None:
    jobs = (job("first", sequence=1), job("other", "image-b", sequence=2), job("third", copies=2, sequence=3))
    decided = plan(Snapshot(jobs, (writer("w", drives=4),)), FIRST_COME, 0.0)
    shared = next(each for each in decided.assignments if each.image == "image-a")
    assert shared.shares == (Share("first", 1), Share("third", 2))


def test_a_big_job_is_split_over_the_fleet() -> None:
    fleet = tuple(writer(f"w{number}", drives=2, cached=("image-a",)) for number in range(3))
    decided = plan(Snapshot((job("big", copies=12),), fleet), FIRST_COME, 0.0)
    assert Counter({each.writer: each.copies for each in decided.assignments}) == {"w0": 4, "w1": 4, "w2": 4}


def test_a_writer_holds_no_more_than_two_rounds() -> None:
    decided = plan(Snapshot((job("big", copies=100),), (writer("w", drives=3, outstanding=2),)), FIRST_COME, 0.0)
    assert [each.copies for each in decided.assignments] == [3 * ROUNDS - 2]


def test_a_format_nobody_writes_waits_for_a_writer() -> None:
    decided = plan(Snapshot((job("film", format="bd"),), (writer("w"),)), FIRST_COME, 0.0)
    assert decided.waits == {"film": Wait.WRITER}


def test_an_image_that_no_disk_can_hold_waits_for_room_and_a_larger_disk_gets_it() -> None:
    small, large = writer("a-small", disk=50 * MB), writer("b-large", disk=200 * MB)
    assert plan(Snapshot((job("one"),), (small,)), FIRST_COME, 0.0).waits == {"one": Wait.ROOM}
    decided = plan(Snapshot((job("one"),), (small, large)), FIRST_COME, 0.0)
    assert [each.writer for each in decided.assignments] == ["b-large"]


def test_a_command_names_its_drive_where_another_drive_of_that_format_is_not_ours() -> None:
    shared = writer("w", drives=2, formats=("cd", "dvd"), names_drives=("dvd",))
    queue = (job("film", "image-b", 2, format="dvd"), job("songs", copies=2, sequence=1))
    decided = plan(Snapshot(queue, (shared,)), FIRST_COME, 0.0)
    assert {(each.format, each.drive, each.copies) for each in decided.assignments} == {
        ("dvd", "d1", 1),
        ("dvd", "d2", 1),
        ("cd", None, 2),
    }


def test_a_drive_fed_by_hand_is_slower_by_its_persons_time() -> None:
    by_hand, robot = writer("a-hand", by_hand=100.0), writer("b-robot", busy_until=50.0)
    decided = plan(Snapshot((job("one"),), (by_hand, robot)), FIRST_COME, 0.0)
    assert [each.writer for each in decided.assignments] == ["b-robot"]
    finish = project(Snapshot((job("one"),), (by_hand,)), FIRST_COME, 0.0).finishes["one"]
    assert finish == 100.0 + 100 * MB / (50 * MB) + disc_seconds(rates(), 100 * MB, "cd")


def test_work_for_a_silent_writer_waits_there_and_is_not_sent() -> None:
    fleet = (writer("gone-quiet", silent=True), writer("snail", speed=0.01 * MB))
    decided = plan(Snapshot((job("one"),), fleet), FIRST_COME, 0.0)
    assert (decided.assignments, decided.waits) == ((), {"one": Wait.DRIVE})


def test_the_next_images_of_each_writer_are_named_and_no_more_than_two() -> None:
    queue = tuple(job(name, f"image-{name}", 2, sequence=number) for number, name in enumerate("abcde"))
    decided = plan(Snapshot(queue, (writer("w", drives=4, outstanding=6),)), FIRST_COME, 0.0)
    assert [each.image for each in decided.assignments] == ["image-a"]
    assert [(each.writer, each.image, each.job) for each in decided.ahead] == [
        ("w", "image-b", "b"),
        ("w", "image-c", "c"),
    ]


def test_an_image_that_is_not_made_yet_is_not_named_ahead() -> None:
    queue = (job("first", copies=2), job("later", "image-b", sequence=1, image_ready_at=900.0))
    assert plan(Snapshot(queue, (writer("w"),)), FIRST_COME, 0.0).ahead == ()


def test_a_job_whose_image_is_being_made_is_projected_but_not_sent() -> None:
    later = Snapshot((job("later", image_ready_at=1000.0),), (writer("w", drives=1),))
    assert plan(later, FIRST_COME, 0.0).assignments == ()
    assert plan(later, FIRST_COME, 0.0).waits == {"later": Wait.IMAGE}
    fetched = 1000.0 + 100 * MB / (50 * MB)
    assert project(later, FIRST_COME, 0.0).finishes["later"] == fetched + disc_seconds(rates(), 100 * MB, "cd")


def test_after_a_bad_disc_the_next_try_goes_to_another_writer_if_there_is_one() -> None:
    bad, other = writer("bad", cached=("image-a",)), writer("other", speed=2 * MB)
    again, busy = job("again", avoid=("bad",)), writer("other", busy_until=9000.0)
    assert [each.writer for each in plan(Snapshot((again,), (bad, busy)), FIRST_COME, 0.0).assignments] == ["bad"]
    assert [each.writer for each in plan(Snapshot((again,), (bad, other)), FIRST_COME, 0.0).assignments] == ["other"]
    assert [each.writer for each in plan(Snapshot((again,), (bad,)), FIRST_COME, 0.0).assignments] == ["bad"]


def test_a_deep_queue_leaves_what_is_not_made_yet_alone_though_its_image_lies_there() -> None:
    fleet = (writer("w", cached=("image-b",)),)
    jobs = (job("deep", copies=2000), job("unmade", "image-b", copies=900, image_ready_at=900.0))
    decided = plan(Snapshot(jobs, fleet), FIRST_COME, 0.0)
    assert {share.job for each in decided.assignments for share in each.shares} == {"deep"}


def test_the_projection_counts_discs_that_are_under_way() -> None:
    going = Snapshot((), (writer("w"),), under_way={"going": 77.0})
    assert project(going, FIRST_COME, 0.0).finishes == {"going": 77.0}


@given(snapshots())
def test_a_plan_is_always_carried_out_by_writers_that_can(snapshot: Snapshot) -> None:
    decided = plan(snapshot, FIRST_COME, 0.0)
    fleet = {each.id: each for each in snapshot.writers}
    jobs = {each.id: each for each in snapshot.jobs}
    sent: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    blanks: Counter[tuple[str, str]] = Counter()
    for assignment in decided.assignments:
        sent_to = fleet[assignment.writer]
        assert assignment.format in sent_to.formats
        assert not sent_to.silent
        if assignment.format in sent_to.names_drives:
            named = next(drive for drive in sent_to.drives if drive.id == assignment.drive)
            assert assignment.format in named.formats
        else:
            assert assignment.drive is None
        taken[assignment.writer] += assignment.copies
        blanks[assignment.writer, assignment.format] += assignment.copies
        for share in assignment.shares:
            assert share.copies > 0
            assert (jobs[share.job].image, jobs[share.job].format) == (assignment.image, assignment.format)
            assert jobs[share.job].image_ready_at == 0.0
            assert sent_to.disk is None or jobs[share.job].bytes <= sent_to.disk
            sent[share.job] += share.copies
    assert all(copies <= jobs[name].copies for name, copies in sent.items())
    # A deep queue is given out in larger parts, for the sake of fetches.
    drives = sum(len(each.drives) for each in snapshot.writers)
    is_short = sum(each.copies for each in snapshot.jobs) <= pull.DEEP * drives
    rounds = ROUNDS if is_short else 2 * pull.ROUNDS
    for name, count in taken.items():
        assert count + fleet[name].outstanding <= rounds * len(fleet[name].drives)
    for (name, format_), count in blanks.items():
        assert count <= fleet[name].blanks.get(format_, count)
    assert set(sent) | set(decided.waits) == set(jobs)


@given(snapshots())
def test_the_same_snapshot_gives_the_same_plan(snapshot: Snapshot) -> None:
    assert plan(snapshot, FIRST_COME, 0.0) == plan(snapshot, FIRST_COME, 0.0)


@given(snapshots())
def test_nothing_waits_for_a_drive_while_the_whole_fleet_stands_idle(snapshot: Snapshot) -> None:
    idle = tuple(
        replace(each, outstanding=0, silent=False, drives=tuple(replace(drive, free_at=0.0) for drive in each.drives))
        for each in snapshot.writers
    )
    decided = plan(replace(snapshot, writers=idle), FIRST_COME, 0.0)
    if not decided.assignments:
        assert Wait.DRIVE not in decided.waits.values()


@given(snapshots())
def test_a_projected_job_is_never_done_before_its_own_discs_could_be(snapshot: Snapshot) -> None:
    quickest = disc_seconds(rates(10 * MB), MB, "cd")
    for finish in project(snapshot, FIRST_COME, 0.0).finishes.values():
        assert finish >= quickest
