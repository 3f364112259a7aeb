"""Anything dies at any time: who and when is drawn from a seed, which is the test's name."""

from __future__ import annotations

import random
import time
from threading import Thread

import pytest

from tests.faults.buyer import Buyer
from tests.faults.ending import ends_well
from tests.faults.plant import AGENTS, Plant

pytestmark = pytest.mark.timeout(300)

OTHERS = ("web", "worker", "beat", "redis", "stripe")
QUICK_SEEDS, ALL_SEEDS = (22, 24, 25), range(30)  # among the quick ones each process dies at least once
WITHIN = 8.0  # seconds, in which an order of five discs on two writers is paid, planned and written


def draw(seed: int) -> list[tuple[float, str, bool]]:
    """Moment, process, and whether its burner dies with it. One agent at most: two would cost a job more discs than
    it may lose before a person has to look."""
    chance = random.Random(seed)
    victims = [chance.choice(OTHERS) for _ in range(chance.randint(2, 4))] + [chance.choice(AGENTS)]
    return sorted((chance.uniform(0.0, WITHIN), victim, chance.random() < 0.5) for victim in victims)


@pytest.mark.parametrize(
    "seed", [seed if seed in QUICK_SEEDS else pytest.param(seed, marks=pytest.mark.slow) for seed in ALL_SEEDS]
)
def test_an_order_survives_random_kills(plant: Plant, seed: int) -> None:
    buyer = Buyer(plant)
    hosted = buyer.hosted_page("MIDDLING", 5)
    kills = draw(seed)
    plant.note(f"seed {seed}: " + ", ".join(f"{victim} at {at:.2f} s" for at, victim, _ in kills))
    reaper = Thread(target=strike, args=(plant, kills))  # of its own, so that a page is killed while it is asked for
    reaper.start()
    buyer.pay(hosted)
    plant.await_true(lambda: not reaper.is_alive(), "the last kill", 60)
    reaper.join()
    ends_well(plant, buyer.number())


def strike(plant: Plant, kills: list[tuple[float, str, bool]]) -> None:
    began = time.monotonic()
    for at, victim, with_burner in kills:
        time.sleep(max(0.0, began + at - time.monotonic()))  # the moment is what is tested
        plant.kill(victim, with_burner=with_burner)
