"""What writers are given and do, in the admin: writes, discs, reads, requests, events, and work set aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from devices import lifecycle, reading, trouble
from devices.chips import state_chip
from devices.intake import cancel_write
from devices.models import DeviceEvent, Disc, DriveOrder, ImageRequest, Read, Trouble, Write
from devices.serials import normalise
from devices.states import RequestState

from .base import LookOnly, ReadOnly, ReadOnlyInline, actor_of, tell


class DiscInline(ReadOnlyInline):
    model = Disc
    fields = ["serial", "state", "drive", "verified", "blame", "reason", "started_at", "finished_at"]


@admin.register(Write)
class WriteAdmin(ReadOnly):
    actions = ["cancel"]
    list_display = ["uuid", "title", "copies", "format", "writer", state_chip, "reason", "queued_at"]
    list_filter = ["state", "format", "writer"]
    list_select_related = ["writer"]
    search_fields = ["uuid", "title", "image_sha256"]
    inlines = [DiscInline]

    @admin.action(description="Cancel: give up the discs not started", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Write]) -> None:
        moved = [cancel_write(write, actor_of(request), timezone.now()) for write in queryset]
        tell(self, request, moved, "to be cancelled")


class BlameFilter(admin.AllValuesFieldListFilter):
    def choices(self, changelist: Any) -> Iterator[Any]:
        """A link needs a word: most discs are nobody's fault."""
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "nobody"}


@admin.register(Disc)
class DiscAdmin(ReadOnly):
    list_display = ["serial", "write", state_chip, "drive", "verified", "blame", "reason", "final_at"]
    list_filter = ["state", ("blame", BlameFilter)]
    list_select_related = ["write"]
    search_fields = ["=serial"]
    search_help_text = "The serial on the disc, with or without dashes."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return super().get_search_results(request, queryset, normalise(search_term))


@admin.register(DeviceEvent)
class DeviceEventAdmin(LookOnly):
    list_display = ["at", "writer", "kind", "old", "new", "serial", "actor", "text"]
    list_filter = ["kind", "writer"]
    list_select_related = ["writer"]
    search_fields = ["=serial", "text"]


@admin.register(Trouble)
class TroubleAdmin(ReadOnly):
    """Work that failed three times is left alone until somebody says here: try again."""

    actions = ["try_again"]
    list_display = ["step", "name", "tries", "reason", "last_at", "set_aside_at"]
    list_filter = [("set_aside_at", admin.EmptyFieldListFilter), "step"]
    search_fields = ["name", "row", "reason"]

    @admin.action(description="Try again", permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Trouble]) -> None:
        tell(
            self, request, [trouble.try_again(each, timezone.now()) for each in queryset], "will be tried again at once"
        )


@admin.register(Read)
class ReadAdmin(ReadOnly):
    actions = ["cancel"]
    list_display = ["uuid", "writer", "drive", state_chip, "reason", "size", "asked_by", "queued_at"]
    list_filter = ["state", "writer"]
    list_select_related = ["writer"]
    search_fields = ["uuid", "sha256"]

    @admin.action(description="Cancel", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Read]) -> None:
        moved = [reading.cancel_read(read, actor_of(request), timezone.now()) for read in queryset]
        tell(self, request, moved, "to be cancelled")


class RequestAdmin(ReadOnly):
    """What an agent is asked for until it has done it; what it has not done yet can be taken back."""

    actions = ["withdraw"]
    list_filter = ["state", "writer"]
    list_select_related = ["writer"]

    @admin.action(description="Withdraw what is still open", permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        who, now, end = actor_of(request), timezone.now(), RequestState.DROPPED
        reason = f"Withdrawn by {who}."
        moved = [lifecycle.end_request(each, end, now=now, actor=who, reason=reason) for each in queryset]
        tell(self, request, moved, "withdrawn")


@admin.register(ImageRequest)
class ImageRequestAdmin(RequestAdmin):
    list_display = ["wish", "title", "writer", state_chip, "reason", "size", "asked_by", "asked_at"]
    list_filter = ["state", "wish", "writer"]
    search_fields = ["sha256", "title"]


@admin.register(DriveOrder)
class DriveOrderAdmin(RequestAdmin):
    list_display = ["verb", "drive", "writer", "serial", state_chip, "reason", "asked_by", "asked_at"]
    list_filter = ["state", "verb", "writer"]
