"""Images on the writers' disks: room is made, the next one comes ahead, and every word of it is in the log."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from archive.models import Image
from devices import fleet, wishes
from devices.intake import ImageRef
from devices.models import CachedImage, DeviceEvent, Drive, ImageRequest, Write, Writer
from devices.states import Keyword, RequestState
from fulfillment import caching, demand, disks, files, intake, rolling, tick
from fulfillment.models import Job
from tests.scene import NOW, Plant, ask_for, make_image, running_plant

pytestmark = pytest.mark.postgres

MB = 100_000  # a small one: a drive is through with a disc within the time that the plan looks ahead


@pytest.fixture
def disk(plant: Plant) -> Plant:
    """A plant whose writer can hold 1000 MB, and holds none."""
    set_disk(plant.writer, free=1000)
    return plant


def set_disk(writer: Writer, *, free: int, capacity: int = 1000) -> None:
    Writer.objects.filter(pk=writer.pk).update(disk_capacity=capacity * MB, disk_free=free * MB, last_seen=NOW)


def store(writer: Writer, image: Image, *, days: float = 1, state: str = "ready", layout: str = "iso") -> CachedImage:
    used_at = NOW - timedelta(days=days)
    return CachedImage.objects.create(
        writer=writer, sha256=image.sha256 or "", size=image.size or 0, layout=layout, state=state, used_at=used_at
    )


def image(name: str, size: int = 400) -> Image:
    return make_image(name, size * MB)


def ref(of: Image) -> ImageRef:
    return ImageRef(of.sha256 or "", of.size or 0, of.layout)


def asked(**which: object) -> list[tuple[str, str]]:
    """What is asked for, oldest first: the wish, and the beginning of the image's digest."""
    rows = ImageRequest.objects.filter(**which).order_by("id")
    return [(row.wish, row.sha256[:8]) for row in rows]


def turn(now: datetime) -> None:
    """One turn of the plant, and the roll's look at the disks."""
    tick.run(now)
    rolling.keep_disks(now)


def short(of: Image) -> str:
    return (of.sha256 or "")[:8]


def test_the_longest_unused_image_goes_before_a_write_is_queued_that_has_no_room(disk: Plant) -> None:
    old, new = image("old"), image("new")
    store(disk.writer, old, days=9)
    store(disk.writer, new, days=1)
    set_disk(disk.writer, free=200)
    ask_for(1, image("wanted"))
    for _ in range(3):
        tick.run(NOW)
    assert asked() == [("drop", short(old))]
    assert Write.objects.count() == 1
    drop = ImageRequest.objects.get()
    assert drop.asked_at == Write.objects.get().queued_at  # in one turn, and first: the agent is not asked in vain
    assert (drop.asked_by, drop.size) == ("tick", 400 * MB)
    event = DeviceEvent.objects.get(kind="purge")
    assert (event.actor, event.new) == ("tick", "open")
    assert short(old) in event.text


def test_what_is_written_often_stays_before_what_was_used_last(disk: Plant) -> None:
    often, new = image("often", 100), image("new", 100)
    for turn in range(3):
        job = ask_for(1, often)
        tick.run(NOW)
        assert intake.cancel(job.shipment, actor=f"order:{turn}", now=NOW)
    demand.learn_from_writes()
    ImageRequest.objects.all().delete()
    store(disk.writer, often, days=9)
    store(disk.writer, new, days=1)
    set_disk(disk.writer, free=200)
    ask_for(1, image("wanted", 250))
    tick.run(NOW)
    assert asked() == [("drop", short(new))]


def test_what_fits_purges_nothing(disk: Plant) -> None:
    store(disk.writer, image("old"))
    set_disk(disk.writer, free=600)
    ask_for(1, image("wanted"))
    tick.run(NOW)
    assert asked() == []


def test_an_image_that_is_dropped_is_no_reason_to_plan_its_copies_there(disk: Plant) -> None:
    old = image("old")
    store(disk.writer, old, days=9)
    set_disk(disk.writer, free=0, capacity=400)
    ask_for(1, image("wanted"))
    tick.run(NOW)
    assert asked() == [("drop", short(old))]
    with running_plant("Writer 2") as other:
        again = ask_for(1, old)
        tick.run(NOW)
        assert again.shares.get().write.writer == other.writer


def test_a_drop_that_is_done_and_not_yet_reported_counts(disk: Plant) -> None:
    old, new = image("old"), image("new")
    store(disk.writer, old, days=9)
    store(disk.writer, new, days=1)
    set_disk(disk.writer, free=200)
    ask_for(1, image("wanted"))
    tick.run(NOW)
    ImageRequest.objects.update(state=RequestState.DONE, ended_at=NOW + timedelta(seconds=1))
    CachedImage.objects.filter(sha256=old.sha256).delete()
    tick.run(NOW + timedelta(seconds=2))
    assert asked() == [("drop", short(old))]


