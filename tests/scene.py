"""A small shop for tests: titles for sale, a writer that follows the protocol, shipments that want discs."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from django.conf import settings

from archive.models import Image, ImageState, Title, TitleVersion
from devices import dispatch, reports, tokens
from devices.intake import NewWriter, add_writer
from devices.models import Writer
from devices.testing import FakeAgent
from fulfillment import intake, rolling, tick
from fulfillment.intake import WantedLine, WantedShipment
from fulfillment.models import Job, Service
from storefront.models import Product

NOW = dt.datetime(2026, 11, 18, 9, 0, tzinfo=dt.UTC)  # a Wednesday, 10:00 in Berlin

ADDRESS = {
    "name": "Zoë Kowalska",
    "organisation": "",
    "line1": "Hauptstraße 12",
    "line2": "",
    "city": "Berlin",
    "region": "",
    "postal_code": "10827",
    "country": "DE",
}

_numbers = count(1)


def make_image(name: str = "image-a", size: int = 20 * 2048) -> Image:
    digest = hashlib.sha256(name.encode()).hexdigest()
    image, _ = Image.objects.get_or_create(
        recipe=hashlib.sha256(f"recipe of {name}".encode()).hexdigest(),
        defaults={"sha256": digest, "size": size, "state": ImageState.READY, "source": "/nowhere", "created_at": NOW},
    )
    return image


def make_title(part_number: str = "P-1", price: int = 990, format: str = "cd", size: int = 20 * 2048) -> Product:
    """A title for sale, with one version."""
    title = Title.objects.create(part_number=part_number, title=f"Title {part_number}", kind="music", created_at=NOW)
    TitleVersion.objects.create(title=title, number=1, image=make_image(part_number, size), created_at=NOW)
    return Product.objects.create(title=title, format=format, price_minor=price)


def ask_for(copies: int, image: Image | None = None, *, format: str = "cd", received_at: dt.datetime = NOW) -> Job:
    """A shipment with one job."""
    number = next(_numbers)
    shipment = intake.accept(
        WantedShipment(
            reference=f"S-{number:08d}",
            address=ADDRESS,
            service=Service.objects.get(key="standard"),
            lines=[WantedLine(f"S-{number:08d}/1", image or make_image(), "Nine songs", "P-1", format, copies)],
            received_at=received_at,
            promised_on=dt.date(2026, 11, 20),
            plan_run=None,
            wanted_on=None,
        ),
        actor="test",
        now=received_at,
    )
    return shipment.jobs.get()


@dataclass
class Plant:
    """One writer whose agent is a fake that follows the protocol; the clock is ours."""

    new: NewWriter
    agent: FakeAgent
    now: dt.datetime = NOW

    @property
    def writer(self) -> Writer:
        return Writer.objects.get(pk=self.new.writer.pk)

    def report(self) -> None:
        self.agent.take_answer(reports.take_report(self.writer, self.agent.state(), self.now))

    def turn(self, **passed: float) -> None:
        """One turn of everything: plan, send, hear what came of it, and roll on."""
        self.now += dt.timedelta(**(passed or {"seconds": 2}))
        tick.run(self.now)
        dispatch.attend(self.new.writer.pk, self.now)
        self.report()
        tick.run(self.now)
        rolling.run(self.now)

    def make_all(self) -> None:
        """Sends what waits, and lets the agent finish all it has."""
        for _ in range(3):
            self.turn()
            self.agent.make_all()
            self.report()
        self.turn()


@contextmanager
def running_plant(name: str = "Writer 1", drives: int = 2) -> Iterator[Plant]:
    new = add_writer(name=name, address="http://127.0.0.1:9", now=NOW)
    command = tokens.command_token(settings.SPINDLE_WRITER_KEY, new.writer.uuid, 1)
    with FakeAgent(new.writer.uuid, [command], drives=drives) as agent:
        Writer.objects.filter(pk=new.writer.pk).update(address=agent.address)
        plant = Plant(new, agent)
        agent.clock = lambda: plant.now
        plant.report()
        yield plant
