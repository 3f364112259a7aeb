"""Until when the blanks of each writer last, as the newest stored plan has it. Reads one row, and never plans."""

from __future__ import annotations

import datetime as dt

from fulfillment import plan_runs


def outlook(now: dt.datetime) -> dict[tuple[int, str], dt.datetime]:
    """By writer (its pk) and format: when its last blank is taken.

    What lasts beyond all that is planned, or can't be counted, has no entry; without a fresh plan nothing has one.
    """
    if (run := plan_runs.newest(now)) is None:
        return {}
    return {
        (int(writer), format_): dt.datetime.fromtimestamp(at, dt.UTC)
        for writer, until in plan_runs.standing(run).blanks_until.items()
        for format_, at in until.items()
    }