def test_what_a_write_there_needs_is_never_dropped_and_the_other_one_waits(disk: Plant) -> None:
    first, second = image("first", 700), image("second", 700)
    shipment = ask_for(1, first).shipment
    turn(NOW)
    store(disk.writer, first, state="receiving")
    set_disk(disk.writer, free=300)
    ask_for(1, second)
    turn(NOW)
    assert asked() == []
    assert caching.stuck(NOW) == []  # it may end by itself: nobody is told yet
    ((writer, need),) = caching.stuck(NOW + caching.PATIENCE)
    assert (writer.pk, need.image.sha256) == (disk.writer.pk, second.sha256)
    assert intake.cancel(shipment, actor="order:S-1", now=NOW)
    turn(NOW + timedelta(seconds=2))
    assert asked() == [("drop", short(first))]
    assert caching.stuck(NOW + caching.PATIENCE) == []


def test_an_image_read_here_that_lies_nowhere_else_goes_last(disk: Plant) -> None:
    own = "f" * 64
    CachedImage.objects.create(writer=disk.writer, sha256=own, size=400 * MB, layout="iso", state="ready")
    known = image("known")
    store(disk.writer, known, days=0.1)
    set_disk(disk.writer, free=200)
    ask_for(1, image("wanted"))
    tick.run(NOW)
    assert asked() == [("drop", short(known))]


def test_faces_and_what_failed_are_not_dropped_for_room(disk: Plant) -> None:
    store(disk.writer, image("face"), days=99, layout="face")
    store(disk.writer, image("failed"), days=99, state="failed")
    set_disk(disk.writer, free=200)
    ask_for(1, image("wanted"))
    tick.run(NOW)
    assert asked() == []


def test_room_is_made_for_what_a_person_wishes_there(disk: Plant) -> None:
    old, wished = image("old", 600), image("wished", 600)
    store(disk.writer, old)
    set_disk(disk.writer, free=400)
    wishes.have_image(disk.writer, ref(wished), title="For a copy", actor="user:1 Anna", now=NOW)
    tick.run(NOW)
    assert asked() == [("have", short(wished)), ("drop", short(old))]


def test_an_agent_that_says_full_against_its_own_figures_is_believed_after_a_while(disk: Plant) -> None:
    old, new = image("old"), image("new")
    store(disk.writer, old, days=9)
    store(disk.writer, new, days=1)
    set_disk(disk.writer, free=500)
    ask_for(1, image("wanted"))
    turn(NOW)
    full = [{"keyword": Keyword.SPOOL_AREA_FULL.value, "text": "", "since": NOW.isoformat()}]
    Writer.objects.filter(pk=disk.writer.pk).update(reasons=full)
    turn(NOW + timedelta(seconds=2))
    assert asked() == []
    later = NOW + disks.STUBBORN
    turn(later)
    turn(later)
    assert asked() == [("drop", short(old))]
    ImageRequest.objects.update(state=RequestState.DONE, ended_at=later)
    Writer.objects.filter(pk=disk.writer.pk).update(last_seen=later + timedelta(seconds=1))
    turn(later + timedelta(seconds=2))
    assert asked() == [("drop", short(old))]  # once: that much room it has asked for, and got


# --- Ahead ----------------------------------------------------------------------------------------


def queue_of(*images: Image, copies: int = 4) -> list[Job]:
    """Jobs, each of which fills both rounds of a writer with two drives."""
    return [ask_for(copies, each, received_at=NOW + timedelta(seconds=n)) for n, each in enumerate(images)]


def arrived(writer: Writer, of: Image, *, free: int) -> None:
    store(writer, of, days=0)
    set_disk(writer, free=free)


def test_the_image_of_the_next_write_comes_ahead(disk: Plant) -> None:
    now_, next_ = image("now", 100), image("next", 100)
    queue_of(now_, next_)
    turn(NOW)
    assert asked() == []  # first what it waits for: its link has nothing to spare
    assert files.image_for(disk.writer, next_.sha256 or "") is None
    arrived(disk.writer, now_, free=900)
    for _ in range(3):
        turn(NOW)
    assert asked() == [("have", short(next_))]
    assert DeviceEvent.objects.get(kind="fetch").actor == "tick"
    assert files.image_for(disk.writer, next_.sha256 or "") == next_


def test_no_more_than_two_images_come_ahead(disk: Plant) -> None:
    first, *others = (image(name, 100) for name in "abcd")
    queue_of(first)
    for number, each in enumerate(others):
        ask_for(1, each, received_at=NOW + timedelta(seconds=1 + number))
    turn(NOW)
    arrived(disk.writer, first, free=900)
    turn(NOW)
    assert asked() == [("have", short(each)) for each in others[:2]]


