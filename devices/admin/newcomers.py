"""Codes and sightings in the admin: to be looked at. A code itself is nowhere; codes are made on the fleet's pages."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from devices.models import EnrolmentCode, Sighting

from .base import LookOnly


@admin.register(EnrolmentCode)
class EnrolmentCodeAdmin(LookOnly):
    list_display = ["made_at", "made_by", "name", "for_writer", "expires_at", "used_at", "writer"]
    list_filter = [("used_at", admin.EmptyFieldListFilter)]
    list_select_related = ["for_writer", "writer"]
    exclude = ["code_sha256"]

    def get_readonly_fields(self, request: HttpRequest, obj: EnrolmentCode | None = None) -> list[str]:
        return [name for name in super().get_readonly_fields(request, obj) if name != "code_sha256"]


@admin.register(Sighting)
class SightingAdmin(LookOnly):
    list_display = ["name", "address", "kind", "disks", "sources", "copiers", "by", "last_seen"]
    list_filter = ["by"]
    search_fields = ["name", "address"]
