"""Learned rates in the admin: what planning uses, why, and the one value that a person may put in its place.

What is learned is never written here: discs come in while the page is open.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from devices.admin.base import actor_of
from fulfillment.models import LearnedRate


@admin.register(LearnedRate)
class LearnedRateAdmin(admin.ModelAdmin[LearnedRate]):
    list_display = [
        "writer",
        "drive",
        "kind",
        "format",
        "used",
        "learned",
        "samples",
        "noise",
        "learned_at",
        "reset_at",
        "reset_why",
        "fixed_by",
    ]
    list_filter = ["kind", "format", ("fixed", admin.EmptyFieldListFilter)]
    search_fields = ["writer__name", "drive"]
    list_select_related = ["writer"]
    readonly_fields = (
        "writer",
        "drive",
        "kind",
        "format",
        "used",
        "learned",
        "unlearned",
        "samples",
        "noise",
        "learned_at",
        "reset_at",
        "reset_why",
        "unit",
        "fixed_by",
        "fixed_at",
    )
    fields = (*readonly_fields[:-2], "fixed", "fixed_why", "fixed_by", "fixed_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LearnedRate | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: LearnedRate, form: ModelForm[Any], change: bool) -> None:
        """Writes only what is fixed; it goes on learning beside that, and is free again without a value."""
        if not form.changed_data:
            return
        if obj.fixed is None:
            obj.fixed_why, obj.fixed_by, obj.fixed_at = "", "", None
        else:
            obj.fixed_by, obj.fixed_at = actor_of(request), timezone.now()
        values = {name: getattr(obj, name) for name in ("fixed", "fixed_why", "fixed_by", "fixed_at")}
        LearnedRate.objects.filter(pk=obj.pk).update(**values)

    @admin.display(description="the planner uses")
    def used(self, rate: LearnedRate) -> str:
        return f"{rate.told(rate.used)}{' (fixed)' if rate.fixed is not None else ''}"

    @admin.display(description="learned")
    def learned(self, rate: LearnedRate) -> str:
        return rate.told(rate.learned)

    @admin.display(description="before anything was timed")
    def unlearned(self, rate: LearnedRate) -> str:
        return rate.told(rate.prior)

    @admin.display(description="spread", ordering="spread")
    def noise(self, rate: LearnedRate) -> str:
        return f"± {rate.spread:.0%}"

    @admin.display(description="unit")
    def unit(self, rate: LearnedRate) -> str:
        return rate.unit
