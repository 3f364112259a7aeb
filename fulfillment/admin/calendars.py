"""The shop's calendar in the admin: weekdays, hours, and the days that go otherwise than holidays say."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from devices.chips import icon
from fulfillment import dates, public_holidays, undated
from fulfillment.models import Calendar, CalendarDay

from .weekdays import LabelledFormSet, RegionField, WeekdaysField, spoken


def told(reason: str, otherwise: str) -> SafeString | str:
    """That no date can be promised, and why; or what holds otherwise."""
    if not reason:
        return otherwise
    return format_html('<span class="no-dates">{} No date can be promised: {}</span>', icon("watch"), reason)


def holidays_ahead(region: str, today: dt.date) -> SafeString | str:
    """The public holidays of the coming year, as the library has them."""
    last = today + dt.timedelta(days=365)
    names = {
        day: name
        for year in (today.year, last.year)
        for day, name in public_holidays.names(settings.SPINDLE_COUNTRY, region, year).items()
        if today <= day < last
    }
    each = ((f"{day:%a} {day.day} {day:%B} {day.year}", name) for day, name in names.items())
    return format_html_join(SafeString("<br>"), "{} · {}", each) or "none known"


class CalendarDayInline(admin.TabularInline[CalendarDay, Calendar]):
    model = CalendarDay
    formset = LabelledFormSet
    classes = ["plain-rows"]
    extra = 1


class CalendarForm(forms.ModelForm[Calendar]):
    working_days = WeekdaysField(
        help_text=Calendar._meta.get_field("working_days").help_text,
        error_messages={"required": "Tick at least one weekday: without one, no date can be promised."},
    )
    region = RegionField(label="Public holidays", help_text=Calendar._meta.get_field("region").help_text)

    class Meta:
        model = Calendar
        fields = ["name", "working_days", "region", "opens", "closes", "packing_minutes"]


@admin.register(Calendar)
class CalendarAdmin(admin.ModelAdmin[Calendar]):
    form = CalendarForm
    list_display = ["name", "weekdays", "opens", "closes", "packing_minutes"]
    readonly_fields = ["standing", "ahead"]
    fields = ["standing", "name", "working_days", "opens", "closes", "packing_minutes", "region", "ahead"]
    inlines = [CalendarDayInline]

    def has_delete_permission(self, request: HttpRequest, obj: Calendar | None = None) -> bool:
        return False  # without a calendar there is no date to promise

    def get_fields(self, request: HttpRequest, obj: Calendar | None = None) -> list[Any]:
        return [name for name in self.fields or () if obj or name != "standing"]

    @admin.display(description="working days")
    def weekdays(self, calendar: Calendar) -> str:
        return spoken(calendar.working_days)

    @admin.display(description="dates")
    def standing(self, calendar: Calendar) -> SafeString | str:
        used = dates.calendar_row()
        if used and used != calendar:
            return f"Not used: dates are reckoned by the first calendar, «{used}»."
        return told(undated.calendar(calendar, timezone.now()), "Parcels are packed by this calendar.")

    @admin.display(description="holidays ahead")
    def ahead(self, calendar: Calendar) -> SafeString | str:
        return holidays_ahead(calendar.region, dates.local_date(timezone.now()))
