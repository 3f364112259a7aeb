"""SVG by hand, for the pictures of docs/planning.md: readable in light and dark, on a background of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

WIDTH: Final = 720
HUES: Final = 5  # told apart at a glance; more are not

# Bars have a contrast of 3 at least with the background, text has 4.5.
STYLE: Final = """
svg { --page: #ffffff; --text: #1f2328; --faint: #59636e; --line: #d1d9e0; --other: #848d97;
  --h0: #0072b2; --h1: #c25100; --h2: #00875a; --h3: #a8409a; --h4: #8a6d00; }
@media (prefers-color-scheme: dark) {
  svg { --page: #0d1117; --text: #e6edf3; --faint: #9aa4af; --line: #353c45; --other: #737c87;
    --h0: #4ba3e3; --h1: #f08a4b; --h2: #3dba8c; --h3: #dd85d0; --h4: #d4b13f; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--text); }
.page { fill: var(--page); }
.faint { fill: var(--faint); }
.bold { font-weight: 600; }
.end { text-anchor: end; }
.halo { stroke: var(--page); stroke-width: 4px; paint-order: stroke; }
.middle { text-anchor: middle; }
.line { stroke: var(--line); }
.strong { stroke: var(--text); stroke-width: 1.5; fill: none; }
.dashed { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 4 3; fill: none; }
.curve { stroke: var(--h0); stroke-width: 2; fill: none; }
.other { fill: var(--other); }
.mark { fill: var(--text); }
.on-mark { fill: var(--page); font-weight: 600; text-anchor: middle; }
.h0 { fill: var(--h0); } .h1 { fill: var(--h1); } .h2 { fill: var(--h2); }
.h3 { fill: var(--h3); } .h4 { fill: var(--h4); }
"""


def page(height: float, title: str, parts: Iterable[str]) -> str:
    """A whole file. `title` is what a screen reader says."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {number(height)}" width="{WIDTH}"'
            f' height="{number(height)}" role="img" aria-label={quoteattr(title)}>',
            f"<style>{STYLE}</style>",
            rect(0, 0, WIDTH, height, "page"),
            *parts,
            "</svg>\n",
        )
    )


def number(value: float) -> str:
    """To a tenth of a pixel: what differs by less between two machines gives the same bytes."""
    return f"{round(value, 1):.1f}".removesuffix(".0")


def rect(x: float, y: float, width: float, height: float, style: str) -> str:
    size = f'width="{number(width)}" height="{number(height)}"'
    return f'<rect class="{style}" x="{number(x)}" y="{number(y)}" {size}/>'


def line(x1: float, y1: float, x2: float, y2: float, style: str = "line") -> str:
    return f'<path class="{style}" d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"/>'


def path(points: Iterable[tuple[float, float]], style: str) -> str:
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f'<path class="{style}" d="M{steps}"/>'


def text(x: float, y: float, words: str, style: str = "") -> str:
    """`y` is where the letters stand."""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{number(x)}" y="{number(y)}">{escape(words)}</text>'


def mark(x: float, y: float, words: str) -> str:
    """A number in a disc, its middle at x and y."""
    disc = f'<circle class="mark" cx="{number(x)}" cy="{number(y)}" r="8.5"/>'
    return disc + text(x, y + 4.3, words, "on-mark")


def bracket(x1: float, x2: float, y: float) -> str:
    """What a mark speaks of, seen from above."""
    return path(((x1, y + 4), (x1, y), (x2, y), (x2, y + 4)), "strong")
