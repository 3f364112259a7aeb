from __future__ import annotations

from types import SimpleNamespace

import pytest
from pytest_django import Settings

from storefront.checks import no_offline_parts


def test_outside_production_the_offline_parts_are_welcome() -> None:
    assert no_offline_parts(None) == []


def test_in_production_each_offline_part_is_an_error_with_its_remedy(settings: Settings) -> None:
    settings.SPINDLE_PRODUCTION = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    errors = no_offline_parts(None)
    assert [error.id for error in errors] == [f"spindle.E{number:03}" for number in (2, 3, 4, 5)]
    assert all(error.hint for error in errors)


def test_in_production_the_real_parts_pass(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SPINDLE_PRODUCTION = True
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    settings.STRIPE_API_BASE = "https://api.stripe.com"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_real"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    monkeypatch.setattr("storefront.checks.connection", SimpleNamespace(vendor="postgresql"))
    assert no_offline_parts(None) == []
