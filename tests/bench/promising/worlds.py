"""Plants and their orders, with laws that no forecast can read: what promises are measured against. From seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fulfillment.planning.policies import EarliestDue, FirstCome, HighPriority, Policy
from fulfillment.simulation import builders
from fulfillment.simulation.engine import Engine
from fulfillment.simulation.workload import Image, Line, Order, Outage, Refill, Workload, Writer

ORDERS: Final = 4000
UNSCORED: Final = 500  # of them, at first: what is learned from nothing is not what it does in its second week
WRITERS: Final = 8
TITLES: Final = 300


@dataclass(frozen=True, slots=True)
class World:
    """`slower`: by how much a disc takes longer than its writer's nominal time: (writer, format, instant) → factor."""

    workload: Workload
    policy: Policy
    slower: Callable[[str, str, float], float] = lambda writer, format_, now: 1.0
    changed_at: float | None = None
    """When its laws change, if they do."""


class WorldEngine(Engine):
    """A run under the laws of a world."""

    def __init__(self, world: World, seed: int, **also: object) -> None:
        super().__init__(world.workload, world.policy, seed, **also)  # type: ignore[arg-type]  # as the engine has them
        self._world = world

    def _takes(self, spec: Writer, image: Image, seconds: float, now: float) -> float:
        return super()._takes(spec, image, seconds, now) * self._world.slower(spec.id, image.format, now)


def base(
    seed: int,
    *,
    load: float = 0.85,
    sigma: float = 0.15,
    bad: float = 0.03,
    wave: float = 0.0,
    policy: Policy | None = None,
) -> World:
    images = builders.titles(seed, TITLES, mix={"cd": 50, "dvd": 50})
    fleet = builders.fleet(seed, WRITERS, models=builders.EVEN_MODELS, single_every=0)
    writers = tuple(replace(writer, bad_disc_probability=bad) for writer in fleet)
    lines = builders.demand(seed, images, ORDERS)
    orders = builders.arrivals(seed, lines, images=images, writers=writers, load=load, wave=wave)
    return World(Workload(images, writers, orders, write_time_sigma=sigma), policy or FirstCome())


def flash(seed: int) -> World:
    """In the middle, somebody orders 500 discs of one title."""
    world = base(seed)
    orders = list(world.workload.orders)
    at = orders[len(orders) // 2].at
    orders.insert(len(orders) // 2, Order("flash", at, (Line(world.workload.images[0].id, 500),), at + 8 * 3600))
    return replace(world, workload=replace(world.workload, orders=tuple(orders)))


def half_down(seed: int) -> World:
    """Every other writer is out for two hours, in the middle."""
    world = base(seed)
    at = world.workload.orders[ORDERS // 2].at
    outages = tuple(Outage(writer.id, at, at + 2 * 3600) for writer in world.workload.writers[::2])
    return replace(world, workload=replace(world.workload, outages=outages), changed_at=at)


def slower_media(seed: int) -> World:
    """From the middle on, DVDs take 30 % longer."""
    world = base(seed, load=0.75)
    at = world.workload.orders[ORDERS // 2].at
    return replace(world, slower=lambda _, format_, now: 1.3 if format_ == "dvd" and now >= at else 1.0, changed_at=at)


def unlike_writers(seed: int) -> World:
    """Each writer is up to a tenth slower or faster than it says."""
    world, draw = base(seed), builders.draws(seed, "hidden speeds")
    factors = {writer.id: draw.uniform(0.9, 1.1) for writer in world.workload.writers}
    return replace(world, slower=lambda writer, format_, now: factors[writer])


def outages(seed: int) -> World:
    """Writers fall out for half an hour now and then, each about twice in three days."""
    world, draw = base(seed, load=0.75), builders.draws(seed, "outages")
    until, found = world.workload.orders[-1].at, []
    for writer in world.workload.writers:
        at = draw.expovariate(1 / (36 * 3600.0))
        while at < until:
            found.append(Outage(writer.id, at, at + draw.expovariate(1 / 1800.0)))
            at += 3600 + draw.expovariate(1 / (36 * 3600.0))
    return replace(world, workload=replace(world.workload, outages=tuple(found)))


def refills(seed: int) -> World:
    """Blanks are counted, and loaded once an hour: a writer may stand still until then."""
    world = base(seed, load=0.7)
    until = world.workload.orders[-1].at + 48 * 3600
    full = {writer.id: 60 * writer.drives for writer in world.workload.writers}
    writers = tuple(
        replace(writer, blanks=dict.fromkeys(writer.formats, full[writer.id])) for writer in world.workload.writers
    )
    rounds = tuple(
        Refill(writer.id, format_, hour * 3600.0, 20 * writer.drives)
        for writer in writers
        for format_ in writer.formats
        for hour in range(1, int(until // 3600))
    )
    return replace(world, workload=replace(world.workload, writers=writers, refills=rounds))


def high_priority(seed: int) -> World:
    """One order in ten overtakes the others."""
    world, draw = base(seed, policy=HighPriority()), builders.draws(seed, "priorities")
    orders = tuple(replace(each, priority="high") if draw.random() < 0.1 else each for each in world.workload.orders)
    return replace(world, workload=replace(world.workload, orders=orders))


WORLDS: Final[Mapping[str, Callable[[int], World]]] = {
    "base: load .85": base,
    "load .6": lambda seed: base(seed, load=0.6),
    "load .95": lambda seed: base(seed, load=0.95),
    "waves of a day": lambda seed: base(seed, load=0.8, wave=0.3),
    "times ± 30 %": lambda seed: base(seed, sigma=0.3),
    "no bad discs": lambda seed: base(seed, bad=0.0),
    "10 % bad discs": lambda seed: base(seed, load=0.8, bad=0.1),
    "unlike writers": unlike_writers,
    "500 discs at once": flash,
    "half the fleet down": half_down,
    "media 30 % slower": slower_media,
    "outages": outages,
    "refills by the hour": refills,
    "high priority overtakes": high_priority,
    "earliest due": lambda seed: base(seed, policy=EarliestDue()),
}
STRESS: Final = frozenset({"load .95", "500 discs at once", "half the fleet down", "media 30 % slower", "earliest due"})
