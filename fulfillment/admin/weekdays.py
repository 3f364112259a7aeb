"""Parts of calendars' forms: weekdays to tick, a region of the shop's country to choose, rows with labels."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django import forms
from django.conf import settings
from django.forms.models import BaseInlineFormSet
from django_countries import countries

from fulfillment import public_holidays

MONDAY: Final = dt.date(2024, 1, 1)
WEEKDAYS: Final = {
    str(day + 1): (MONDAY + dt.timedelta(days=day)).strftime("%A") for day in range(7)
}  # ISO number → name


class WeekdayBoxes(forms.CheckboxSelectMultiple):
    """Seven boxes in a row. Sighted people see «Mon», others hear «Monday»."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "weekdays"} | (attrs or {}))

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        option["attrs"]["aria-label"] = WEEKDAYS[str(value)]
        return option


class WeekdaysField(forms.MultipleChoiceField):
    """The digits of a column («12345») as boxes."""

    widget = WeekdayBoxes

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(digit, name[:3]) for digit, name in WEEKDAYS.items()], **kwargs)

    def prepare_value(self, value: Any) -> list[str]:
        return list(value or "")

    def clean(self, value: Any) -> str:
        return "".join(sorted(super().clean(value)))


def spoken(digits: str) -> str:
    """«Mon Tue Wed»."""
    return " ".join(WEEKDAYS[digit][:3] for digit in digits) or "none"


def region_choices() -> list[tuple[str, str]]:
    home = settings.SPINDLE_COUNTRY
    each = [(code, f"{code} {also[0]}" if also else code) for code, also in public_holidays.regions(home).items()]
    return [("", f"only those of {countries.name(home)}"), *each]


class RegionField(forms.ChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=region_choices, required=False, **kwargs)


class LabelledFormSet(BaseInlineFormSet[Any, Any, Any]):
    """Rows whose cells have labels of their own: the columns' heads are none to a screen reader."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            if not isinstance(field, WeekdaysField) and not field.widget.is_hidden:
                field.widget.attrs["aria-label"] = str(field.label)
