"""What all pages of the fleet in Django's admin have in common."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest

from devices.text import clean


class WhyForm(ActionForm):
    why = forms.CharField(required=False, max_length=200, label="Why")


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that are looked at; they change by actions or not at all."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.model._meta.fields]


class ReadOnlyInline(admin.TabularInline[Any, Any]):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LookOnly(ReadOnly):
    """Rows that nobody does anything to."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def actor_of(request: HttpRequest) -> str:
    """Who did it, as events keep it: `user:17 anna`."""
    user = request.user
    name = user.get_username() if isinstance(user, AbstractUser) else ""
    return clean(f"user:{user.pk} {name}".strip(), 100)


def tell(model_admin: admin.ModelAdmin[Any], request: HttpRequest, moved: list[bool], done: str) -> None:
    """How many rows an action moved, and how many it left."""
    text = f"{sum(moved)} {done}, {len(moved) - sum(moved)} left as they were."
    model_admin.message_user(request, text, messages.SUCCESS if any(moved) else messages.WARNING)
