from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from tests import fleets
from tests.fleets import Unit


@pytest.fixture
def now(db: None) -> dt.datetime:
    return timezone.now()


@pytest.fixture
def fleet(now: dt.datetime) -> dict[str, Unit]:
    return fleets.whole_fleet(now)


def staff(*rights: str) -> Client:
    """Somebody of staff with these rights of the devices app and no others."""
    user = User.objects.create_user(f"staff with {len(rights)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="devices", codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(db: None) -> Client:
    return staff("view_writer", "change_writer", "add_blankentry")
