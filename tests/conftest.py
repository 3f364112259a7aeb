"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from importlib import import_module

import pytest
from django.apps import apps
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings
from pytest_django.plugin import blocking_manager_key

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """A test with real transactions ends with every table emptied: what migrations installed is put back."""
    yield
    marker = item.get_closest_marker("django_db")
    if nextitem and marker and marker.kwargs.get("transaction"):  # after the last one there is no database
        first_rows = import_module("fulfillment.migrations.0002_first_calendar_and_services")
        with item.config.stash[blocking_manager_key].unblock():
            first_rows.install(apps, None)


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings) -> None:
    """Pages name static files as they are: nothing was collected for the tests."""
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Only one at a time: playwright's loop and another's don't mix."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()
