"""The shared parts of every page (one template each) and how dates and amounts are written."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString

from archive.formats import FORMATS, format_bytes
from archive.models import Title
from devices import chips
from devices.serials import spoken
from devices.wording import bin_name, drive_name
from fulfillment.console import showing
from fulfillment.fleet import rings
from storefront.pricing import format_amount
from storefront.tracking import DiscRing, Track

register = template.Library()

# Pairs that keep 3:1 against each other, so that a disc's artwork reads in both modes.
PALETTE = (
    ("#3a36c9", "#d6d4ff"),
    ("#0b6b36", "#c9f0d8"),
    ("#7a4e00", "#ffe6a6"),
    ("#a3201a", "#ffd3cd"),
    ("#0f5b78", "#c5ebfa"),
    ("#6b2a7a", "#f1d3f8"),
    ("#37474f", "#d9e4e9"),
)


@register.filter
def day(date: dt.date | None) -> str:
    """«Thursday 26 November», with the year when it is another one."""
    if date is None:
        return ""
    other_year = date.year != dt.datetime.now(dt.UTC).year
    return date_format(date, "l j F Y" if other_year else "l j F")


@register.filter
def short_day(date: dt.date | None) -> str:
    """«Thu 26 Nov»."""
    return date_format(date, "D j M") if date else ""


@register.filter
def moment(at: dt.datetime | None) -> str:
    """«14:02» of today, else «26 Nov, 14:02»: in the plant's zone."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    return date_format(local, "H:i" if local.date() == timezone.localdate() else "j M, H:i")


@register.filter
def amount(minor: int) -> str:
    return format_amount(minor, settings.SPINDLE_CURRENCY)


@register.filter
def size(count: int | None) -> str:
    """«734.0 MB», in powers of ten as media are sold."""
    return format_bytes(count or 0)


@register.filter
def person(actor: str) -> str:
    """«anna» of «user:17 anna»."""
    return rings.person(actor)


@register.filter
def drive(ident: str) -> str:
    """«Drive 2» of «d2»."""
    return drive_name(ident)


@register.filter(name="bin")
def bin_of(name: str) -> str:
    return bin_name(name)


@register.filter
def words(command: str) -> list[str]:
    """A command's words, which a page must not break within: «-» alone at a line's end is typed as such."""
    return command.split(" ")


@register.filter
def drives(idents: list[str]) -> str:
    return ", ".join(map(drive_name, idents))


@register.filter(name="spoken")
def spoken_serial(serial: str) -> str:
    """A disc's serial in groups of four."""
    return spoken(serial)


@register.filter
def signed(number: int) -> str:
    """«+50», «−3», «0»: as a ledger writes it."""
    return f"{number:+d}".replace("-", "−") if number else "0"


@register.filter
def format_label(key: str) -> str:
    return FORMATS[key].label


@register.inclusion_tag("parts/disc_art.html")
def disc_art(title: Title) -> dict[str, Any]:
    """A title's artwork on a disc: drawn from its part number, the same every time."""
    digest = hashlib.sha256(title.part_number.encode()).digest()
    ground, figure = PALETTE[digest[0] % len(PALETTE)]
    bands = [
        {"radius": 30 + 9 * ring, "from": digest[ring + 1] * 360 // 256, "long": 12 + digest[ring + 8] * 55 // 256}
        for ring in range(7)
    ]
    return {"title": title, "ground": ground, "figure": figure, "bands": bands}


@register.inclusion_tag("parts/disc_ring.html")
def disc_ring(ring: DiscRing, number: int) -> dict[str, Any]:
    """One disc filling up: waiting, writing, verifying, good, bad."""
    word = {"writing": f"{ring.percent} %", "verifying": "checking", "not-known": "not known"}.get(
        ring.state, ring.state
    )
    return {"ring": ring, "number": number, "word": word}


@register.simple_tag
def unseen_copies() -> int:
    """Copies that ended and whose end nobody has confirmed."""
    return showing.unseen().count()


@register.simple_tag
def state_chip(state: str, word: str = "") -> SafeString:
    """A state with its icon; `word` where the state's own is not said to people."""
    return chips.chip(state, word)


@register.simple_tag
def icon(state: str) -> SafeString:
    return chips.icon(state)


@register.inclusion_tag("parts/reason_line.html")
def reason_line(text: str, tone: str = "", since: dt.datetime | None = None) -> dict[str, Any]:
    """What is the matter and what next, with since when; tone: fine, watch, bad, or nothing."""
    return {"text": text, "tone": tone, "since": since}


@register.inclusion_tag("parts/capacity_bar.html")
def capacity_bar(used: float, whole: float, words: str) -> dict[str, Any]:
    """How full something is. `words` say it in its own unit, and are all that a screen reader hears."""
    share = min(1.0, used / whole) if whole else 0.0
    tone = "bad" if used > whole else "watch" if share > 0.9 else ""
    return {"percent": round(100 * share, 1), "words": words, "tone": tone}


@register.inclusion_tag("parts/promise_badge.html")
def promise_badge(track: Track) -> dict[str, Any]:
    """The date, in words whether it holds, and why if it doesn't."""
    return {"track": track}


@register.inclusion_tag("parts/step_line.html")
def step_line(track: Track) -> dict[str, Any]:
    return {"steps": track.steps}


@register.inclusion_tag("parts/field.html")
def field(bound: Any, hint: str = "") -> dict[str, Any]:
    """A form field: label, input, hint and error, tied together for those who can't see them side by side."""
    described = [f"{bound.auto_id}-hint"] if hint else []
    if bound.errors:
        described.append(f"{bound.auto_id}-problem")
    attrs: dict[str, str] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attrs["aria-invalid"] = "true"
    # A postal code is asked of most, though not of everybody: «if wanted» would mislead.
    optional = not bound.field.required and bound.name != "postal_code"
    return {"field": bound, "hint": hint, "optional": optional, "widget": bound.as_widget(attrs=attrs)}
