"""What operators may enter on the fleet pages, and what is wrong with it when it is wrong: the field and the remedy."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from devices.models import BlankBin
from devices.stocktaking import MOST, newest_entry


class NumberInput(forms.NumberInput):
    """Repeats a number only: HTML allows nothing else in it, and a browser would show the field empty."""

    def format_value(self, value: Any) -> str | None:
        text = super().format_value(value)
        return text if text and re.fullmatch(r"-?[0-9]+", text) else None


class FirstError(forms.Form):
    """Whoever comes back with an error starts at the field that has it."""

    def add_error(self, field: str | None, error: Any) -> None:
        super().add_error(field, error)
        for name in self.errors:
            self.fields[name].widget.attrs["autofocus"] = True
            return


class BinForm(FirstError):
    """A number of blanks for one bin. Several stand on a page, so its fields are named after the bin."""

    least = 0

    number = forms.IntegerField(max_value=MOST)

    def __init__(self, bin_: BlankBin, data: Any = None) -> None:
        super().__init__(data, auto_id=f"{type(self).__name__.lower()}-{bin_.pk}-%s")
        self.bin = bin_
        field = self.fields["number"]
        field.widget = NumberInput(attrs={"inputmode": "numeric", "min": self.least, "max": MOST})
        field.error_messages |= {
            "required": "Enter how many blanks.",
            "invalid": "Enter a whole number, such as 50.",
            "max_value": f"Enter {MOST:,} or fewer.",
        }

    def clean_number(self) -> int:
        number = int(self.cleaned_data["number"])
        if number < self.least:
            raise forms.ValidationError(f"Enter {self.least} or more.")
        return number


class PutInForm(BinForm):
    least = 1
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)

    def __init__(self, bin_: BlankBin, data: Any = None) -> None:
        super().__init__(bin_, data)
        self.fields["number"].label = "Put in"
        self.initial["seen"] = newest_entry(bin_)


class CountForm(BinForm):
    def __init__(self, bin_: BlankBin, data: Any = None) -> None:
        super().__init__(bin_, data)
        self.fields["number"].label = "I counted"


class WhyForm(FirstError):
    why = forms.CharField(
        label="Why",
        max_length=200,
        required=False,
        error_messages={"max_length": "Say it in 200 characters."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
