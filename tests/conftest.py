"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker, blocking_manager_key

from tests.watching import Watch

ROOT = Path(__file__).parent
NEEDS_ROOT = "needs root"
FIRST_ROWS = ("Calendar", "Carrier", "Service", "PickUp", "TransitTime")
INSTALLED = pytest.StashKey[str]()  # the rows that migrations bring, as JSON
EMPTYING = {"transactional_db", "live_server"}  # fixtures after which every table is emptied
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


REAL_PARTS = {"faults", "flow", "browser", "production", "gates", "concurrency", "queue", "life"}


# What any run tries, and what the long one tries; a test that names a number keeps it. A busy machine is no failure.
patient = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("quick", patient, max_examples=50)
hypothesis.settings.register_profile("long", patient, max_examples=300)
hypothesis.settings.load_profile("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run whole shops come first: begun last, they would keep one core while the other has nothing to do."""
    items.sort(key=lambda item: REAL_PARTS.isdisjoint(item.path.relative_to(ROOT).parts))
    for item in items:
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What this run could not do is counted and named, so that nobody takes it for tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = sorted(report.nodeid for report in skipped if str(report.longrepr).rstrip("')").endswith(NEEDS_ROOT))
    if left_out:
        terminalreporter.section(f"{len(left_out)} left out, because they need root")
        for name in left_out:
            terminalreporter.write_line(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """A test with real transactions ends with every table emptied: what migrations installed is put back."""
    yield
    marker = item.get_closest_marker("django_db")
    asked = bool(marker and marker.kwargs.get("transaction"))
    emptied = asked or not EMPTYING.isdisjoint(getattr(item, "fixturenames", ()))
    if nextitem and emptied:  # after the last one there is no database
        with item.config.stash[blocking_manager_key].unblock():
            for row in serializers.deserialize("json", item.config.stash[INSTALLED]):
                row.save()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker, pytestconfig: pytest.Config) -> None:
    """Takes down what migrations installed, before the first test changes it."""
    models = [apps.get_model("fulfillment", name) for name in FIRST_ROWS]
    with django_db_blocker.unblock():
        if models[0]._meta.db_table in connection.introspection.table_names():  # else no chosen test wants a database
            rows = [row for model in models for row in model._default_manager.all()]
            pytestconfig.stash[INSTALLED] = serializers.serialize("json", rows)


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings) -> None:
    """Pages name static files as they are: nothing was collected for the tests."""
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="module")
def browser(watch: Watch) -> Iterator[Browser]:
    """Debian's Chromium. Only one at a time: playwright's loop and another's don't mix."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        started.on("context", watch.follow)
        yield started
        started.close()


@pytest.fixture(autouse=True)
def nothing_to_complain_of(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test in a browser passes with a policy violated, a script broken or a request that failed."""
    watch = request.getfixturevalue("watch") if "browser" in request.fixturenames else None
    yield
    if watch:
        complaints = watch.take()
        assert not complaints, "\n".join(complaints)
