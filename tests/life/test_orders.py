"""Whatever happens to orders and their money, in any order: see `order_machine.py` for the rules and what must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from fulfillment import rolling
from storefront import payments, promises, tasks
from tests.life.job_machine import Station
from tests.life.near_payer import NearPayer, Till
from tests.life.order_machine import Clock, OrderLife
from tests.life.series import LONG, run, run_long
from tests.scene import NOW, make_title

pytestmark = pytest.mark.django_db


@pytest.fixture
def machine(
    stations: list[Station], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[type[OrderLife], Callable[[], OrderLife]]]:
    """The class of the examples, and what makes one and lets its settlements be overtaken."""
    clock, tills = Clock(), list[Till]()
    settings.SPINDLE_PAYER = "tests.life.near_payer.NearPayer"
    settings.SPINDLE_LIMITS = {}  # time stands still for one session that clicks a hundred times
    monkeypatch.setattr(timezone, "now", clock)
    monkeypatch.setattr(tasks, "send_soon", lambda task: None)  # a nudge may be lost; the machine has its own ticks
    products = [make_title("P-1", 990), make_title("P-2", 1490)]
    rolling.roll(NOW)

    def open_till() -> Till:
        while tills:
            tills.pop().close()
        tills.append(Till(clock))
        NearPayer.till = tills[0]
        return tills[0]

    values = {"products": products, "station": stations[0], "clock": clock, "open_till": staticmethod(open_till)}
    kind: Any = type("Orders", (OrderLife,), values)
    promise = promises.first_promise

    def make() -> OrderLife:
        life: OrderLife = kind()

        def overtaken(*arguments: Any) -> Any:
            life.overtaken()
            return promise(*arguments)

        monkeypatch.setattr(payments, "first_promise", overtaken)
        return life

    yield kind, make
    for till in tills:
        till.close()


@pytest.mark.postgres
def test_any_life_of_an_order(machine: tuple[type[OrderLife], Callable[[], OrderLife]]) -> None:
    kind, make = machine
    assert run(make, kind, examples=8) > 0


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_series_of_orders(machine: tuple[type[OrderLife], Callable[[], OrderLife]]) -> None:
    kind, make = machine
    run_long(make, kind, LONG["orders"])
