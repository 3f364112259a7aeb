"""Staff may look at everything and reword titles; nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.test import RequestFactory

from archive.models import Image, Title
from tests.archive.conftest import NOW

pytestmark = pytest.mark.django_db


def test_titles_are_reworded_and_images_only_read(folder: Path) -> None:
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    titles, images = site._registry[Title], site._registry[Image]

    assert (titles.has_change_permission(request), images.has_change_permission(request)) == (True, False)
    for model_admin in (titles, images):
        assert model_admin.has_view_permission(request)
        assert not model_admin.has_add_permission(request)
        assert not model_admin.has_delete_permission(request)
    assert "part_number" in titles.get_readonly_fields(request)


def test_image_lists_show_sizes_people_can_read() -> None:
    image_admin = site._registry[Image]
    image = Image(recipe="1" * 64, sha256="a" * 64, size=734_003_200, state="ready", created_at=NOW + timedelta(0))

    assert image_admin.short_digest(image) == "a" * 12  # type: ignore[attr-defined] # the registry knows only the base
    assert image_admin.readable_size(image) == "734.0 MB"  # type: ignore[attr-defined] # as above
    assert image_admin.readable_size(Image()) == "–"  # type: ignore[attr-defined] # as above
