"""Every run is held against the contract by a checker that knows nothing of the engine or the planner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from fulfillment.planning.policies import BUILT_IN, ByRank
from fulfillment.simulation.engine import Engine
from fulfillment.simulation.presets import PRESETS, backlog, backlog_reference, half_down, night, peak, reference, small
from fulfillment.simulation.result import result
from fulfillment.simulation.workload import Image, Line, Order, Outage, Refill, Workload, Writer
from tests.fulfillment.simulation.checker import check
from tests.fulfillment.simulation.workloads import workloads

FEW = {
    "reference": lambda: reference(3, orders=150, writers=8),
    "small": lambda: small(3),
    "peak": lambda: peak(3, orders=150, writers=4),
    "night": lambda: night(3, orders=150, writers=4),
    "half-down": lambda: half_down(3, orders=150, writers=8),
    "backlog": lambda: backlog(3, orders=200, writers=6),
    "backlog-reference": lambda: backlog_reference(3, orders=200, writers=6),
}


def run(workload: Workload, policy: ByRank, seed: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    events: list[dict[str, Any]] = []
    tally = Engine(workload, policy, seed, events.append).run()
    return events, result(workload, policy.name, seed, tally)


def test_every_preset_is_tried() -> None:
    assert FEW.keys() == PRESETS.keys()


@pytest.mark.parametrize("policy", BUILT_IN)
@pytest.mark.parametrize("preset", FEW)
def test_a_run_is_what_the_contract_says(preset: str, policy: str) -> None:
    workload = FEW[preset]()
    events, summary = run(workload, BUILT_IN[policy]())
    assert check(workload, events, summary) == []
    assert all(order["done"] is not None for order in summary["orders"])


def tamed(writer: Writer) -> Writer:
    """At a millionth of a byte a second, or where hardly any disc is good, a run has no end."""
    return replace(
        writer,
        write_rate={format_: max(rate, 1000.0) for format_, rate in writer.write_rate.items()},
        verify_rate={format_: max(rate, 1000.0) for format_, rate in writer.verify_rate.items()},
        link_rate=max(writer.link_rate, 1000.0),
        bad_disc_probability=min(writer.bad_disc_probability, 0.7),
    )


@given(workloads())
@settings(max_examples=60)
def test_any_workload_runs_as_the_contract_says(workload: Workload) -> None:
    workload = replace(workload, writers=tuple(tamed(writer) for writer in workload.writers))
    for policy in ("earliest-due", "longest-first"):
        events, summary = run(workload, BUILT_IN[policy]())
        told = check(workload, events, summary)
        assert [text for text in told if " lacks " not in text] == []
        assert bool(told) == any(order["done"] is None for order in summary["orders"])  # there was no blank for it


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["earliest-due", "longest-first"])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_whole_preset_runs_as_the_contract_says(preset: str, policy: str) -> None:
    workload = PRESETS[preset](1)
    events, summary = run(workload, BUILT_IN[policy]())
    assert check(workload, events, summary) == []


def test_the_same_seed_makes_the_same_run() -> None:
    workload = reference(5, orders=100, writers=5)
    once, again = (run(workload, BUILT_IN["earliest-due"](), 7)[0] for _ in range(2))
    assert once == again


def one_writer(**more: Any) -> Writer:
    rates = {"cd": 10e6}
    return Writer("w", 2, ("cd",), rates, rates, **more)


def orders(*copies: int) -> tuple[Order, ...]:
    return tuple(Order(f"o{number}", 0.0, (Line("i", count),)) for number, count in enumerate(copies))


IMAGE = Image("i", 100_000_000, "cd")


def test_blanks_that_never_come_leave_an_order_unmade_and_the_run_ends() -> None:
    workload = Workload((IMAGE,), (one_writer(blanks={"cd": 3}),), orders(2, 5))
    events, summary = run(workload, BUILT_IN["first-come"]())
    assert check(workload, events, summary) == ["at the end: order o1 lacks 4 of i"]
    assert [order["done"] is not None for order in summary["orders"]] == [True, False]
    assert summary["discs"] == {"good": 3, "bad": 0}


def test_work_goes_on_when_blanks_come() -> None:
    workload = Workload((IMAGE,), (one_writer(blanks={"cd": 3}),), orders(7), refills=(Refill("w", "cd", 9000.0, 10),))
    events, summary = run(workload, BUILT_IN["first-come"]())
    assert check(workload, events, summary) == []
    assert summary["makespan"] > 9000.0


def test_bad_discs_are_made_again_and_noise_is_borne() -> None:
    workload = Workload((IMAGE,), (one_writer(bad_disc_probability=0.3),), orders(20), write_time_sigma=0.2)
    events, summary = run(workload, BUILT_IN["earliest-due"](), 3)
    assert check(workload, events, summary) == []
    assert summary["discs"]["good"] == 20
    assert summary["discs"]["bad"] > 0


def test_what_was_given_to_a_writer_that_goes_out_is_made_elsewhere() -> None:
    rates = {"cd": 10e6}
    other = Writer("other", 1, ("cd",), rates, rates, load_s=200.0)
    outage = (Outage("w", 40.0, 90_000.0),)
    workload = Workload((IMAGE,), (one_writer(), other), orders(8), outages=outage)
    events, summary = run(workload, BUILT_IN["first-come"]())
    assert check(workload, events, summary) == []
    assert summary["makespan"] < 20_000.0
