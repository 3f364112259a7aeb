"""Copies by hand, images on their way and roll-forwards in the admin: rows to look at."""

from __future__ import annotations

from django.contrib import admin

from devices.chips import state_chip
from fulfillment.models import Copy, CopyEvent, ImageFetch, PlanRun

from .base import LogInline, ReadOnly


class CopyEventInline(LogInline):
    model = CopyEvent


@admin.register(Copy)
class CopyAdmin(ReadOnly):
    list_display = ["title", "writer", "format", "copies", state_chip, "asked_by", "asked_at", "ended_at", "seen_by"]
    list_filter = ["state", "origin", "writer"]
    search_fields = ["title", "asked_by", "image_sha256", "parts__write__discs__serial"]
    list_select_related = ["writer"]
    date_hierarchy = "asked_at"
    inlines = [CopyEventInline]
    exclude = ["revision", "revision_read"]

    def view_on_site(self, copy: Copy) -> str:
        """To its page at the console."""
        return copy.get_absolute_url()


@admin.register(ImageFetch)
class ImageFetchAdmin(ReadOnly):
    list_display = ["sha256", "writer", state_chip, "received", "size", "reason", "created_at"]
    list_filter = ["state"]
    list_select_related = ["writer"]


@admin.register(PlanRun)
class PlanRunAdmin(ReadOnly):
    list_display = ["at", "policy", "milliseconds"]
    show_full_result_count = False
