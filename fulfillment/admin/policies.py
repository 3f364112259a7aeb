"""Choosing the policy in the admin: a choice is added with its reason, and never changed nor deleted."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from devices.chips import chip
from fulfillment import choosing
from fulfillment.models import PolicyChoice
from fulfillment.planning.policies import BUILT_IN

from .base import ReadOnly, actor

OWN: Final = "own"
CHOICES: Final = [
    *((name, f"{name}: {' '.join((policy.__doc__ or '').split())}") for name, policy in BUILT_IN.items()),
    (OWN, "One of your own, by its dotted path."),
]
COLUMNS: Final[list[Any]] = ["policy", "why", "chosen_by", "chosen_at", "standing", "failed_at", "failure"]


class ChoiceForm(forms.ModelForm[PolicyChoice]):
    name = forms.ChoiceField(choices=CHOICES, widget=forms.RadioSelect, label="Policy")
    path = forms.CharField(
        required=False,
        max_length=choosing.LONGEST,
        label="Dotted path",
        help_text="Of one of your own, such as shop_policies.DueFirst. It is tried on a few jobs before it is taken.",
    )

    class Meta:
        model = PolicyChoice
        fields = ["why"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        name, path = cleaned.get("name"), cleaned.get("path", "")
        if name == OWN and not self.has_error("path"):
            self._check(path)
        elif path and name and name != OWN:
            self.add_error("path", f"Leave it empty for {name}, or choose one of your own above.")
        return cleaned

    def _check(self, path: str) -> None:
        if not path:
            self.add_error("path", "Say which: the module and the class, such as shop_policies.DueFirst.")
            return
        try:
            choosing.check(path)
        except choosing.Unusable as error:
            self.add_error("path", f"{path} can't be used: {error}.")

    @property
    def policy(self) -> str:
        name: str = self.cleaned_data["name"]
        return self.cleaned_data["path"] if name == OWN else name


@admin.register(PolicyChoice)
class PolicyChoiceAdmin(ReadOnly):
    list_display = COLUMNS
    date_hierarchy = "chosen_at"
    form = ChoiceForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fulfillment.add_policychoice")

    def get_fields(self, request: HttpRequest, obj: PolicyChoice | None = None) -> list[Any]:
        return ["name", "path", "why"] if obj is None else COLUMNS

    def get_readonly_fields(self, request: HttpRequest, obj: PolicyChoice | None = None) -> list[str]:
        return [] if obj is None else COLUMNS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        newest = PolicyChoice.objects.order_by("-pk").values("pk")
        choices: QuerySet[Any] = super().get_queryset(request).annotate(newest=Subquery(newest[:1]))
        return choices

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        choice = choosing.newest()
        now = choice.policy if choice else f"{settings.SPINDLE_POLICY} (the setting SPINDLE_POLICY)"
        if choice and choice.failure:
            now = f"none, for {choice.policy} failed: jobs are made in order of receipt"
        return super().changelist_view(request, (extra_context or {}) | {"subtitle": f"In force: {now}"})

    def save_model(self, request: HttpRequest, obj: PolicyChoice, form: Any, change: bool) -> None:
        made = choosing.choose(form.policy, why=obj.why, who=actor(request), now=timezone.now())
        obj.pk, obj.policy, obj.chosen_at = made.pk, made.policy, made.chosen_at

    @admin.display(description="state")
    def standing(self, choice: Any) -> str:
        if choice.pk != choice.newest:
            return "over"
        return chip("failed") if choice.failure else "in force"
