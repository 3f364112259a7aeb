"""Doors that cost a call to the payer, or guess at passwords: a HEAD is a GET, and a known name locks nobody out."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db

WEB, OTHER = "203.0.113.7", "203.0.113.8"
LANDING = "/checkout/paid/" + "0" * 32 + "/"


def test_a_head_is_counted_as_a_get(settings: Settings) -> None:
    settings.SPINDLE_LIMITS = {"GET paid": {"address": (2, 600)}}
    heads = [Client().head(LANDING, REMOTE_ADDR=WEB).status_code for _ in range(3)]
    assert heads == [302, 302, 429]
    assert Client().get(LANDING, REMOTE_ADDR=WEB).status_code == 429


def test_cancelling_has_a_limit(settings: Settings) -> None:
    assert "address" in settings.SPINDLE_LIMITS["POST order-cancel"]


def log_in(name: str, password: str, address: str) -> int:
    return Client().post("/admin/login/", {"username": name, "password": password}, REMOTE_ADDR=address).status_code


def test_guesses_from_one_address_keep_out_nobody_at_another(settings: Settings) -> None:
    settings.SPINDLE_LIMITS = {}
    User.objects.create_superuser("anna", password="disc-disc-disc")
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        log_in("anna", "wrong", WEB)
    assert AccessAttempt.objects.exists()
    assert log_in("anna", "disc-disc-disc", WEB) == 429
    assert log_in("anna", "disc-disc-disc", OTHER) == 302


def test_one_name_has_a_higher_bound_over_all_addresses(settings: Settings) -> None:
    settings.SPINDLE_LIMITS = {"POST admin:login": {"name": (3, 3600)}}
    answers = [log_in(name, "wrong", f"203.0.113.{number}") for number, name in enumerate(["anna", "Anna"] * 2)]
    assert answers == [200, 200, 200, 429]
    assert log_in("berta", "wrong", WEB) == 200
