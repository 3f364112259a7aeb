"""What may be asked on the what-if page, and what is wrong with it when it is wrong: the field and the remedy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms

from fulfillment.models import Job
from fulfillment.planning.what_if import Change
from fulfillment.views.forms import FirstError

NOBODY = ("", "None")


class WhatIfForm(FirstError):
    """jobs: of open orders. planned: jobs that the plan may still move. writers: those that the plan has, by key."""

    first = forms.CharField(label="Put this order first", max_length=20, required=False)
    hold = forms.CharField(label="Hold this order", max_length=20, required=False)
    drain = forms.ChoiceField(label="Drain this writer", required=False)
    like = forms.ChoiceField(label="Add one more like", required=False)

    def __init__(
        self,
        data: Any,
        jobs: Mapping[UUID, Sequence[Job]],
        planned: Collection[str],
        writers: Mapping[str, str],
    ) -> None:
        super().__init__(data, auto_id="what-if-%s")
        self._jobs = {each[0].order.casefold(): each for each in jobs.values()}
        self._planned = planned
        for name in ("drain", "like"):
            choice = self.fields[name]
            choice.error_messages["invalid_choice"] = "The plan has no such writer. Choose one of the list."
            if isinstance(choice, forms.ChoiceField):
                choice.choices = [NOBODY, *sorted(writers.items(), key=lambda pair: pair[1])]
        for name in ("first", "hold"):
            field = self.fields[name]
            field.error_messages["max_length"] = "An order's number has 20 characters at most."
            field.widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_first(self) -> frozenset[str]:
        return self._jobs_of("first")

    def clean_hold(self) -> frozenset[str]:
        return self._jobs_of("hold")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("first") and cleaned.get("first") == cleaned.get("hold"):
            self.add_error("hold", "An order can't be put first and held at once. Name another one, or empty a field.")
        return cleaned

    def change(self) -> Change:
        said = self.cleaned_data
        return Change(said["first"], said["hold"], said["drain"], said["like"])

    def _jobs_of(self, name: str) -> frozenset[str]:
        number = self.cleaned_data[name].strip()
        if not number:
            return frozenset()
        jobs = self._jobs.get(number.casefold())
        if jobs is None:
            raise forms.ValidationError(f"There is no open order {number}. Look its number up on the board.")
        found = frozenset(str(job.pk) for job in jobs) & frozenset(self._planned)
        if not found:
            raise forms.ValidationError(f"No disc of {number} waits in the plan: it is held, made or under way.")
        return found
