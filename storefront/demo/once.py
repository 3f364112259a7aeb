"""One order from the shop's page to the packing table, told step by step. A failure says which step."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from django.utils import timezone

from devices.models import Disc
from fulfillment.dates import promise_for
from fulfillment.models import Paper, Shipment
from storefront.demo.customer import Customer
from storefront.demo.plant import Plant
from storefront.models import Mail, Order
from storefront.wanted_dates import spoken

PATIENCE: Final = 300.0  # seconds for a step
Tell = Callable[[str], object]


class StepFailed(Exception):
    """The text names the step and what was seen instead."""


def run(plant: Plant, part_number: str, copies: int, began: float, tell: Tell) -> None:
    """Orders, pays, waits and shows. Raises StepFailed or DoorShut."""

    def step(text: str) -> None:
        tell(f"{time.monotonic() - began:6.1f} s  {text}")

    page = Customer().order(plant.shop_url, part_number, copies)
    order = _order_of(page.url)
    step(f"order {order.number}: {copies} × {part_number}, {order.total}, placed and paid; its page: {page.url}")
    _until(plant, "payment", lambda: bool(_fresh(order).shipment_id))
    shipment = _shipment(order)
    step(f"promised for {spoken(shipment.promised_on)} by {shipment.service.name}")
    _until(plant, "writing", lambda: _discs(order, "started", "good") > 0)
    step("the first disc is being written")
    _until(plant, "writing and checking", lambda: _discs(order, "good") >= copies)
    step(f"{copies} of {copies} discs written, read back and found right")
    _until(plant, "shipment ready", lambda: _shipment(order).state == Shipment.State.READY)
    step("the shipment is ready to pack")
    _until(plant, "papers", lambda: not shipment.papers.exclude(state=Paper.State.PRINTED).exists())
    _until(plant, "mail", lambda: Mail.objects.filter(order=order, state=Mail.State.SENT).exists())
    step("label, slip and disc faces are printed, the confirmation is mailed")
    _show(plant, order, tell)


def _show(plant: Plant, order: Order, tell: Tell) -> None:
    """Where everything lies, and whether the discs are what the archive holds."""
    for disc in Disc.objects.filter(allocation__job__shipment__reference=order.number).select_related("write__writer"):
        folder = plant.folder / disc.write.writer.name.lower().replace(" ", "-")
        path = folder / "discs" / f"{disc.serial}.img"
        digest = _digest(path, disc.write.image_size)
        if digest != disc.write.image_sha256:
            raise StepFailed(f"step «comparing»: disc {path} reads {digest}, its image is {disc.write.image_sha256}")
        tell(f"          disc {disc.serial}  {path}\n               sha256 {digest} (as the image)")
    for paper in _shipment(order).papers.all():
        tell(f"          {paper.kind:<14} {paper.path}")
    shipment = _shipment(order)
    made = shipment.ready_at or timezone.now()
    arrival = promise_for(made, shipment.service, str(shipment.country), shipment.region)
    arrives_on = arrival.arrives_on if arrival else None
    tell(f"          promised       {spoken(shipment.promised_on)}")
    tell(f"          actual         made {made.astimezone():%A %H:%M}, so it arrives {spoken(arrives_on)}")


def _digest(path: Path, size: int) -> str:
    """Of the image's length: what lies behind it on a disc is padding."""
    hashed, left = hashlib.sha256(), size
    with path.open("rb") as disc:
        while left and (block := disc.read(min(left, 1 << 20))):
            hashed.update(block)
            left -= len(block)
    return hashed.hexdigest()


def _until(plant: Plant, step: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        plant.processes.check()
        if time.monotonic() > deadline:
            raise StepFailed(f"step «{step}» is not done after {PATIENCE:.0f} s; the log of each process says more")
        time.sleep(0.1)


def _order_of(url: str) -> Order:
    token = url.rstrip("/").rpartition("/")[2]
    order = Order.objects.filter(token=token).first()
    if order is None:
        raise StepFailed(f"step «order»: paying led to {url}, which is no order's page")
    return order


def _fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def _shipment(order: Order) -> Shipment:
    return Shipment.objects.select_related("service").get(reference=order.number)


def _discs(order: Order, *states: str) -> int:
    discs = Disc.objects.filter(write__shares__job__shipment__reference=order.number, state__in=states)
    return discs.distinct().count()
