"""A shop with a hundred writers at work and so many jobs waiting; turns the plant's tick, and says how long it took.

python -m tests.bench.waiting_shop JOBS TICKS    on the database that the environment names, which is migrated and empty

Between two ticks, which is not timed, time goes on by two seconds and some of the discs under way become good.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import uuid4

import django

from storefront.celery import look_for_garbage_less_often
from tests.bench.measuring import peak_megabytes

WRITERS: Final = 100
DRIVES: Final = 4
IMAGES: Final = 2000
CACHED: Final = 50  # of them on each writer's disk
DISCS_A_TICK: Final = 3  # 400 drives at some 250 s a disc
WARM: Final = 5  # ticks that are not counted: the first one gives every drive its work

_numbers = count(1)


def main(jobs: int, ticks: int) -> None:
    django.setup()
    from fulfillment import tick  # noqa: PLC0415 -- only once the process is set up

    chance = random.Random(1)
    now = datetime.now(UTC)
    writers = _make_writers(now)
    images = _make_images(chance, now)
    _fill_disks(chance, writers, images, now)
    _make_jobs(chance, images, jobs, now)
    base = peak_megabytes()
    look_for_garbage_less_often()  # as the worker does
    took = []
    for turn in range(WARM + ticks):
        now += timedelta(seconds=2)
        _finish_discs(chance, now)
        if turn == WARM:
            _analyse()
        began = time.perf_counter()
        tick.run(now)
        if turn >= WARM:
            took.append(time.perf_counter() - began)
    took.sort()
    print(f"median {statistics.median(took)}\np95 {took[int(0.95 * len(took))]}\nmost {took[-1]}")  # noqa: T201 -- read by the bench
    print(f"memory {peak_megabytes()}\nbefore {base}")  # noqa: T201 -- read by the bench


def _make_writers(now: datetime) -> list[Any]:
    from devices.agent import wire  # noqa: PLC0415 -- only once the process is set up
    from devices.intake import add_writer  # noqa: PLC0415 -- only once the process is set up
    from devices.reports import take_report  # noqa: PLC0415 -- only once the process is set up

    formats, kinds = ("cd", "dvd"), ("CD-R", "DVD-R", "DVD+R")
    state = wire.DriveState.IDLE
    drives = tuple(
        wire.DriveFact(
            id=f"d{number + 1}", role=wire.Role.COPIER, feed=wire.Feed.ROBOT, formats=formats, kinds=kinds, state=state
        )
        for number in range(DRIVES)
    )
    writers = []
    for number in range(WRITERS):
        writer = add_writer(name=f"Writer {number:03}", address="http://127.0.0.1:9", now=now).writer
        said = wire.State(
            protocol=wire.PROTOCOL,
            writer=writer.uuid,
            name=writer.name,
            kind="virtual",
            software="bench",
            journal_id=uuid4(),
            boot_id=uuid4(),
            sequence=1,
            time=now,
            drives=drives,
            blanks=tuple(
                wire.BlankFact(format=format_, kind=kind, bin=format_, remaining=9000)
                for format_, kind in zip(formats, kinds, strict=False)
            ),
            disk=wire.DiskFact(capacity=10**12, free=5 * 10**11),
            images_digest="none",
            images=(),
            writes=(),
        )
        take_report(writer, said, now)
        writers.append(writer)
    return writers


def _make_images(chance: random.Random, now: datetime) -> list[tuple[Any, str]]:
    from archive.models import Image, ImageState  # noqa: PLC0415 -- only once the process is set up

    made = []
    for number in range(IMAGES):
        format_ = chance.choice(("cd", "dvd"))
        size = 2048 * (chance.randrange(25_000, 340_000) if format_ == "cd" else chance.randrange(500_000, 2_200_000))
        digest = f"{number:064x}"
        image = Image(
            recipe=digest, sha256=digest, size=size, state=ImageState.READY, source="/nowhere", created_at=now
        )
        made.append((image, format_))
    Image.objects.bulk_create([image for image, _ in made])
    return made


def _fill_disks(chance: random.Random, writers: list[Any], images: list[tuple[Any, str]], now: datetime) -> None:
    from devices.models import CachedImage  # noqa: PLC0415 -- only once the process is set up

    CachedImage.objects.bulk_create(
        CachedImage(writer=writer, sha256=image.sha256, size=image.size, layout="iso", state="ready", used_at=now)
        for writer in writers
        for image, _ in chance.sample(images, CACHED)
    )


def _make_jobs(chance: random.Random, images: list[tuple[Any, str]], jobs: int, now: datetime) -> None:
    from fulfillment import learning, ranking  # noqa: PLC0415 -- only once the process is set up
    from fulfillment.models import Job, Service, Shipment  # noqa: PLC0415 -- only once the process is set up

    service = Service.objects.get(key="standard")
    policy, rates = ranking.in_force(now), learning.typical_rates()
    weights = [1 / rank for rank in range(1, IMAGES + 1)]
    for first in range(0, jobs, 2000):
        some = range(first, min(jobs, first + 2000))
        shipments = [
            Shipment(
                reference=f"B-{number:08d}", service=service, received_at=now - timedelta(seconds=jobs - number),
                name="Anna", line1="Street 1", city="Berlin", postal_code="10827", country="DE",
            )
            for number in some
        ]  # fmt: skip
        Shipment.objects.bulk_create(shipments)
        rows = []
        for shipment in shipments:
            image, format_ = chance.choices(images, weights)[0]
            job = Job(
                reference=f"{shipment.reference}/1", shipment=shipment, image=image, title="Nine songs", format=format_,
                copies=chance.choice((1, 1, 1, 2, 3, 5, 10)), received_at=shipment.received_at,
                due=now + timedelta(seconds=chance.uniform(4, 80) * 3600),
            )  # fmt: skip
            ranking.place(job, policy, rates)
            rows.append(job)
        Job.objects.bulk_create(rows)


def _analyse() -> None:
    """As PostgreSQL's autovacuum does a minute after so many rows came. Nobody does it for SQLite."""
    from django.db import connection  # noqa: PLC0415 -- only once the process is set up

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _finish_discs(chance: random.Random, now: datetime) -> None:
    """The agents take what was queued, and the oldest discs become good."""
    from devices import lifecycle  # noqa: PLC0415 -- only once the process is set up
    from devices.models import Disc, Write, Writer  # noqa: PLC0415 -- only once the process is set up
    from devices.states import DiscState, WriteState  # noqa: PLC0415 -- only once the process is set up

    for write in Write.objects.filter(state=WriteState.QUEUED):
        for state in (WriteState.SENT, WriteState.ACCEPTED, WriteState.WRITING):
            lifecycle.move_write(write, state, now=now, actor="bench")
    going = Disc.objects.filter(state__in=[DiscState.PLANNED, DiscState.STARTED]).select_related("write")
    for disc in going.order_by("write__queued_at", "id")[:DISCS_A_TICK]:
        began = now - timedelta(seconds=200)
        lifecycle.move_disc(disc, DiscState.STARTED, now=now, actor="bench", drive="d1", started_at=began)
        lifecycle.move_disc(disc, DiscState.GOOD, now=now, actor="bench", verified="digest", finished_at=now)
        lifecycle.finish_write(disc.write, now=now, actor="bench")
    Writer.objects.update(last_seen=now)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
