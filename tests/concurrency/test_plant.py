"""Several processes with one database: one effect each, and nobody fails."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest
from django.db.models import Count, F, Sum

from archive.models import Image
from devices.agent import wire
from devices.models import BlankBin, DeviceEvent, Disc, Trouble, Write
from fulfillment import counting, progress
from fulfillment.models import Allocation, Job, WriteShare
from tests.concurrency import doings
from tests.concurrency.crowd import SIZE, Crowd, Doing
from tests.scene import NOW, Plant, ask_for, make_image

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

CLAIMS = 200


def test_200_claims_by_all_at_once_are_200_leases(crowd: Crowd) -> None:
    images = Image.objects.bulk_create(
        Image(recipe=f"{number:064x}", source="/nowhere", created_at=NOW) for number in range(CLAIMS)
    )
    got = crowd.all(doings.claim_all, [image.pk for image in images])
    claimed = Counter(pk for each in got for pk in each)
    assert claimed == Counter(image.pk for image in images)
    assert Image.objects.filter(state="mastering", tries=1).count() == CLAIMS


def conserved() -> None:
    """Nothing was made twice, given twice or lost, and no row's work failed."""
    for job in Job.objects.annotate(given=Count("allocations")):
        assert job.given <= job.copies
        assert (job.state == "made") == (job.given == job.copies), job
        counts = counting.count([job])[job.pk]
        assert (job.covered, job.lost) == (counts.covered, counts.lost)
    assert Allocation.objects.values("disc").distinct().count() == Allocation.objects.count()
    for bin_ in BlankBin.objects.all():
        made = Counter(Disc.objects.filter(bin=bin_).values_list("state", flat=True))
        assert (bin_.good, bin_.bad, bin_.unknown) == (made["good"], made["bad"], made["unknown"])
        assert bin_.started == sum(made.values())
    assert not Trouble.objects.exists(), list(Trouble.objects.values_list("step", "reason"))


def test_schedulers_at_once_make_what_was_ordered_and_no_more(crowd: Crowd, plant: Plant) -> None:
    images = [make_image(f"image-{number}") for number in range(3)]
    jobs = [ask_for(1 + number % 3, images[number % 3]) for number in range(12)]
    for _ in range(40):
        plant.now += dt.timedelta(seconds=2)
        crowd.all(doings.plan, plant.now, 1)
        crowd.all(doings.attend, plant.new.writer.pk, plant.now, 1)
        plant.agent.make_all()
        plant.report()
        if not Job.objects.filter(state__in=Job.OPEN).exists():
            break
    assert set(Job.objects.values_list("state", flat=True)) == {"made"}
    ordered = sum(job.copies for job in jobs)
    assert Disc.objects.count() == Allocation.objects.count() == ordered
    assert WriteShare.objects.aggregate(copies=Sum("copies"))["copies"] == ordered
    given = [call for call in plant.agent.calls if call.startswith("PUT /v1/writes/")]
    assert set(given) == {f"PUT /v1/writes/{uuid}" for uuid in Write.objects.values_list("uuid", flat=True)}
    conserved()


def many_writes(plant: Plant, count: int) -> list[Write]:
    """Writes of three discs each that the agent has made on two drives, and nobody has heard of."""
    plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin=drive, remaining=None) for drive in ("d1", "d2")]
    plant.agent.sequence += 1
    plant.report()
    for _ in range(count):
        ask_for(3, make_image(f"image-{_}"))
    while Job.objects.filter(state="waiting").exists() or Write.objects.filter(state="queued").exists():
        before = Write.objects.filter(state="accepted").count()
        plant.turn()
        if Write.objects.filter(state="accepted").count() == before:
            break  # the writer has all it takes at once
    writes = list(Write.objects.filter(state="accepted"))
    for number, write in enumerate(writes):
        serials = list(write.discs.values_list("serial", flat=True))
        for drive, serial in zip(("d1", "d2", "d1")[:: 1 if number % 2 else -1], serials, strict=False):
            plant.agent.set_disc(serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST, drive=drive)
    return writes


def test_reports_and_answers_at_once_book_every_disc_once(crowd: Crowd, plant: Plant) -> None:
    """Bins are counted from reports and from visits: locked in two orders, they would be a deadlock."""
    writes = many_writes(plant, 4)
    discs = Disc.objects.filter(write__in=writes)
    states = [plant.agent.state().model_dump_json()] * 5
    answers = [(write.pk, plant.agent.writes[write.uuid].answer(write.uuid).model_dump_json()) for write in writes] * 5
    both: list[Doing] = [
        (doings.report_all, (plant.new.writer.pk, states, plant.now)),
        (doings.answer_all, (answers, plant.now)),
    ]
    crowd.mixed([both[number % 2] for number in range(SIZE)])
    assert set(discs.values_list("state", flat=True)) == {"good"}
    assert set(Write.objects.filter(pk__in=[write.pk for write in writes]).values_list("state", flat=True)) == {"done"}
    assert DeviceEvent.objects.filter(kind="disc", new="good").count() == discs.count()
    assert BlankBin.objects.aggregate(good=Sum("good"))["good"] == discs.count()


def test_allocation_at_once_gives_each_disc_once_and_no_job_too_many(crowd: Crowd, plant: Plant) -> None:
    writes = many_writes(plant, 3)
    plant.report()
    rivals = [ask_for(2, make_image("image-0")) for _ in range(3)]  # want what lies there as well
    jobs = list(Job.objects.values_list("pk", flat=True))
    crowd.mixed(
        [
            (doings.allocate, ([write.pk for write in writes], plant.now)),
            (doings.give_stock, (jobs, plant.now)),
        ]
        * (SIZE // 2)
    )
    assert not Job.objects.annotate(given=Count("allocations")).filter(given__gt=F("copies")).exists()
    crowd.all(doings.plan, plant.now, 1)
    progress.finish_leftovers(plant.now)  # those above gave discs and moved no job, as if they had died between
    good = Disc.objects.filter(state="good").count()
    assert Allocation.objects.count() == good == sum(len(write.discs.all()) for write in writes)
    assert Job.objects.filter(pk__in=[job.pk for job in rivals]).count() == len(rivals)
    conserved()
