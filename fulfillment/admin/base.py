"""What all pages of the plant in Django's admin have in common."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest


def actor(request: HttpRequest) -> str:
    """Who did it, as events keep it."""
    return f"user:{request.user.pk} {request.user.get_username()}"[:80]


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that only the program writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LogInline(admin.TabularInline[Any, Any]):
    fields = ("at", "actor", "old", "new", "text")
    readonly_fields = ("at", "actor", "old", "new", "text")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def report(model_admin: admin.ModelAdmin[Any], request: HttpRequest, verb: str, done: list[bool]) -> None:
    """Tells how many were done and how many were left because they were not in the right state."""
    left = len(done) - sum(done)
    text = f"{sum(done)} {verb}." + (f" {left} left as they are: their state doesn't allow it." if left else "")
    model_admin.message_user(request, text, messages.WARNING if left else messages.SUCCESS)
