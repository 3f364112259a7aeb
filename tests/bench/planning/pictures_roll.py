"""The picture of the everyday rule: one job, three writers, and which of them is taken. Reckoned by `roll` itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fulfillment.planning.model import DriveView, JobView, Rates, WriterView
from fulfillment.planning.queue import Group, Queue
from fulfillment.planning.roll import FETCH_WEIGHT, soonest
from fulfillment.planning.stations import Fit, Fits, stations_of
from fulfillment.simulation.builders import GIGA, MEGA
from tests.bench.planning.pictures_svg import WIDTH, line, page, rect, text

LEFT: Final = 190.0
RIGHT: Final = WIDTH - 116.0
TOP: Final = 52.0
ROW: Final = 52.0
BAR: Final = 20.0
MINUTE: Final = 60.0
UNTIL: Final = 14 * MINUTE
IMAGE: Final = "film"
SIZE: Final = 4 * GIGA


@dataclass(frozen=True, slots=True)
class Choice:
    """What a writer would make of the job. Seconds; `penalty` is added to the end when writers are compared."""

    writer: WriterView
    busy: float
    fetch: float
    start: float
    end: float
    penalty: float
    taken: bool

    @property
    def compared(self) -> float:
        return self.end + self.penalty


def roll() -> str:
    body = [*_legend(), *_axis(TOP + 3 * ROW)]
    for number, choice in enumerate(_choices()):
        body += _row(choice, TOP + number * ROW)
    return page(TOP + 3 * ROW + 28, "One job, three writers, and which one is taken", body)


def _choices() -> list[Choice]:
    """`fetch + 5 fetch`: the first is in the end that `soonest` tells, the rest is what it adds to compare."""
    writers = (
        _writer("Slow, idle", 10, free_at=0, cached=True),
        _writer("Quick, idle", 40, free_at=0, cached=False),
        _writer("Quick, busy", 40, free_at=6 * MINUTE, cached=True),
    )
    group = _group()
    fits = Fits(stations_of(writers, 0.0)).of(group)
    best, _ = soonest(group, 1, fits, 0.0)
    return [_choice(group, fit, taken=fit is best) for fit in fits]


def _writer(name: str, speed: int, *, free_at: float, cached: bool) -> WriterView:
    rates = Rates({"dvd": speed * MEGA}, {"dvd": speed * MEGA}, link=50 * MEGA)
    drive = DriveView("d1", frozenset({"dvd"}), free_at)
    return WriterView(name, (drive,), rates, cached=frozenset({IMAGE} if cached else ()))


def _group() -> Group:
    queue = Queue({"dvd": SIZE})
    queue.add(JobView("job", IMAGE, SIZE, "dvd", copies=1, received_at=0.0, sequence=1), (0.0,))
    return queue.entries["job"].group


def _choice(group: Group, fit: Fit, *, taken: bool) -> Choice:
    station, _, fetch = fit
    if station.is_here(group.image):
        fetch = 0.0
    _, end = soonest(group, 1, [fit], 0.0)
    busy = station.free[0]
    (slot,) = station.lay(group.image, group.bytes, group.format, 1, 0.0)
    return Choice(station.view, busy, fetch, slot.start, end, fetch * (FETCH_WEIGHT - 1.0), taken)


def _x(seconds: float) -> float:
    return LEFT + (RIGHT - LEFT) * seconds / UNTIL


def _legend() -> Iterator[str]:
    yield rect(LEFT, 15, 14, 14, "other")
    yield text(LEFT + 20, 26, "other work")
    yield rect(LEFT + 108, 18, 14, 8, "h1")
    yield text(LEFT + 128, 26, "fetch, f")
    yield rect(LEFT + 192, 15, 14, 14, "h0")
    yield text(LEFT + 212, 26, "the disc")
    yield rect(LEFT + 280, 15, 14, 14, "dashed")
    yield text(LEFT + 300, 26, f"what a fetch costs others, {FETCH_WEIGHT - 1:g} f")


def _axis(bottom: float) -> Iterator[str]:
    for minute in range(0, int(UNTIL / MINUTE) + 1, 2):
        x = _x(minute * MINUTE)
        yield line(x, TOP - 8, x, bottom - 4)
        yield text(x, bottom + 12, f"{minute} min", "faint middle")


def _row(choice: Choice, y: float) -> Iterator[str]:
    speed = choice.writer.rates.write["dvd"] / MEGA
    yield text(12, y + 10, choice.writer.id, "bold")
    yield text(12, y + 27, f"{speed:g} MB/s, image {'here' if not choice.fetch else 'missing'}", "faint")
    if choice.busy:
        yield rect(_x(0), y, _x(choice.busy) - _x(0) - 1, BAR, "other")
    if choice.fetch:
        yield rect(_x(0), y + 6, _x(choice.fetch) - _x(0) - 1, BAR - 12, "h1")
    yield rect(_x(choice.start), y, _x(choice.end) - _x(choice.start), BAR, "h0")
    if choice.penalty:
        yield rect(_x(choice.end) + 1, y + 1, _x(choice.compared) - _x(choice.end) - 1, BAR - 2, "dashed")
    words = f"{choice.compared / MINUTE:.1f} min{': taken' if choice.taken else ''}"
    yield text(_x(choice.compared) + 8, y + 14, words, "bold halo" if choice.taken else "halo")
