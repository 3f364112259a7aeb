"""What a run promises of its orders, held against what became of them."""

from __future__ import annotations

from fulfillment.planning.policies import FirstCome
from fulfillment.simulation.engine import TICK, Engine
from fulfillment.simulation.foresight import Foresight
from fulfillment.simulation.workload import Image, Line, Order, Workload, Writer

DISC = 25.0  # 5 s to load, 10 to write, 10 to verify
IMAGES = (Image("a", 100_000_000, "cd"), Image("b", 100_000_000, "cd"))
WRITER = Writer(
    "w1", 2, ("cd",), {"cd": 10e6}, {"cd": 10e6}, load_s=5, print_s=0, cached=("a", "b"), bad_disc_probability=0.0
)


def test_an_order_between_two_ticks_is_promised_from_the_next_one_on() -> None:
    orders = (Order("first", 1000.0, (Line("a", 1),)), Order("second", 1004.0, (Line("b", 1),)))
    tally = Engine(Workload(IMAGES, (WRITER,), orders), FirstCome(), 0, foresight=Foresight()).run()
    assert tally.done == {"first": 1000.0 + DISC, "second": 1000.0 + TICK + DISC}
    for order, done in tally.done.items():
        assert abs(tally.promised[order][0] - done) < 1.0
