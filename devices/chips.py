"""The state chip of every admin list: the word first, the colour beside it."""

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
    "watch": {"stopped", "held", "unknown", "awaiting-payment", "cancellation-requested", "expired"},
    "bad": {"offline", "bad", "failed", "unmatched", "amiss", "refused"},
}


def chip(state: str) -> SafeString:
    tone = next((tone for tone, states in TONES.items() if state in states), "")
    return format_html('<span class="chip {}">{}</span>', tone, state.replace("-", " "))


@admin.display(description="state", ordering="state")
def state_chip(row: Any) -> SafeString:
    """A column for `list_display`."""
    return chip(row.state)
