"""Parcels, their papers and their dates in the admin. States are read-only: actions call what ticks call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from devices.chips import state_chip
from devices.models import Disc
from fulfillment import lifecycle, operators
from fulfillment.models import Paper, Shipment, ShipmentEvent

from .base import LogInline, ReadOnly, actor, report

BREAK: Final = SafeString("<br>")


class ShipmentEventInline(LogInline):
    model = ShipmentEvent


@admin.register(Shipment)
class ShipmentAdmin(admin.ModelAdmin[Shipment]):
    list_display = ["reference", "name", "city", "country", "service", state_chip, "promised_on", "estimated_on"]
    list_filter = ["state", "service"]
    search_fields = ["reference", "name", "city", "tracking"]
    list_select_related = ["service"]
    date_hierarchy = "received_at"
    inlines = [ShipmentEventInline]
    actions = ["pack", "ship", "print_again"]
    readonly_fields = (
        "reference",
        "state",
        "address",
        "service",
        "promised_on",
        "hand_over_by",
        "estimated_on",
        "estimate_reason",
        "papers_",
        "discs",
    )
    fields = (*readonly_fields, "tracking", "delivered_on")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Shipment | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Shipment, form: Any, change: bool) -> None:
        """Writes the columns that are edited: the rest of the row may have moved on since it was read."""
        edited = {"tracking": obj.tracking, "delivered_on": obj.delivered_on}
        Shipment.objects.filter(pk=obj.pk).update(revision=F("revision") + 1, **edited)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shipment]:
        return super().get_queryset(request).prefetch_related("papers")

    @admin.action(description="Mark packed", permissions=["change"])
    def pack(self, request: HttpRequest, shipments: QuerySet[Shipment]) -> None:
        report(self, request, "packed", [operators.pack(each, actor(request), timezone.now()) for each in shipments])

    @admin.action(description="Mark shipped", permissions=["change"])
    def ship(self, request: HttpRequest, shipments: QuerySet[Shipment]) -> None:
        report(self, request, "shipped", [operators.ship(each, actor(request), timezone.now()) for each in shipments])

    @admin.action(description="Print the papers again", permissions=["change"])
    def print_again(self, request: HttpRequest, shipments: QuerySet[Shipment]) -> None:
        done = [lifecycle.print_again(paper, now=timezone.now()) for each in shipments for paper in each.papers.all()]
        report(self, request, "sent to the printer again", done)

    @admin.display(description="papers")
    def papers_(self, shipment: Shipment) -> SafeString | str:
        links = [
            (reverse("admin:fulfillment_paper_file", args=[paper.pk]), paper.get_kind_display())
            for paper in shipment.papers.all()
            if paper.state == Paper.State.PRINTED
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', links) or "–"

    @admin.display(description="address")
    def address(self, shipment: Shipment) -> SafeString:
        parts = [shipment.name, shipment.organisation, shipment.line1, shipment.line2]
        parts += [f"{shipment.postal_code} {shipment.city}", shipment.region, str(shipment.country.name)]
        return format_html_join(BREAK, "{}", [(part,) for part in parts if part.strip()])

    @admin.display(description="discs")
    def discs(self, shipment: Shipment) -> SafeString:
        discs = Disc.objects.filter(allocation__job__shipment=shipment).order_by("write__title", "id")
        rows = discs.values_list("write__title", "serial", "write__writer__name", "drive")
        return format_html_join(BREAK, "{}: {} ({}, drive {})", rows)


@admin.register(Paper)
class PaperAdmin(ReadOnly):
    list_display = ["shipment", "kind", state_chip, "pages", "attempts", "reason", "printed_at"]
    list_filter = ["state", "kind"]
    search_fields = ["shipment__reference"]
    list_select_related = ["shipment"]

    def get_urls(self) -> list[URLPattern]:
        file = path("<int:pk>/file/", self.admin_site.admin_view(self.file), name="fulfillment_paper_file")
        return [file, *super().get_urls()]

    def file(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The printed PDF, for those who may see papers."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        paper = get_object_or_404(Paper, pk=pk, state=Paper.State.PRINTED)
        try:
            return FileResponse(Path(paper.path).open("rb"), content_type="application/pdf")
        except FileNotFoundError:
            raise Http404(f"{paper.path} is not there any more.") from None
