"""`python -m tests.bench.planning.pictures` draws the pictures of docs/planning.md, from runs of the real planner.

The same bytes each time. A test holds the files to what this draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.bench.planning.pictures_gantt import gantt
from tests.bench.planning.pictures_prices import learned_prices
from tests.bench.planning.pictures_roll import roll

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"


def pictures() -> dict[Path, str]:
    """By file."""
    return {
        DOCS / "planning-gantt.svg": gantt(),
        DOCS / "planning-roll.svg": roll(),
        DOCS / "planning-prices.svg": learned_prices(),
    }


if __name__ == "__main__":
    for file, drawn in pictures().items():
        file.write_text(drawn, encoding="utf-8")
