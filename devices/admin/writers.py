"""Writers in the admin: the whole resource file of each, and what an operator does to it.

What an agent said is shown for as long as it is fresh. States are moved by actions, which call what ticks call.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from devices import lifecycle, resource_file
from devices.chips import chip, state_chip
from devices.drives import service_drive
from devices.intake import NotAccepted, check_address
from devices.models import BlankBin, CachedImage, Drive, Printer, Writer
from devices.text import clean

from .base import ReadOnlyInline, WhyForm, actor_of, tell


class DriveColumns:
    """Columns of a drive. What its agent said of it is shown while that is fresh."""

    @admin.display(description="state")
    def state_now(self, drive: Drive) -> SafeString:
        return chip(drive.state if self._is_fresh(drive) else resource_file.UNKNOWN)

    @admin.display(description="progress")
    def progress_now(self, drive: Drive) -> str:
        return f"{drive.progress:.0%}" if drive.progress is not None and self._is_fresh(drive) else "–"

    @admin.display(description="disc")
    def serial_now(self, drive: Drive) -> str:
        return (drive.serial if self._is_fresh(drive) else "") or "–"

    @admin.display(description="wants")
    def wants_now(self, drive: Drive) -> str:
        return (drive.wants if self._is_fresh(drive) else "") or "–"

    @admin.display(description="since its service")
    def counted(self, drive: Drive) -> str:
        counted = drive.since_service
        return f"{counted.discs} discs, {counted.failures} failures, {counted.hours:.0f} h"

    @admin.display(description="wear")
    def worn(self, drive: Drive) -> str:
        return drive.wear.text or "fine"

    def _is_fresh(self, drive: Drive) -> bool:
        return drive.writer.is_fresh(timezone.now())


class DriveInline(DriveColumns, ReadOnlyInline):
    model = Drive
    fields = [
        "ident",
        "role",
        "feed",
        "kinds",
        "state_now",
        "progress_now",
        "serial_now",
        "wants_now",
        "counted",
        "worn",
        "held_by",
    ]
    readonly_fields = ["state_now", "progress_now", "serial_now", "wants_now", "counted", "worn"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(gone=False).select_related("writer")


class PrinterInline(ReadOnlyInline):
    model = Printer
    fields = ["ident", "state", "left"]
    readonly_fields = ["left"]
    show_change_link = False

    @admin.display(description="supplies")
    def left(self, printer: Printer) -> str:
        known = ((supply["name"], supply.get("percent")) for supply in printer.supplies)
        return ", ".join(f"{name} {'?' if percent is None else round(percent)} %" for name, percent in known) or "–"


class BlankInline(ReadOnlyInline):
    model = BlankBin
    fields = ["format", "kind", "bin", "loaded", "adjusted", "started", "good", "bad", "unknown", "reserved", "left"]
    readonly_fields = ["reserved", "left"]

    @cached_property
    def _reserved(self) -> dict[int, dict[int, int]]:
        return {}

    @admin.display
    def reserved(self, bin_: BlankBin) -> int:
        """Of the writer's bins at once: an inline lives for one page."""
        if bin_.writer_id not in self._reserved:
            file = resource_file.of(bin_.writer_id, timezone.now())
            self._reserved[bin_.writer_id] = {each.pk: each.reserved for each in file.bins} if file else {}
        return self._reserved[bin_.writer_id].get(bin_.pk, 0)

    @admin.display(description="remaining")
    def left(self, bin_: BlankBin) -> str:
        return str(bin_.remaining) if bin_.counted else "not counted"


class ImageInline(ReadOnlyInline):
    model = CachedImage
    fields = ["sha256", "layout", "size", "state", "used_at"]
    show_change_link = False


class WriterForm(forms.ModelForm[Writer]):
    class Meta:
        model = Writer
        fields = ["name", "address", "low_blanks"]

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        try:
            check_address(address)
        except NotAccepted as refused:
            raise forms.ValidationError(refused.text) from refused
        return address


