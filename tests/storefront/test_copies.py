"""Whoever started a copy by hand is told by mail how it ended: once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail as sent
from django.utils import timezone
from pytest_django import Settings

from fulfillment.models import Copy
from storefront import outbox, progress
from storefront.models import Mail
from tests.copies import ANNA, copy_in
from tests.scene import NOW, Plant, running_plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant() -> Iterator[Plant]:
    with running_plant() as running:
        yield running


def test_an_end_is_told_once_with_its_reason_and_the_way_to_its_page(plant: Plant, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.SPINDLE_BASE_URL = "https://shop.example"
    copy = copy_in(plant.writer, "unknown", discs=("good", "unknown"))
    for _ in range(2):
        progress.read(NOW)
    Copy.objects.filter(pk=copy.pk).update(revision=9)  # somebody says that he has seen it
    progress.read(NOW)
    outbox.send_waiting(timezone.now())
    (message,) = sent.outbox
    assert (message.to, message.subject) == (["anna@example.com"], "Nine songs: check the disc")
    body = str(message.body)
    assert body.startswith("Hello anna,")
    assert "Nobody knows how far this disc got:" in body
    assert f"https://shop.example/plant/console/copies/{copy.pk}/" in body
    assert Copy.objects.get().revision_read == 9


@pytest.mark.parametrize(
    ("state", "values", "told"),
    [
        ("done", {}, True),
        ("failed", {}, True),
        ("cancelled", {"cancelled_by": ANNA}, False),
        ("cancelled", {"cancelled_by": "user:2 bert"}, True),
        ("done", {"email": ""}, False),
        ("writing", {}, False),
    ],
)
def test_only_ends_are_told_and_only_to_whom_they_are_news(
    plant: Plant, state: str, values: dict[str, Any], told: bool
) -> None:
    copy_in(plant.writer, state, **values)
    progress.read(NOW)
    assert Mail.objects.exists() == told
