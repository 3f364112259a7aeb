"""Rows for the papers: a shipment whose discs are made, and the papers that wait for it."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid

from archive.models import Image, ImageState, Kind, Title
from devices.models import Disc, Write, Writer
from devices.states import DiscState, WriteState
from fulfillment.models import Allocation, Carrier, Job, Paper, Service, Shipment

RECEIVED = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)  # in Berlin it is the 21st already
NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)


def shipment(reference: str = "S-4K7P2M9X", **address: str) -> Shipment:
    carrier, _ = Carrier.objects.get_or_create(name="Testpost")
    service, _ = Service.objects.get_or_create(
        key="snail", defaults={"carrier": carrier, "name": "Snail", "price_minor": 490}
    )
    fields = {
        "name": "Éloïse Lefèvre", "line1": "12 rue de la Paix", "postal_code": "75002", "city": "Paris", "country": "FR"
    }  # fmt: skip
    return Shipment.objects.create(
        reference=reference,
        service=service,
        received_at=RECEIVED,
        promised_on=dt.date(2026, 11, 26),
        state=Shipment.State.READY,
        **{**fields, **address},
    )


def job(to: Shipment, part_number: str, serials: list[str], title: str = "Evening Songs", format_: str = "cd") -> Job:
    """A job that is made, a good disc per serial."""
    sha256 = hashlib.sha256(part_number.encode()).hexdigest()
    image = Image.objects.create(
        recipe=sha256, sha256=sha256, size=2048, state=ImageState.READY, source="/", created_at=NOW
    )
    made = Job.objects.create(
        reference=f"{to.reference}/{part_number}",
        shipment=to,
        image=image,
        title=title,
        part_number=part_number,
        format=format_,
        copies=len(serials) or 1,
        state=Job.State.MADE,
        rank="0",
        received_at=RECEIVED,
        made_at=NOW,
    )
    for disc in discs(image, serials, format_):
        Allocation.objects.create(disc=disc, job=made, at=NOW)
    return made


def discs(image: Image, serials: list[str], format_: str = "cd") -> list[Disc]:
    writer, _ = Writer.objects.get_or_create(name="Writer 1", defaults={"address": "http://x", "created_at": NOW})
    write = Write.objects.create(
        uuid=uuid.uuid4(),
        writer=writer,
        image_sha256=image.sha256 or "",
        image_size=2048,
        layout="iso",
        format=format_,
        title="x",
        copies=len(serials) or 1,
        state=WriteState.DONE,
        queued_at=NOW,
        changed_at=NOW,
    )
    return [Disc.objects.create(serial=serial, write=write, state=DiscState.GOOD) for serial in serials]


def title(part_number: str, who: str) -> Title:
    return Title.objects.create(
        part_number=part_number, title="Evening Songs", who=who, kind=Kind.MUSIC, created_at=NOW
    )


def papers(to: Shipment) -> list[Paper]:
    return [Paper.objects.create(shipment=to, kind=kind, next_try_at=NOW) for kind in Paper.Kind]