class NarrowSave(admin.ModelAdmin[Any]):
    """Reports come in while a page is open: only what somebody changed on it is written."""

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:
        if form.changed_data:
            obj.save(update_fields=form.changed_data)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # agents enrol, and say which drives they have

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Writer)
class WriterAdmin(NarrowSave):
    form = WriterForm
    action_form = WhyForm
    actions = ["drain", "start_maintenance", "resume", "disable", "enable", "revoke"]
    list_display = ["name", "kind", state_chip, "flags", "why", "last_seen"]
    list_filter = ["state", "draining", "maintenance", "enabled"]
    search_fields = ["name", "uuid"]
    inlines = [DriveInline, PrinterInline, BlankInline, ImageInline]
    readonly_fields = [
        "uuid",
        "kind",
        "state",
        "why",
        "enabled",
        "disabled_why",
        "disabled_who",
        "disabled_since",
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
    fields = ["name", "address", "low_blanks", *readonly_fields]

    @admin.display(description="reasons")
    def why(self, writer: Writer) -> str:
        lines = ((reason["keyword"], reason["text"]) for reason in writer.reasons)
        return format_html_join("", "<p><strong>{}</strong> {}</p>", lines) or "–"

    @admin.display
    def flags(self, writer: Writer) -> str:
        flags = [flag for flag in ("draining", "maintenance") if getattr(writer, flag)]
        if not writer.enabled:
            flags.append("revoked" if writer.revoked else "switched off")
        return ", ".join(flags) or "–"

    @admin.action(description="Drain: finish what it has, take nothing new", permissions=["change"])
    def drain(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.drain, "draining")

    @admin.action(description="Start maintenance", permissions=["change"])
    def start_maintenance(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.start_maintenance, "in maintenance")

    @admin.action(description="Resume (also after a lost journal or a second agent)", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.resume, "resumed")

    @admin.action(description="Switch off: its reports and fetches are refused", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.disable, "switched off")

    @admin.action(description="Switch on again (one that was revoked enrols anew instead)", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        who, now = actor_of(request), timezone.now()
        tell(self, request, [lifecycle.enable(writer, who=who, now=now) for writer in queryset], "switched on")

    @admin.action(description="Revoke its tokens: stolen, copied, or gone for good", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Writer]) -> None:
        self._each(request, queryset, lifecycle.revoke, "revoked")

    def _each(self, request: HttpRequest, writers: QuerySet[Writer], verb: Any, done: str) -> None:
        why = clean(request.POST.get("why", "").strip(), 200)
        moved = [verb(writer, who=actor_of(request), why=why, now=timezone.now()) for writer in writers]
        tell(self, request, moved, done)


THRESHOLDS = [f"{level}_{count}" for level in ("warn", "block") for count in ("discs", "failures", "hours")]


@admin.register(Drive)
class DriveAdmin(DriveColumns, NarrowSave):
    """Thresholds are set here; whoever has cleaned a drive says so by an action."""

    actions = ["service"]
    list_display = ["ident", "writer", "role", "feed", "state_now", "discs", "failures", "counted", "worn", "gone"]
    list_filter = ["gone", "role", "feed", "writer"]
    list_select_related = ["writer"]
    search_fields = ["ident", "writer__name"]
    fieldsets = [
        (None, {"fields": ["writer", "ident", "role", "feed", "kinds", "state_now", "gone"]}),
        ("Held by hand", {"fields": ["held_for", "held_by", "held_since"]}),
        ("Counted", {"fields": ["discs", "failures", "seconds", "counted", "serviced_at", "serviced_by", "worn"]}),
        ("Thresholds since the last service; empty: none", {"fields": tuple(THRESHOLDS)}),
    ]
    readonly_fields = [
        "writer",
        "ident",
        "role",
        "feed",
        "kinds",
        "state_now",
        "gone",
        "held_for",
        "held_by",
        "held_since",
        "discs",
        "failures",
        "seconds",
        "counted",
        "serviced_at",
        "serviced_by",
        "worn",
    ]

    @admin.action(description="Serviced: its thresholds count anew, and it takes work again", permissions=["change"])
    def service(self, request: HttpRequest, queryset: QuerySet[Drive]) -> None:
        who, now = actor_of(request), timezone.now()
        tell(self, request, [service_drive(drive, who=who, now=now) for drive in queryset], "serviced")
