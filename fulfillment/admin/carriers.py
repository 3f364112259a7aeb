"""Carriers and their services in the admin: when each is collected, and how long it takes to where."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from fulfillment import dates, undated
from fulfillment.models import Carrier, CarrierDay, PickUp, Service, TransitTime

from .calendars import holidays_ahead, told
from .weekdays import LabelledFormSet, RegionField, WeekdaysField


class CarrierDayInline(admin.TabularInline[CarrierDay, Carrier]):
    model = CarrierDay
    formset = LabelledFormSet
    classes = ["plain-rows"]
    extra = 1


class CarrierForm(forms.ModelForm[Carrier]):
    region = RegionField(label="Public holidays", help_text=Carrier._meta.get_field("region").help_text)

    class Meta:
        model = Carrier
        fields = ["name", "region"]


@admin.register(Carrier)
class CarrierAdmin(admin.ModelAdmin[Carrier]):
    form = CarrierForm
    list_display = ["name", "region"]
    readonly_fields = ["ahead"]
    fields = ["name", "region", "ahead"]
    inlines = [CarrierDayInline]

    @admin.display(description="holidays ahead")
    def ahead(self, carrier: Carrier) -> SafeString | str:
        return holidays_ahead(carrier.region, dates.local_date(timezone.now()))


class PickUpForm(forms.ModelForm[PickUp]):
    class Meta:
        model = PickUp
        fields = ["weekday", "cut_off"]
        error_messages = {
            "cut_off": {"required": "Enter the time, or tick «Delete?»: without one, nothing is collected that day."}
        }

    def has_changed(self) -> bool:
        """A weekday that nobody gave a cut-off is no row yet."""
        return super().has_changed() if self.instance.pk else "cut_off" in self.changed_data


class PickUpFormSet(LabelledFormSet):
    """A row for each weekday, there from the start; one whose cut-off stays empty is not saved."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        service: Service | None = kwargs.get("instance")
        taken = set(service.pick_ups.values_list("weekday", flat=True)) if service and service.pk else set()
        kwargs["initial"] = [{"weekday": day} for day in PickUp.Weekday.values if day not in taken]
        super().__init__(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        calendar = dates.calendar_row()
        for form in self.forms:
            cut_off = form.cleaned_data.get("cut_off") if form.is_valid() else None
            if calendar and cut_off and not calendar.opens < cut_off <= calendar.closes:
                hours = f"The shop packs from {calendar.opens:%H:%M} to {calendar.closes:%H:%M}"
                form.add_error("cut_off", f"{hours}: enter a time in between.")


class PickUpInline(admin.TabularInline[PickUp, Service]):
    model = PickUp
    form = PickUpForm
    formset = PickUpFormSet
    classes = ["plain-rows"]
    max_num = len(PickUp.Weekday)
    verbose_name_plural = "pick-ups"

    def get_extra(self, request: HttpRequest, obj: Service | None = None, **kwargs: Any) -> int:
        return self.max_num - (obj.pick_ups.count() if obj else 0)


class TransitTimeForm(forms.ModelForm[TransitTime]):
    delivery_days = WeekdaysField(required=False, help_text=TransitTime._meta.get_field("delivery_days").help_text)

    class Meta:
        model = TransitTime
        fields = ["country", "usual_days", "usual_percent", "most_days", "most_percent", "delivery_days"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # a row keeps its country: thirty lists of all countries would make a slow page
            self.fields["country"].widget.choices = [(str(self.instance.country), str(self.instance))]


class TransitTimeInline(admin.TabularInline[TransitTime, Service]):
    model = TransitTime
    form = TransitTimeForm
    formset = LabelledFormSet
    classes = ["plain-rows"]
    extra = 1


@admin.register(Service)
class ServiceAdmin(admin.ModelAdmin[Service]):
    list_display = ["name", "carrier", "goes_to", "price_minor", "price_minor_abroad", "active", "lacks"]
    list_select_related = ["carrier"]
    prepopulated_fields = {"key": ["name"]}
    readonly_fields = ["standing"]
    fields = ["standing", "name", "key", "carrier", "price_minor", "price_minor_abroad", "active"]
    inlines = [PickUpInline, TransitTimeInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Service]:
        return super().get_queryset(request).prefetch_related("pick_ups", "transit_times")

    def get_fields(self, request: HttpRequest, obj: Service | None = None) -> list[Any]:
        return [name for name in self.fields or () if obj or name != "standing"]

    @admin.display(description="goes to")
    def goes_to(self, service: Service) -> str:
        countries = [str(row.country) for row in service.transit_times.all()]
        named = [country for country in countries if country]
        few = ", ".join(named) if len(named) < 4 else f"{len(named)} countries"
        return " and ".join(filter(None, [few, "elsewhere" if "" in countries else ""])) or "nowhere"

    @admin.display(description="dates")
    def lacks(self, service: Service) -> SafeString | str:
        return told(undated.service(service), "promised")

    @admin.display(description="dates")
    def standing(self, service: Service) -> SafeString | str:
        now = timezone.now()
        if reason := undated.service(service) or undated.shop(now):
            return told(reason, "")
        return undated.example(service, now)
