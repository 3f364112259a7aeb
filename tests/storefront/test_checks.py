from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from storefront.checks import no_offline_parts

REAL = {
    "SPINDLE_PRODUCTION": True,
    "DEBUG": False,
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_API_BASE": "https://api.stripe.com",
    "STRIPE_CHECKOUT_ORIGIN": "https://checkout.stripe.com",
    "STRIPE_WEBHOOK_SECRETS": ["whsec_real"],
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "SPINDLE_LABEL_PRINTER": "fulfillment.printers.FolderPrinter",
    "SECRET_KEY": "abcdefghij" * 5,
    "SPINDLE_WRITER_KEY": "abcdefghij" * 5,
    "ALLOWED_HOSTS": ["shop.example"],
    "SPINDLE_BASE_URL": "https://shop.example",
    "SPINDLE_PROXIES": 1,
}


@pytest.fixture
def production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in REAL.items():
        setattr(settings, name, value)
    monkeypatch.setattr("storefront.checks.connection", SimpleNamespace(vendor="postgresql"))
    return settings


def test_outside_production_the_offline_parts_are_welcome() -> None:
    assert no_offline_parts(None) == []


def test_in_production_the_real_parts_pass(production: Settings) -> None:
    assert no_offline_parts(None) == []


def test_sqlite_is_an_error_in_production(production: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storefront.checks.connection", SimpleNamespace(vendor="sqlite"))
    assert [error.id for error in no_offline_parts(None)] == ["spindle.E005"]


@pytest.mark.parametrize(
    ("setting", "value", "number"),
    [
        ("DEBUG", True, 1),
        ("STRIPE_SECRET_KEY", "sk_test_standin", 2),
        ("STRIPE_API_BASE", "http://127.0.0.1:8010", 2),
        ("STRIPE_WEBHOOK_SECRETS", ["whsec_real", "whsec_standin"], 3),
        ("STRIPE_WEBHOOK_SECRETS", [], 3),
        ("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend", 4),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", 4),
        ("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend", 4),
        ("SPINDLE_LABEL_PRINTER", "", 6),
        ("SECRET_KEY", "abcdefghij" * 4, 7),
        ("SECRET_KEY", "x" * 60, 7),
        ("SECRET_KEY", "django-insecure-" + "abcdefghij" * 5, 7),
        ("SPINDLE_WRITER_KEY", "abc", 8),
        ("ALLOWED_HOSTS", ["shop.example", "*"], 9),
        ("ALLOWED_HOSTS", [".example"], 9),
        ("ALLOWED_HOSTS", [], 9),
        ("SPINDLE_BASE_URL", "http://shop.example", 10),
        ("STRIPE_CHECKOUT_ORIGIN", "http://127.0.0.1:8010", 11),
        ("SPINDLE_PROXIES", 0, 12),
    ],
)
def test_each_fault_alone_is_an_error_with_its_remedy(
    production: Settings, setting: str, value: Any, number: int
) -> None:
    setattr(production, setting, value)
    errors = no_offline_parts(None)
    assert [error.id for error in errors] == [f"spindle.E{number:03}"]
    assert errors[0].hint
