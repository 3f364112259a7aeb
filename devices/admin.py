"""The fleet in Django's admin: everything to be read, states never to be edited.

Actions call the same lifecycle functions as the ticks; blanks are loaded as a line of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join

from devices import blanks, lifecycle, trouble
from devices.chips import state_chip
from devices.intake import NotAccepted, cancel_write, check_address
from devices.models import BlankBin, BlankEntry, DeviceEvent, Disc, Drive, Trouble, Write, Writer
from devices.serials import normalise
from devices.text import clean


class WhyForm(ActionForm):
    why = forms.CharField(required=False, max_length=200, label="Why")


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that are looked at; they change by actions or not at all."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.model._meta.fields]


class ReadOnlyInline(admin.TabularInline[Any, Any]):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DriveInline(ReadOnlyInline):
    model = Drive
    fields = ["ident", "role", "feed", "kinds", "state", "progress", "serial", "wants", "reasons"]


class BlankInline(ReadOnlyInline):
    model = BlankBin
    fields = ["format", "kind", "bin", "counted", "left", "good", "bad", "unknown"]
    readonly_fields = ["left"]

    @admin.display(description="remaining")
    def left(self, bin_: BlankBin) -> str:
        return str(bin_.remaining) if bin_.counted else "not counted"


class WriterForm(forms.ModelForm[Writer]):
    class Meta:
        model = Writer
        fields = ["name", "address", "enabled"]

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        try:
            check_address(address)
        except NotAccepted as refused:
            raise forms.ValidationError(refused.text) from refused
        return address


@admin.register(Writer)
class WriterAdmin(admin.ModelAdmin[Writer]):
    form = WriterForm
    action_form = WhyForm
    actions = ["drain", "start_maintenance", "resume"]
    list_display = ["name", "kind", state_chip, "flags", "why", "last_seen"]
    list_filter = ["state", "draining", "maintenance", "enabled"]
    search_fields = ["name", "uuid"]
    inlines = [DriveInline, BlankInline]
    readonly_fields = [
        "uuid",
        "kind",
        "state",
        "why",
        "draining",
        "draining_why",
        "draining_who",
        "draining_since",
        "maintenance",
        "maintenance_why",
        "maintenance_who",
        "maintenance_since",
        "last_seen",
        "software",
        "protocol",
        "disk_capacity",
        "disk_free",
        "journal_id",
        "boot_id",
        "sequence",
    ]
    fields = ["name", "address", "enabled", *readonly_fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # `manage.py writer add` does it, and shows the token that is needed with it

    def has_delete_permission(self, request: HttpRequest, obj: Writer | None = None) -> bool:
        return False

    @admin.display(description="reasons")
    def why(self, writer: Writer) -> str:
        lines = ((reason["keyword"], reason["text"]) for reason in writer.reasons)
        return format_html_join("", "<p><strong>{}</strong> {}</p>", lines) or "–"

    @admin.display
    def flags(self, writer: Writer) -> str:
        flags = [flag for flag in ("draining", "maintenance") if getattr(writer, flag)]
        return ", ".join(flags if writer.enabled else [*flags, "switched off"]) or "–"

    @admin.action(description="Drain: finish what it has, take nothing new", permissions=["change"])
    def drain(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.drain, "draining")

    @admin.action(description="Start maintenance", permissions=["change"])
    def start_maintenance(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.start_maintenance, "in maintenance")

    @admin.action(description="Resume (also after a lost journal or a second agent)", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.resume, "resumed")

    def _each(self, request: HttpRequest, writers: QuerySet[Writer], verb: Any, done: str) -> None:
        why = clean(request.POST.get("why", "").strip(), 200)
        moved = [verb(writer, who=actor_of(request), why=why, now=timezone.now()) for writer in writers]
        text = f"{sum(moved)} {done}, {len(moved) - sum(moved)} left as they were."
        self.message_user(request, text, messages.SUCCESS if any(moved) else messages.WARNING)


class EntryInline(ReadOnlyInline):
    model = BlankEntry
    fields = ["at", "column", "change", "by", "why"]


@admin.register(BlankBin)
class BlankBinAdmin(ReadOnly):
    list_display = ["__str__", "format", "counted", "remaining", "good", "bad", "unknown"]
    list_filter = ["format", "writer"]
    list_select_related = ["writer"]
    inlines = [EntryInline]


class EntryForm(forms.ModelForm[BlankEntry]):
    class Meta:
        model = BlankEntry
        fields = ["bin", "change", "why"]

    def clean_change(self) -> int:
        change = int(self.cleaned_data["change"])
        if not change or abs(change) > 100_000:
            raise forms.ValidationError("Say how many blanks were put in, or taken out with a minus; not 0.")
        return change

    def clean_bin(self) -> BlankBin:
        bin_: BlankBin = self.cleaned_data["bin"]
        if bin_.by_machine:
            raise forms.ValidationError("This machine counts its blanks itself: its next report tells what is in it.")
        return bin_


@admin.register(BlankEntry)
class BlankEntryAdmin(admin.ModelAdmin[BlankEntry]):
    form = EntryForm
    list_display = ["at", "bin", "column", "change", "by", "why"]
    list_select_related = ["bin__writer"]
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: BlankEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: BlankEntry | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BlankEntry, form: ModelForm[Any], change: bool) -> None:
        entry = blanks.load(obj.bin, obj.change, by=actor_of(request), why=obj.why, now=timezone.now())
        obj.pk = entry.pk


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
        text = f"{sum(moved)} to be cancelled, {len(moved) - sum(moved)} left as they were."
        self.message_user(request, text, messages.SUCCESS if any(moved) else messages.WARNING)


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
class DeviceEventAdmin(ReadOnly):
    list_display = ["at", "writer", "kind", "old", "new", "serial", "actor", "text"]
    list_filter = ["kind", "writer"]
    list_select_related = ["writer"]
    search_fields = ["=serial", "text"]

    def has_change_permission(self, request: HttpRequest, obj: DeviceEvent | None = None) -> bool:
        return False


@admin.register(Trouble)
class TroubleAdmin(ReadOnly):
    """Work that failed three times is left alone until somebody says here: try again."""

    actions = ["try_again"]
    list_display = ["step", "name", "tries", "reason", "last_at", "set_aside_at"]
    list_filter = [("set_aside_at", admin.EmptyFieldListFilter), "step"]
    search_fields = ["name", "row", "reason"]

    @admin.action(description="Try again", permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Trouble]) -> None:
        moved = [trouble.try_again(each, timezone.now()) for each in queryset]
        text = f"{sum(moved)} will be tried again at once, {len(moved) - sum(moved)} left as they were."
        self.message_user(request, text, messages.SUCCESS if any(moved) else messages.WARNING)


def actor_of(request: HttpRequest) -> str:
    """Who did it, as events keep it: `user:17 anna`."""
    user = request.user
    name = user.get_username() if isinstance(user, AbstractUser) else ""
    return clean(f"user:{user.pk} {name}".strip(), 100)
