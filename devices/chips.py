"""The state chip of every list and page: an icon, the word, and the colour beside them; never the colour alone."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

TONES: Final = {
    "fine": {
        "idle",
        "busy",
        "good",
        "done",
        "made",
        "ready",
        "packed",
        "shipped",
        "paid",
        "printed",
        "sent",
        "settled",
        "closed",
    },
    "watch": {
        "stopped",
        "held",
        "unknown",
        "suspect",
        "draining",
        "maintenance",
        "low",
        "wanted",
        "awaiting-payment",
        "cancellation-requested",
        "expired",
    },
    "bad": {"offline", "bad", "failed", "unmatched", "amiss", "refused", "empty", "overdue"},
}

# Drawn on 16 × 16, as lines. A state without one of its own has its tone's.
_DISC: Final = "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0M9 8a1 1 0 1 1-2 0 1 1 0 0 1 2 0"
_SIGN: Final = "M8 2.5 14.5 13.5h-13zM8 6.5v3M8 11.6v.1"
_ICONS: Final = {
    "fine": "m3 8.5 3.5 3.5L13 4.5",
    "watch": _SIGN,
    "bad": "m4 4 8 8M12 4l-8 8",
    "": "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0M8 4.5V8l2.5 1.5",
    "idle": _DISC,
    "busy": "M5.5 3.5 12 8l-6.5 4.5z",
    "stopped": "M4 4h8v8H4z",
    "offline": "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0M3.8 3.8l8.4 8.4",
    "suspect": "M5.5 6A2.5 2.5 0 1 1 9.2 8.2C8.4 8.7 8 9.2 8 10M8 12.6v.1",
    "draining": "M8 2v8M4.5 6.5 8 10l3.5-3.5M3 13.5h10",
    "maintenance": "M13.5 4.5a3.5 3.5 0 0 1-5 4L4.5 13a1.4 1.4 0 0 1-2-2l4.2-4a3.5 3.5 0 0 1 4-5L8.8 4l.4 2.3 2.3.4z",
    "wanted": "M8 13V3M4 7l4-4 4 4",
}


def tone_of(state: str) -> str:
    """fine, watch or bad; empty for what only waits."""
    return next((tone for tone, states in TONES.items() if state in states), "")


def icon(state: str) -> SafeString:
    """The sign of a state or a tone. Whoever can't see it has the word beside it."""
    path = _ICONS.get(state) or _ICONS[tone_of(state)]
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>', path)


def chip(state: str, word: str = "") -> SafeString:
    word = word or state.replace("-", " ")
    return format_html('<span class="chip {}">{}{}</span>', tone_of(state), icon(state), word)


@admin.display(description="state", ordering="state")
def state_chip(row: Any) -> SafeString:
    """A column for `list_display`."""
    return chip(row.state)
