"""Bins and their ledger in the admin: blanks are loaded as a line of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from devices import blanks
from devices.models import BlankBin, BlankEntry

from .base import ReadOnly, ReadOnlyInline, actor_of


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