def test_what_is_needed_hours_from_now_does_not_come_yet(disk: Plant) -> None:
    first, second = image("a", 100), image("b", 100)
    arrived(disk.writer, first, free=900)
    queue_of(first, second, copies=400)
    turn(NOW)
    assert asked() == []


def test_what_comes_ahead_purges_nothing_that_anybody_waits_for(disk: Plant) -> None:
    first, second, third, old = image("a", 300), image("b", 300), image("c", 300), image("old", 300)
    ask_for(1, image("elsewhere", 100), format="bd")  # waits for a writer of its format
    arrived(disk.writer, first, free=0)
    store(disk.writer, third, days=99)
    store(disk.writer, old, days=1)
    store(disk.writer, image("elsewhere"), days=99)
    set_disk(disk.writer, free=0)
    queue_of(first, second, third)
    turn(NOW)
    assert asked() == [("drop", short(old))]
    assert not ImageRequest.objects.filter(wish="have").exists()  # not before the room is there
    ImageRequest.objects.update(state=RequestState.DONE, ended_at=NOW)
    CachedImage.objects.filter(sha256=old.sha256).delete()
    set_disk(disk.writer, free=300)
    turn(NOW + timedelta(seconds=1))
    assert asked(wish="have") == [("have", short(second))]


def test_fetches_ahead_leave_the_link_to_what_writes_wait_for(disk: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_FETCHES", 1)
    first, second = image("a", 100), image("b", 100)
    arrived(disk.writer, first, free=900)
    queue_of(first, second)
    with running_plant("Writer 2") as other:
        set_disk(other.writer, free=1000)
        busy = store(other.writer, image("busy", 100), state="receiving")
        Drive.objects.filter(writer=other.writer).update(formats=["bd"])
        turn(NOW)
        assert asked() == []
        busy.delete()
        turn(NOW)
        assert len(asked()) == 1


def test_a_fetch_that_the_plan_has_no_use_for_is_withdrawn_unless_a_person_asked(disk: Plant) -> None:
    for name, actor in (("planned", "tick"), ("wished", "user:1 Anna")):
        wishes.have_image(disk.writer, ref(image(name, 100)), title=name, actor=actor, now=NOW)
    turn(NOW + timedelta(seconds=2))
    assert ImageRequest.objects.filter(state=RequestState.OPEN).count() == 2
    turn(NOW + caching.STALE)
    assert ImageRequest.objects.get(state=RequestState.OPEN).asked_by == "user:1 Anna"
    assert DeviceEvent.objects.filter(kind="fetch", old="open", new="dropped", actor="tick").count() == 1


def test_what_a_person_wishes_as_well_is_not_withdrawn_with_the_plan(disk: Plant) -> None:
    wanted = ref(image("wanted", 100))
    planned = wishes.have_image(disk.writer, wanted, title="", actor="tick", now=NOW)
    assert wishes.have_image(disk.writer, wanted, title="", actor="user:1 Anna", now=NOW) == planned
    assert wishes.have_image(disk.writer, wanted, title="", actor="tick", now=NOW).asked_by == "user:1 Anna"
    turn(NOW + caching.STALE)
    assert asked(state=RequestState.OPEN) == [("have", wanted.sha256[:8])]


def test_a_drop_of_what_is_wanted_again_is_withdrawn(disk: Plant) -> None:
    wanted = image("wanted")
    store(disk.writer, wanted)
    wishes.drop_image(disk.writer, ref(wanted), title="", actor="tick", now=NOW)
    ask_for(1, wanted)
    turn(NOW)
    assert ImageRequest.objects.get().state == RequestState.DROPPED


def test_a_write_is_no_reason_for_files_once_it_is_over(disk: Plant) -> None:
    wanted = image("wanted")
    ask_for(1, wanted)
    turn(NOW)
    assert files.image_for(disk.writer, wanted.sha256 or "") == wanted
    Write.objects.update(state="done")
    assert files.image_for(disk.writer, wanted.sha256 or "") is None


def test_disks_cost_no_more_queries_for_more_writers_and_images(
    disk: Plant, django_assert_max_num_queries: object
) -> None:
    store(disk.writer, image("old"), days=9)
    set_disk(disk.writer, free=0, capacity=400)
    ask_for(1, image("wanted"))

    def cost(now: datetime) -> None:
        with django_assert_max_num_queries(8):  # type: ignore[operator]  # pytest-django's own fixture
            caching.decide(tick.NOTHING, (), fleet.read().working, now)

    turn(NOW)
    cost(NOW)
    with running_plant("Writer 2") as second, running_plant("Writer 3") as third:
        for each in (second, third):
            for number in range(5):
                store(each.writer, image(f"{each.new.writer.name} {number}", 10))
            set_disk(each.writer, free=0, capacity=400)
        ask_for(9, image("other", 300))
        turn(NOW)
        cost(NOW)
