"""What a production shop may not be run with: the offline parts, which are there for a first look and for tests,
and settings that leave a door open.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connection

Fault = tuple[int, str, str]
KEY_LENGTH: Final = 50  # characters; Django's own bound for a key that can't be guessed
KEY_VARIETY: Final = 5


def no_offline_parts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Under SPINDLE_PRODUCTION each offline part and open door is an error that names its setting and the remedy."""
    if not settings.SPINDLE_PRODUCTION:
        return []
    faults = chain(_offline_parts(), _open_doors())
    return [Error(text, hint=hint, id=f"spindle.E{number:03}") for number, text, hint in faults]


def _offline_parts() -> Iterator[Fault]:
    if settings.DEBUG:
        yield 1, "SPINDLE_DEBUG is on.", "Leave it out."
    if settings.STRIPE_SECRET_KEY.startswith("sk_test_") or not settings.STRIPE_API_BASE.startswith("https://"):
        yield 2, "Payments go to a stand-in.", "Set STRIPE_SECRET_KEY and STRIPE_API_BASE=https://api.stripe.com."
    if not settings.STRIPE_WEBHOOK_SECRETS or "whsec_standin" in settings.STRIPE_WEBHOOK_SECRETS:
        yield 3, "Anybody can sign a webhook, or nobody.", "Set STRIPE_WEBHOOK_SECRETS to the endpoint's own."
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        yield 4, "Mail does not go out.", "Set EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend."
    if connection.vendor == "sqlite":
        yield 5, "The database is SQLite.", "Set DATABASE_URL: SQLite is for one machine and a first look."
    if not settings.SPINDLE_LABEL_PRINTER:
        hint = "Name a printer; fulfillment.printers.FolderPrinter only if somebody prints what comes into that folder."
        yield 6, "SPINDLE_LABEL_PRINTER is not set.", hint


def _open_doors() -> Iterator[Fault]:
    for number, setting in ((7, "SECRET_KEY"), (8, "SPINDLE_WRITER_KEY")):
        key = getattr(settings, setting)
        if len(key) < KEY_LENGTH or len(set(key)) < KEY_VARIETY or key.startswith("django-insecure-"):
            name = f"SPINDLE_{setting.removeprefix('SPINDLE_')}"
            yield number, f"{name} can be guessed.", f"Make {KEY_LENGTH} random characters or more of it."
    if not settings.ALLOWED_HOSTS or any(host.startswith(("*", ".")) for host in settings.ALLOWED_HOSTS):
        yield 9, "SPINDLE_ALLOWED_HOSTS takes any host.", "Name each host of the shop in full."
    if not settings.SPINDLE_BASE_URL.startswith("https://"):
        yield 10, "SPINDLE_BASE_URL is not https.", "Links in mails and agents' tokens need TLS: https://…"
    if not settings.STRIPE_CHECKOUT_ORIGIN.startswith("https://"):
        yield 11, "STRIPE_CHECKOUT_ORIGIN is not https.", "Set it to https://checkout.stripe.com."
    if settings.SPINDLE_PROXIES < 1:
        hint = "TLS ends at a proxy: count how many of yours append to X-Forwarded-For."
        yield 12, "SPINDLE_PROXIES is 0, so all visitors share one address and its limits.", hint
