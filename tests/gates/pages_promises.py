"""How dates held, for staff, in its states. A part of the list in `pages.py`; furnished as `pages_fleet.py` is."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

from devices.models import Disc, Write
from fulfillment import foreseeing
from fulfillment.models import Shipment, ShipmentForecast
from fulfillment.planning.belief import Belief
from fulfillment.planning.forecast import Chance, Forecast
from tests.gates.pages import World, visit
from tests.gates.pages_fleet import staff
from tests.scene import ask_for


def scored(count: int = 24) -> None:
    """Shipments of the last days, each tenth made and handed over too late."""
    now = timezone.now()
    for number in range(count):
        made, late = now - dt.timedelta(hours=6 * number), number % 10 == 9
        shipment = ask_for(1, received_at=made - dt.timedelta(hours=2)).shipment
        forecast = Forecast((made - dt.timedelta(hours=2)).timestamp(), 5000.0, 600.0, 300.0, 1, 0, Chance())
        foreseeing.remember(shipment, foreseeing.Foreseen(forecast, "cd 1", Belief(), load=number % 3))
        ShipmentForecast.objects.filter(shipment=shipment).update(place=0.5, scored_at=made, risk=0.1)
        day = timezone.localdate(made)
        Shipment.objects.filter(pk=shipment.pk).update(
            state="shipped",
            ready_at=made + dt.timedelta(hours=9 if late else -0.5),
            shipped_at=made + dt.timedelta(hours=10),
            hand_over_by=day + dt.timedelta(days=-1 if late else 1),
        )
    write = Write.objects.all()[0]
    for number in range(40):
        at = now - dt.timedelta(minutes=70 * number)
        Disc.objects.create(serial=f"PLOT{number:04}", write=write, state="good", final_at=at)


@visit("promises", "plant")
def held(world: World) -> Any:
    scored()
    return staff().get("/staff/promises/", {"days": "7"})


@visit("promises-empty", "plant")
def nothing_yet(world: World) -> Any:
    return staff().get("/staff/promises/")
