"""A run of the engine as bars, and where in it the planner's habits show: the marks of the Gantt chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

from fulfillment.planning.policies import Policy
from fulfillment.simulation.capacity import disc_seconds
from fulfillment.simulation.engine import Engine
from fulfillment.simulation.workload import Workload, Writer

AT_ONCE: Final = 1.0  # second: a drive that begins its next disc so soon did not wait
SEVERAL: Final = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """A disc on a drive, or a fetch (no drive, no order)."""

    writer: str
    drive: str
    image: str
    start: float
    end: float
    order: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    workload: Workload
    discs: tuple[Bar, ...]
    fetches: tuple[Bar, ...]

    def rows(self) -> Iterator[list[Bar]]:
        """By drive, in the order of time."""
        rows: dict[tuple[str, str], list[Bar]] = defaultdict(list)
        for disc in sorted(self.discs, key=lambda disc: disc.start):
            rows[disc.writer, disc.drive].append(disc)
        return iter(rows.values())


@dataclass(frozen=True, slots=True)
class Span:
    """Something to see on a writer."""

    writer: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One habit, the best example first. `worth` compares examples."""

    worth: float
    spans: tuple[Span, ...]
    words: str


def run_of(workload: Workload, policy: Policy, seed: int) -> Run:
    began: dict[tuple[str, str], float] = {}
    discs: list[Bar] = []
    fetches: list[Bar] = []

    def told(event: dict[str, Any]) -> None:
        kind, end = event["kind"], event["t"]
        key = event.get("writer", ""), event.get("drive", "")
        if kind in ("disc_start", "fetch_start"):
            began[key] = end
        elif kind in ("disc_end", "fetch_end"):
            bars = discs if kind == "disc_end" else fetches
            bars.append(Bar(*key, event["image"], began.pop(key), end, event.get("order", "")))

    Engine(workload, policy, seed, told).run()
    return Run(workload, tuple(discs), tuple(fetches))


def seen(run: Run) -> list[Seen]:
    """One example of each habit, as they come, no two of which stand above each other."""
    chosen: list[Seen] = []
    habits: tuple[Callable[[Run], Iterator[Seen]], ...] = (_dealt, _left_idle, _grouped, _ahead)
    for habit in habits:
        taken = [span for each in chosen for span in each.spans]
        examples = sorted(habit(run), key=lambda each: -each.worth)
        chosen.append(next(each for each in examples if all(_is_clear(span, taken) for span in each.spans)))
    return sorted(chosen, key=lambda each: each.spans[0].start)


def _is_clear(span: Span, taken: Sequence[Span]) -> bool:
    return all(other.writer != span.writer or other.end < span.start or span.end < other.start for other in taken)


def _grouped(run: Run) -> Iterator[Seen]:
    """Discs of several orders of one image, one after the other on a writer."""
    for writer in run.workload.writers:
        own = sorted((disc for disc in run.discs if disc.writer == writer.id), key=lambda disc: disc.start)
        for image, group in groupby(own, key=lambda disc: disc.image):
            discs = list(group)
            orders = len({disc.order for disc in discs})
            words = f"One image at a time: {len(discs)} discs of {image} for {orders} orders, one after the other."
            if orders >= SEVERAL:
                yield Seen(len(discs), (_around(discs),), words)


def _ahead(run: Run) -> Iterator[Seen]:
    """Fetches while every drive of the writer writes, of an image that a drive then takes without a pause."""
    for fetch in run.fetches:
        rows = [row for row in run.rows() if row[0].writer == fetch.writer]
        busy = all(any(disc.start <= fetch.start and fetch.end <= disc.end for disc in row) for row in rows)
        if busy and any(_takes_at_once(row, fetch) for row in rows):
            words = f"Fetched ahead: {fetch.image} comes while every drive writes, and a drive goes on with it at once."
            yield Seen(fetch.end - fetch.start, (Span(fetch.writer, fetch.start, fetch.end),), words)


def _takes_at_once(row: Sequence[Bar], fetch: Bar) -> bool:
    return any(
        disc.image == fetch.image and before.end > fetch.end and disc.start - before.end < AT_ONCE
        for before, disc in pairwise(row)
    )


def _dealt(run: Run) -> Iterator[Seen]:
    """Orders of one image that several writers made: the more of them, then the more discs, the better."""
    made: dict[tuple[str, str], dict[str, list[Bar]]] = defaultdict(lambda: defaultdict(list))
    for disc in run.discs:
        made[disc.order, disc.image][disc.writer].append(disc)
    for (_, image), parts in made.items():
        if len(parts) > 1:
            counts = [len(part) for part in parts.values()]
            words = f"A big job is dealt: {sum(counts)} discs of {image} for one order, on {len(parts)} writers."
            yield Seen(100 * len(parts) + sum(counts), tuple(_around(part) for part in parts.values()), words)


def _around(discs: Sequence[Bar]) -> Span:
    return Span(discs[0].writer, min(disc.start for disc in discs), max(disc.end for disc in discs))


def _left_idle(run: Run) -> Iterator[Seen]:
    """Orders of a disc that waited for a busy writer while the slowest one stood idle."""
    slow = slowest(run.workload)
    images = {image.id: image for image in run.workload.images}
    own = [disc for disc in run.discs if disc.writer == slow.id]
    made = {disc.order: disc for disc in run.discs}
    for order in run.workload.orders:
        disc = made[order.id]
        alone = len(order.lines) == 1 and order.lines[0].copies == 1
        if not alone or disc.writer == slow.id or any(one.start < disc.end and order.at < one.end for one in own):
            continue
        here = order.at + disc_seconds(slow, images[disc.image])  # or later, if the image is missing
        words = (
            f"The slow one stays idle: an order waits {minutes(disc.start - order.at)} for {disc.writer}, and is done"
            f" there {minutes(here - disc.end)} sooner."
        )
        if here > disc.end:
            yield Seen(min(disc.start - order.at, here - disc.end), (Span(slow.id, order.at, disc.end),), words)


def slowest(workload: Workload) -> Writer:
    return min(workload.writers, key=lambda writer: min(writer.write_rate.values()))


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
