from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.agent import wire
from devices.models import Disc, Drive, Writer
from fulfillment import operators
from storefront import progress, tracking
from storefront.models import Mail, Order
from tests.scene import Plant, make_title
from tests.storefront.shopping import only_order, put, to_hosted_page
from tests.storefront.standin.asking import submit
from tests.storefront.standin.running import StandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(client: Client, plant: Plant, standin: StandIn) -> Order:
    submit(to_hosted_page(client, make_title(), 3), "4242424242424242")
    order = only_order()
    client.get(f"/checkout/paid/{order.token}/", {"session": order.payments.get().session or ""})
    return only_order()


def test_each_disc_is_shown_as_it_is(order: Order, plant: Plant, client: Client) -> None:
    plant.turn()
    first, second, _ = Disc.objects.order_by("id")
    plant.agent.set_disc(first.serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    plant.agent.set_disc(second.serial, wire.DiscState.STARTED)
    plant.report()
    plant.turn()
    Drive.objects.filter(ident="d1").update(serial=second.serial, progress=0.4)
    (line,) = tracking.of(only_order()).lines
    assert [(ring.state, ring.percent) for ring in line.rings] == [("good", 100), ("writing", 40), ("waiting", 0)]
    page = client.get(order.get_absolute_url()).content.decode()
    assert "1 of 3 discs written" in page
    assert "Writing 1 of 3" in page


def test_the_page_follows_to_packed_and_shipped(order: Order, plant: Plant, client: Client) -> None:
    plant.make_all()
    shipment = only_order().shipment
    assert shipment is not None
    operators.pack(shipment, "user:1 Anna", timezone.now())
    operators.ship(shipment, "user:1 Anna", timezone.now())
    progress.read(timezone.now())
    track = tracking.of(only_order())
    assert [step.state for step in track.steps] == ["done"] * 5
    assert track.finished
    assert only_order().state == Order.State.SHIPPED
    assert Mail.objects.filter(key__startswith="shipped-").count() == 1


def test_a_waiting_job_says_why(order: Order, plant: Plant, client: Client) -> None:
    Writer.objects.update(draining=True)
    plant.turn()
    assert b"Waiting for a writer of this format." in client.get(order.get_absolute_url()).content


def test_an_unchanged_page_costs_no_bytes(order: Order, client: Client) -> None:
    url = f"/orders/{order.token}/progress/"
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_private_page_is_kept_private(order: Order, client: Client) -> None:
    answer = client.get(order.get_absolute_url())
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer["X-Robots-Tag"]
    assert "Hauptstra" not in answer.content.decode()
    assert client.get("/orders/" + "0" * 32 + "/").status_code == 404


def test_many_lines_cost_no_more_queries_than_one(
    client: Client, plant: Plant, standin: StandIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        put(client, make_title(f"P-{number}"))
    submit(to_hosted_page(client, make_title("P-9")), "4242424242424242")
    order = only_order()
    client.get(f"/checkout/paid/{order.token}/", {"session": order.payments.get().session or ""})
    plant.turn()
    with django_assert_max_num_queries(7):
        client.get(f"/orders/{order.token}/progress/")
