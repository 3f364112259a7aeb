"""How the plant's pages write moments: short, and in the plant's zone. Pure, save for that zone."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format


def moment(at: datetime | None, now: datetime) -> str:
    """«14:02» of today, else «26 Nov, 14:02»; empty for none."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    return date_format(local, "H:i" if local.date() == timezone.localtime(now).date() else "j M, H:i")
