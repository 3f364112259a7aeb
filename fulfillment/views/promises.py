"""How dates held: coverage, punctuality and output, for staff. Changes nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from fulfillment import score_sheet
from fulfillment.planning.belief import LEVELS
from fulfillment.score_sheet import Day
from fulfillment.scores import Scores, Share, score
from fulfillment.views.staff import staff_page

SPANS: Final = (7, 28, 91)  # days
USUAL: Final = 28
HOURS: Final = dt.timedelta(hours=48)


@staff_page("fulfillment.view_shipment")
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    now, days = timezone.now(), _span(request.GET.get("days", ""))
    since = now - dt.timedelta(days=days)
    outcomes = score_sheet.read(since, now)
    found, scores = score_sheet.by_day(outcomes, since, now), score(outcome for _, outcome in outcomes)
    context: dict[str, Any] = {
        "here": "board",
        "days": days,
        "spans": SPANS,
        "scores": scores,
        "levels": [f"P{100 * level:.0f}" for level in LEVELS],
        "bands": _bands(scores),
        "by_day": found,
        "by_hour": score_sheet.discs_by_hour(now - HOURS, now),
    }
    return render(request, "plant/promises.html", context | _plots(found, context["by_hour"]))


def _span(asked: str) -> int:
    """What is not offered shows the usual one."""
    return int(asked) if asked in map(str, SPANS) else USUAL


def _bands(scores: Scores) -> list[tuple[str, Sequence[Share]]]:
    return [("all", scores.coverage), *(band for band in scores.by_band if band[1][0].of)]


def _plots(days: Sequence[Day], hours: Sequence[tuple[dt.datetime, int]]) -> dict[str, str]:
    """Columns as uPlot takes them, in JSON: instants in seconds first; a day of which nothing is known has no value."""
    noons = [dt.datetime.combine(day.date, dt.time(12), dt.UTC).timestamp() for day in days]
    punctual = [_per_cent(day.scores.handed_over) for day in days]
    coverage = [[_per_cent(day.scores.coverage[place]) for day in days] for place in range(1, len(LEVELS))]
    return {
        "output": json.dumps([[at.timestamp() for at, _ in hours], [count for _, count in hours]]),
        "punctuality": json.dumps([noons, punctual]),
        "coverage": json.dumps([noons, *coverage]),
    }


def _per_cent(share: Share) -> float | None:
    return None if share.share is None else round(100 * share.share, 1)
