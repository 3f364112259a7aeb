"""When blanks run out. Pure arithmetic over a plan's placements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from fulfillment.planning.model import Placement, WriterView


def runs_out(writers: Iterable[WriterView], placements: Sequence[Placement], now: float) -> dict[str, dict[str, float]]:
    """By writer and format: when its last blank is taken. What can't be counted, or lasts longer, has no entry."""
    starts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for placed in placements:
        starts[placed.writer, placed.format].append(placed.start)
    until: dict[str, dict[str, float]] = {}
    for writer in writers:
        for format_, left in writer.blanks.items():
            taken = sorted(starts[writer.id, format_])
            if left <= 0:
                until.setdefault(writer.id, {})[format_] = max(now, writer.last_blank_at.get(format_, now))
            elif len(taken) >= left:
                until.setdefault(writer.id, {})[format_] = taken[left - 1]
    return until
