"""`manage.py promise_report`: how promises turned out, in words and numbers. Reads only."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone

from fulfillment import score_sheet
from fulfillment.planning.belief import LEVELS
from fulfillment.scores import Scores, Share

MOST_DAYS: Final = 3660
UNKNOWN: Final = "not known yet"


class Command(BaseCommand):
    help = "Says how promised dates held: handed over and arrived in time, and how often forecasts of readiness held."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=_days, default=28, help=f"how far back, 1 to {MOST_DAYS} (28)")

    def handle(self, *args: Any, **options: Any) -> None:
        now, days = timezone.now(), options["days"]
        found = score_sheet.scores(now - dt.timedelta(days=days), now)
        self.stdout.write(f"Shipments made in the last {days} days: {found.shipments}")
        if not found.shipments:
            self.stdout.write("Nothing to score yet: an order counts when all its discs are made.")
            return
        for line in _lines(found):
            self.stdout.write(line)


def _lines(found: Scores) -> Iterator[str]:
    yield f"Handed over in time    {told(found.handed_over)}"
    yield f"Arrived in time        {told(found.arrived)}"
    yield "Made by the instant said, by discs for each drive when it was said:"
    yield f"  {'':26}" + "".join(f"{f'P{100 * level:.0f}':>18}" for level in LEVELS)
    yield _row("all", found.coverage)
    for name, coverage in found.by_band:
        if coverage[0].of:
            yield _row(name, coverage)
    if found.bias is not None and found.sharpness is not None:
        yield f"Bias: made {abs(found.bias):.2f} h {'after' if found.bias > 0 else 'before'} P50 (median)"
        yield f"Sharpness: {found.sharpness:.2f} h from being made to P97 (mean)"
    brier, of = found.brier
    risk = UNKNOWN if brier is None else f"{brier:.3f} of {of} (0 is perfect, a coin has 0.25)"
    yield f"Brier score of the risk half-way: {risk}"


def _row(name: str, coverage: Sequence[Share]) -> str:
    return f"  {name:26}" + "".join(f"{f'{100 * (each.share or 0):.1f} % of {each.of}':>18}" for each in coverage)


def told(share: Share) -> str:
    """«98.2 % of 340 (95.4 to 99.3)»."""
    if share.share is None:
        return UNKNOWN
    low, high = share.interval
    return f"{100 * share.share:.1f} % of {share.of} ({100 * low:.1f} to {100 * high:.1f})"


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_DAYS:
        raise ArgumentTypeError(f"give whole days from 1 to {MOST_DAYS}, not {text!r}")
    return int(text)
