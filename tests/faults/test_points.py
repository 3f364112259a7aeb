"""Each process of the order path is killed where it hurts most: just before and after it commits, calls, answers."""

from __future__ import annotations

import pytest

from tests.faults.buyer import Buyer
from tests.faults.ending import ends_well
from tests.faults.plant import Plant, Point

pytestmark = pytest.mark.timeout(300)

EDGES = ("before-commit", "after-commit")
CALL = ("before-call", "after-reply")

# (process, function, events): at each event the process is killed once, in an order of its own.
PATH = (
    ("web", "storefront.orders._make", EDGES),
    ("web", "storefront.payments._begin", EDGES),
    ("web", "storefront.stripe_payer.StripePayer.open_checkout", CALL),
    ("stripe", "storefront.standin.pages.pay", EDGES),
    ("web", "storefront.views.checkout.paid", (*CALL, *EDGES)),  # F2, on the way back from the payer
    ("web", "storefront.views.webhooks._settle", (*CALL, *EDGES)),  # F2, told by the payer
    ("worker", "fulfillment.apply._queue", EDGES),
    ("worker", "devices.dispatch.images.has_image", CALL),
    ("worker", "devices.client.AgentClient.put_write", CALL),  # F10
    ("worker", "devices.dispatch.writes._give", EDGES),  # F10
    ("agent-1", "devices.agent.ledger.Ledger.accept", EDGES),  # after: its answer is never sent
    ("agent-1", "devices.agent.ledger.Ledger.start", EDGES),  # after: F11 at 0 %
    ("agent-1", "devices.agent.ledger.Ledger.name_burner", EDGES),
    ("agent-1", "devices.agent.ledger.Ledger.finish", EDGES),  # before: F12
    ("agent-1", "devices.agent.ledger.Ledger.record", EDGES),
    ("agent-1", "devices.agent.reports.Reporter._report", CALL),
    ("web", "devices.reports.take", EDGES),
    ("worker", "fulfillment.allocation._give_whole", EDGES),
    ("worker", "fulfillment.progress.settle", EDGES),
    ("worker", "fulfillment.progress.finish_shipment", EDGES),
    ("worker", "storefront.progress.read", EDGES),  # the order follows its job and its shipment
)
POINTS = [Point(process, function, event) for process, function, events in PATH for event in events]
# The second commit of a visit says «accepted»: by then the agent has the write.
POINTS += [Point("worker", "devices.dispatch.writes._give", event, nth=2) for event in EDGES]
# Only the child that was at it: the worker and gunicorn themselves replace it.
POINTS += [
    Point("worker", "devices.client.AgentClient.put_write", "after-reply", alone=True),
    Point("web", "storefront.views.checkout.paid", "before-commit", alone=True),
]


def at(process: str, function: str, event: str) -> Point:
    """The point of that function's last name."""
    return next(point for point in POINTS if str(point) == str(Point(process, function, event)))


def test_kills_on_the_way_to_the_money_lose_no_order_and_charge_once(plant: Plant) -> None:
    plant.arm(
        at("web", "_make", "after-commit"),
        at("web", "open_checkout", "after-reply"),
        at("web", "paid", "before-commit"),
        at("web", "_settle", "after-commit"),
    )
    order = Buyer(plant).order("QUICK", 2)
    plant.await_points()
    ends_well(plant, order)


def test_kills_between_plan_and_parcel_repeat_nothing(plant: Plant) -> None:
    plant.arm(
        at("worker", "_queue", "after-commit"),
        at("worker", "put_write", "after-reply"),
        at("worker", "_give_whole", "before-commit"),
        at("web", "take", "before-commit"),
    )
    order = Buyer(plant).order("QUICK", 2)
    plant.await_points()
    ends_well(plant, order)


def test_kills_of_an_agent_spend_blanks_and_never_a_serial_twice(plant: Plant) -> None:
    plant.arm(
        at("agent-1", "accept", "after-commit"),
        at("agent-1", "start", "after-commit"),
        Point("agent-2", "devices.agent.ledger.Ledger.finish", "before-commit"),  # the second try goes elsewhere
    )
    order = Buyer(plant).order("QUICK", 1)
    plant.await_points()
    ends_well(plant, order)
    states = plant.rows("SELECT state FROM devices_disc WHERE state = 'unknown'")
    assert len(states) == 2, plant.story()


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_kill_at_this_point_changes_nothing_in_the_end(plant: Plant, point: Point) -> None:
    plant.arm(point)
    orders = [Buyer(plant).order("QUICK", 2)]
    # Where two doors race for one fact, the other one may win: then the next order comes by.
    while not plant.met_points(20) and len(orders) < 4:
        orders.append(Buyer(plant).order("QUICK", 2))
    plant.await_points()
    ends_well(plant, *orders)
