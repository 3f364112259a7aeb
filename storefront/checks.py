"""What a production shop may not be run with: the offline parts, which are there for a first look and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connection


def no_offline_parts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Under SPINDLE_PRODUCTION each offline part is an error that names its setting and the remedy."""
    if not settings.SPINDLE_PRODUCTION:
        return []
    return [Error(text, hint=hint, id=f"spindle.E{number:03}") for number, text, hint in _offline_parts()]


def _offline_parts() -> Iterator[tuple[int, str, str]]:
    if settings.DEBUG:
        yield 1, "SPINDLE_DEBUG is on.", "Leave it out."
    if settings.STRIPE_SECRET_KEY.startswith("sk_test_") or not settings.STRIPE_API_BASE.startswith("https://"):
        yield 2, "Payments go to a stand-in.", "Set STRIPE_SECRET_KEY and STRIPE_API_BASE=https://api.stripe.com."
    if "whsec_standin" in settings.STRIPE_WEBHOOK_SECRETS:
        yield 3, "Anybody can sign a webhook.", "Set STRIPE_WEBHOOK_SECRETS to the endpoint's own."
    if settings.EMAIL_BACKEND.endswith(("filebased.EmailBackend", "console.EmailBackend", "locmem.EmailBackend")):
        yield 4, "Mail goes to files.", "Set EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend."
    if connection.vendor == "sqlite":
        yield 5, "The database is SQLite.", "Use PostgreSQL: SQLite is for one machine and a first look."
