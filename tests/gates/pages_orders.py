"""The customer's private page in every state an order can be in. A part of the list in `pages.py`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.test import override_settings
from django.utils import timezone

from devices.agent import wire
from devices.models import Disc, Drive, Writer
from fulfillment import operators
from fulfillment.models import Job, Shipment
from storefront import lifecycle, progress, refunding
from storefront.models import Order, Payment
from tests.gates.pages import World, visit
from tests.gates.pages_shop import FRAGMENT, dates_unknown


def shown(world: World, order: Order) -> Any:
    return world.customer().get(order.get_absolute_url())


def cancel(world: World, order: Order) -> Any:
    return world.customer().post(f"{order.get_absolute_url()}cancel/", follow=True)


def made(world: World) -> Shipment:
    order = world.order(world.customer())
    world.plant.make_all()
    progress.read(timezone.now())
    return Shipment.objects.get(reference=order.number)


@visit("order-unknown", status=404)
def unknown(world: World) -> Any:
    return world.customer().get("/orders/" + "0" * 32 + "/")


@visit("order-unpaid")
def unpaid(world: World) -> Any:
    return shown(world, world.order(world.customer(), pay=False))


@visit("order-payment-expired")
def payment_expired(world: World) -> Any:
    order = world.order(world.customer(), pay=False)
    lifecycle.move_payment(order.payments.get(), Payment.State.EXPIRED)
    return shown(world, order)


@visit("order-payment-being-confirmed")
def payment_being_confirmed(world: World) -> Any:
    client = world.customer()
    order = world.order(client, pay=False)
    with override_settings(STRIPE_API_BASE="http://127.0.0.1:9"):
        query = {"session": order.payments.get().session or ""}
        return client.get(f"/checkout/paid/{order.token}/", query, follow=True)


@visit("order-unpaid-cancelled")
def unpaid_cancelled(world: World) -> Any:
    return cancel(world, world.order(world.customer(), pay=False))


@visit("order-paid")
def paid(world: World) -> Any:
    return shown(world, world.order(world.customer()))


@visit("order-date-unknown")
def date_unknown(world: World) -> Any:
    dates_unknown()
    return shown(world, world.order(world.customer()))


@visit("order-waiting")
def waiting(world: World) -> Any:
    order = world.order(world.customer())
    Writer.objects.update(draining=True)
    world.plant.turn()
    return shown(world, order)


@visit("order-late")
def late(world: World) -> Any:
    order = world.order(world.customer())
    shipments = Shipment.objects.filter(reference=order.number)
    promised = shipments.get().promised_on
    assert promised is not None
    shipments.update(estimated_on=promised + dt.timedelta(days=3))
    return shown(world, order)


@visit("order-held")
def held(world: World) -> Any:
    order = world.order(world.customer())
    operators.hold(Job.objects.get(), "user:1 Anna", timezone.now())
    return shown(world, order)


def writing_order(world: World) -> Order:
    """Of three discs one is good, one is being written and one waits."""
    order = world.order(world.customer())
    world.plant.turn()
    first, second, _ = Disc.objects.order_by("id")
    world.plant.agent.set_disc(first.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    world.plant.agent.set_disc(second.serial, wire.DiscState.STARTED)
    world.plant.report()
    world.plant.turn()
    Drive.objects.filter(ident="d1").update(serial=second.serial, progress=0.4)
    progress.read(timezone.now())
    return order


@visit("order-writing")
def writing(world: World) -> Any:
    return shown(world, writing_order(world))


@visit("order-many-discs")
def many_discs(world: World) -> Any:
    return shown(world, world.order(world.customer(), 40))


@visit("order-progress", around=FRAGMENT)
def progress_fragment(world: World) -> Any:
    return world.customer().get(writing_order(world).get_absolute_url() + "progress/")


@visit("order-ready")
def ready(world: World) -> Any:
    return shown(world, Order.objects.get(number=made(world).reference))


@visit("order-shipped")
def shipped(world: World) -> Any:
    return shown(world, ship(world))


@visit("order-progress-ended", status=286, around=FRAGMENT)
def progress_ended(world: World) -> Any:
    url = ship(world).get_absolute_url() + "progress/"
    return world.customer().get(url, headers={"HX-Request": "true"})


def ship(world: World) -> Order:
    shipment = made(world)
    operators.pack(shipment, "user:1 Anna", timezone.now())
    operators.ship(shipment, "user:1 Anna", timezone.now())
    Shipment.objects.filter(pk=shipment.pk).update(tracking="JD014600003RPP2M")
    progress.read(timezone.now())
    return Order.objects.get(number=shipment.reference)


@visit("order-cancel")
def cancel_page(world: World) -> Any:
    return world.customer().get(world.order(world.customer()).get_absolute_url() + "cancel/")


@visit("order-cancel-unpaid")
def cancel_unpaid(world: World) -> Any:
    return world.customer().get(world.order(world.customer(), pay=False).get_absolute_url() + "cancel/")


@visit("order-cancel-payer-away")
def cancel_payer_away(world: World) -> Any:
    order = world.order(world.customer(), pay=False)
    with override_settings(STRIPE_API_BASE="http://127.0.0.1:9"):
        return cancel(world, order)


@visit("order-cancel-too-late")
def cancel_too_late(world: World) -> Any:
    return cancel(world, packed_order(world))


@visit("order-packed")
def packed(world: World) -> Any:
    return shown(world, packed_order(world))


def packed_order(world: World) -> Order:
    shipment = made(world)
    operators.pack(shipment, "user:1 Anna", timezone.now())
    progress.read(timezone.now())
    return Order.objects.get(number=shipment.reference)


@visit("order-cancellation-requested")
def cancellation_requested(world: World) -> Any:
    return cancel(world, world.order(world.customer()))


@visit("order-cancelled")
def order_cancelled(world: World) -> Any:
    return shown(world, paid_back_order(world))


def paid_back_order(world: World) -> Order:
    order = world.order(world.customer())
    cancel(world, order)
    refunding.send_due(timezone.now())
    progress.read(timezone.now())
    return Order.objects.get(pk=order.pk)
