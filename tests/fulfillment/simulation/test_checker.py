"""The checker passes a run that keeps to the contract, and tells each breach of it by its own words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fulfillment.simulation.presets import half_down, night, small
from fulfillment.simulation.workload import Workload
from tests.bench.planning import next_free
from tests.fulfillment.simulation.checker import check
from tests.fulfillment.simulation.hand_made import (
    EVENTS,
    RESULT,
    WORKLOAD,
    Event,
    cache,
    end,
    order,
    outage,
    refill,
    start,
)


def put(*events: Event, at: int, instead_of: int = 0) -> list[Event]:
    """The good run with events put in at a place, instead of so many that stood there."""
    return [*EVENTS[:at], *events, *EVENTS[at + instead_of :]]


def told(events: list[Event], workload: Workload = WORKLOAD) -> str:
    return "\n".join(check(workload, events, RESULT))


def test_a_run_that_keeps_to_the_contract_passes() -> None:
    assert check(WORKLOAD, EVENTS, RESULT) == []


@pytest.mark.parametrize(
    ("events", "breach"),
    [
        (put(start(0, "d1", "a"), at=2, instead_of=1), "drive d1 begins a while it writes a"),
        (put(start(31, "d3", "a"), end(61, "d3", "a", None), at=7), "uses drive d3, one more than its 2"),
        (put(end(29, "d1", "a", "o1"), at=4, instead_of=1), "a disc of a takes 30.0 s, not 29"),
        (put(end(61, "d1", "a", "o1"), at=8, instead_of=1), "a disc of a takes 30.0 s, not 31"),
        (put(end(30, "d2", "b", None), at=5, instead_of=1), "drive d2 ends a disc of b that it never began"),
        (put(end(90, "d1", "b", "o2"), at=15), "drive d1 ends a disc of b that it never began"),
        (put(start(72, "d1", "b"), at=15), "drive d1 never ends the disc of b begun at 72"),
        (put(start(10, "d1", "d"), at=4), "does not write dvd, the format of d"),
        (put(start(60, "d2", "b"), at=11), "begins a disc of b, which is not wholly in its cache"),
        (put(start(72, "d1", "a"), at=14), "begins a disc of a, which is not wholly in its cache"),
        (put(start(65, "d1", "a"), at=12), "begins a disc during an outage"),
        (put(start(61, "d1", "a"), at=12), "begins a disc during an outage"),
        (put(start(35, "d2", "a"), end(65, "d2", "a", None), at=7), "has no blank cd left"),
        (put(at=7, instead_of=1), "the refill of w1 with 10 cd at 50 is missing"),
        (put(refill(50, count=11), at=7, instead_of=1), "no such refill in the workload"),
        (put(refill(50), at=8), "no such refill in the workload"),
        (put(cache(60, "purge", "a"), at=8), "purges a, which is in use"),
        (put(cache(60, "purge", "c"), at=9), "purges c, which it does not hold"),
        (put(cache(60, "purge", "b"), at=11), "purges b, which it does not hold"),
        (put(at=9, instead_of=1), "its cache overflows: 200000000 of 150000000 bytes"),
        (put(cache(60, "fetch_start", "c"), at=11), "fetches c while it fetches b"),
        (put(cache(20, "fetch_start", "a"), at=4), "fetches a, which it has or is fetching"),
        (put(cache(62, "fetch_end", "b"), at=12), "the fetch of b ends at 72.0, not 62"),
        (put(cache(20, "fetch_end", "c"), at=4), "ends a fetch of c that it never began"),
        (put(at=11, instead_of=2), "the outage from 61 to 71 is not among the events"),
        (put(outage(11, "outage_start"), outage(12, "outage_end"), at=4), "from 11 to 12 is among the events alone"),
        (put(outage(62, "outage_start"), at=12), "an outage begins within another"),
        (put(outage(60, "outage_end"), at=11), "an outage ends that never began"),
        (put(order(9, "o2"), at=3, instead_of=1), "order o2 comes at 10"),
        (put(order(10, "o2"), at=4), "order o2 came before"),
        (put(at=3, instead_of=1), "order o2 never came"),
        (put(end(30, "d1", "a", "o2"), at=4, instead_of=1), "order o2 wants no more of a"),
        (put(end(102, "d2", "b", "o3"), at=15, instead_of=1), "a good disc goes to no order of the workload: 'o3'"),
        ([*EVENTS[:3], *EVENTS[4:], order(102, "o2")], "order o2 has not come yet"),
        (put(end(102, "d2", "b", None), at=15, instead_of=1), "order o2 lacks 1 of b"),
        (put({**EVENTS[5], "order": "o1"}, at=5, instead_of=1), "a bad disc is given to an order"),
        (put({**EVENTS[4], "ok": 1}, at=4, instead_of=1), "ok must be true or false, is 1"),
        ([*EVENTS, order(50, "o1")], "is after an event at 102: times go back"),
        (put({"t": 5, "kind": "pause"}, at=3), "event 4 (pause at 5): no such kind of event"),
        (put({"t": 5, "kind": "purge", "writer": "w1"}, at=3), "image is missing"),
        (put({"kind": "order", "order": "o1"}, at=3), "t must be a time from 0 on"),
        (put(cache(5, "purge", "z"), at=3), "no such image in the workload: 'z'"),
        (put(cache(5, "purge", "a", writer="w9"), at=3), "no such writer in the workload: 'w9'"),
    ],
)
def test_a_breach_in_the_events_is_told(events: list[Event], breach: str) -> None:
    assert breach in told(events)


def test_a_bad_disc_of_a_writer_that_makes_none_is_told() -> None:
    w1, w2 = WORKLOAD.writers
    flawless = replace(WORKLOAD, writers=(replace(w1, bad_disc_probability=0.0), w2))
    assert "makes a bad disc, and never should" in told(EVENTS, flawless)


def test_a_bad_disc_costs_a_blank() -> None:
    w1, w2 = WORKLOAD.writers
    two_blanks = replace(WORKLOAD, writers=(replace(w1, blanks={"cd": 2}), w2))
    assert "event 7 (disc_start at 30): writer w1: has no blank cd left" in told(EVENTS, two_blanks)


def test_with_noise_a_disc_may_take_any_time_but_none() -> None:
    noisy = replace(WORKLOAD, write_time_sigma=0.2)
    assert told(put(end(29, "d1", "a", "o1"), at=4, instead_of=1), noisy) == ""
    assert "drive d2 takes no time" in told(put(end(0, "d2", "a", None), at=3), noisy)


def test_a_fetch_in_which_an_outage_lies_is_longer_by_it() -> None:
    w1, w2 = WORKLOAD.writers
    slow = replace(WORKLOAD, writers=(replace(w1, link_rate=25e6), w2))
    assert "the fetch of b ends at 74.0, not 72" in told(EVENTS, slow)


def set_to(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(result: dict[str, Any]) -> None:
        inside: Any = result
        for part in path[:-1]:
            inside = inside[part]
        inside[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "breach"),
    [
        (set_to("makespan", value=103), "result: makespan is 102, not 103"),
        (set_to("discs", "good", value=4), "result: discs.good is 3, not 4"),
        (set_to("discs", "bad", value=0), "result: discs.bad is 1, not 0"),
        (
            set_to("downloads", value=2),
            "result: downloads and downloaded_bytes are [(1, 100000000)], not (2, 100000000)",
        ),
        (set_to("downloaded_bytes", value=1), "not (1, 1)"),
        (set_to("orders", 0, "done", value=61), "result: order o1: done is 60, not 61"),
        (set_to("orders", 0, "done", value=None), "result: order o1: done is 60, not None"),
        (set_to("orders", 0, "late", value=True), "result: order o1: late is False, not True"),
        (set_to("orders", 1, "late", value=False), "result: order o2: late is True, not False"),
        (set_to("orders", 1, "at", value=0), "result: order o2: at is 10, not 0"),
        (set_to("orders", 0, "promise", "p50", value=66), "result: order o1: its promise"),
        (set_to("orders", 1, "promise", value={"p50": 5, "p90": 20, "p97": 30}), "result: order o2: its promise"),
        (set_to("orders", 1, "id", value="o1"), "result: orders are not the workload's, each once"),
        (set_to("flow", "mean", value=75), "result: flow.mean is 76.0, not 75"),
        (set_to("flow", "p50", value=59), "result: flow.p50 is between 60 and 92, not 59"),
        (set_to("flow", "p95", value=93), "result: flow.p95 is between 60 and 92, not 93"),
        (set_to("late_fraction", value=0), "result: late_fraction is 0.5, not 0"),
        (lambda result: result.pop("makespan"), "result: a key is missing or of another type: KeyError 'makespan'"),
        (lambda result: result.pop("ticks"), "result: ticks is missing"),
    ],
)
def test_a_result_that_its_events_do_not_bear_out_is_told(change: Callable[[dict[str, Any]], Any], breach: str) -> None:
    result = copy.deepcopy(RESULT)
    change(result)
    (only,) = check(WORKLOAD, EVENTS, result)
    assert breach in only


def test_an_order_said_to_be_done_without_all_its_copies_is_told() -> None:
    assert "result: order o2: done is 102, but it did not get all it asked for" in told(EVENTS[:15])


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from(["disc", "line"]), st.sampled_from([0.0, 0.3]))
def test_another_program_that_keeps_to_the_contract_passes(seed: int, unit: next_free.Unit, noise: float) -> None:
    for workload in (
        small(seed),
        night(seed, orders=100, writers=6),
        half_down(seed, orders=100, writers=6, load=0.05),
    ):
        writers = tuple(replace(writer, bad_disc_probability=noise) for writer in workload.writers)
        flawed = replace(workload, writers=writers, write_time_sigma=noise)
        run = next_free.run(flawed, seed, unit=unit)
        assert check(flawed, run.events, run.result) == []
