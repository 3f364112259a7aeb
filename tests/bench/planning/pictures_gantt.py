"""The picture of a plan: who writes what, when, and what is fetched meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from fulfillment.planning.policies import EarliestDue
from fulfillment.simulation import presets
from fulfillment.simulation.builders import HOUR, MEGA
from fulfillment.simulation.workload import Workload, Writer
from tests.bench.planning.pictures_run import Bar, Run, Seen, run_of, seen
from tests.bench.planning.pictures_svg import HUES, WIDTH, bracket, line, mark, page, rect, text

SEED: Final = 31  # it shows each habit clearly
UNTIL: Final = 2.1 * HOUR  # the run's end
TICK: Final = 0.25 * HOUR
LEFT: Final = 160.0
RIGHT: Final = WIDTH - 20.0
TOP: Final = 44.0
STRIP: Final = 26.0  # above each writer, for the marks
ROW: Final = 19.0
BAR: Final = 16.0
THIN: Final = 7.0
GAP: Final = 0.7  # between two discs


def gantt() -> str:
    workload = presets.small(SEED)
    run = run_of(workload, EarliestDue(), SEED)
    styles = _styles(workload)
    tops = _tops(workload)
    bottom = max(tops.values()) + _height(workload.writers[-1]) + 8
    body = [*_legend(styles), *_axis(bottom)]
    for writer in workload.writers:
        body += _names(writer, tops[writer.id])
    body += _bars(run, tops, styles)
    examples = seen(run)
    body += _marks(examples, tops)
    body += _sentences(examples, bottom + 42)
    return page(bottom + 42 + 22 * len(examples) - 6, "Gantt chart of a simulated plan", body)


def _x(at: float) -> float:
    return LEFT + (RIGHT - LEFT) * at / UNTIL


def _height(writer: Writer) -> float:
    """Its drives and its fetches."""
    return writer.drives * ROW + ROW


def _tops(workload: Workload) -> dict[str, float]:
    tops, y = {}, TOP
    for writer in workload.writers:
        tops[writer.id] = y + STRIP
        y += STRIP + _height(writer)
    return tops


def _styles(workload: Workload) -> dict[str, str]:
    """A hue for each of the images that were ordered most."""
    ordered = Counter(line.image for order in workload.orders for line in order.lines)
    return {image: f"h{number}" for number, (image, _) in enumerate(ordered.most_common(HUES))}


def _legend(styles: dict[str, str]) -> Iterator[str]:
    yield text(12, 26, "Image", "faint")
    x = LEFT
    for image, style in (*styles.items(), ("any other", "other")):
        yield rect(x, 15, 14, 14, style)
        yield text(x + 20, 26, image)
        x += 80


def _axis(bottom: float) -> Iterator[str]:
    for number in range(int(UNTIL / TICK) + 1):
        x = _x(number * TICK)
        yield line(x, TOP, x, bottom)
        yield text(x, bottom + 15, f"{number * TICK / HOUR:g} h", "faint middle")


def _names(writer: Writer, top: float) -> Iterator[str]:
    yield line(12, top - STRIP + 1, RIGHT, top - STRIP + 1)
    yield text(12, top + 12, writer.id, "bold")
    yield text(12, top + 12 + ROW, f"DVD {writer.write_rate['dvd'] / MEGA:.0f} MB/s", "faint")
    for drive in range(writer.drives):
        yield text(LEFT - 8, top + 12 + drive * ROW, f"drive {drive + 1}", "faint end")
    yield text(LEFT - 8, top + 10 + writer.drives * ROW, "fetches", "faint end")


def _bars(run: Run, tops: dict[str, float], styles: dict[str, str]) -> Iterator[str]:
    drives = {writer.id: writer.drives for writer in run.workload.writers}
    for disc in run.discs:
        y = tops[disc.writer] + (int(disc.drive[1:]) - 1) * ROW
        yield _bar(disc, y, BAR, styles)
    for fetch in run.fetches:
        yield _bar(fetch, tops[fetch.writer] + drives[fetch.writer] * ROW + 2, THIN, styles)


def _bar(bar: Bar, y: float, height: float, styles: dict[str, str]) -> str:
    x = _x(bar.start)
    return rect(x, y, max(1.0, _x(bar.end) - x - GAP), height, styles.get(bar.image, "other"))


def _marks(examples: Sequence[Seen], tops: dict[str, float]) -> Iterator[str]:
    """Above the writers."""
    for number, example in enumerate(examples, start=1):
        for span in example.spans:
            start, end = _x(span.start), _x(span.end)
            yield bracket(start, end, tops[span.writer] - 6)
            yield mark((start + end) / 2, tops[span.writer] - 14, str(number))


def _sentences(examples: Sequence[Seen], y: float) -> Iterator[str]:
    for number, example in enumerate(examples, start=1):
        yield mark(20, y - 4, str(number))
        yield text(36, y, example.words)
        y += 22
