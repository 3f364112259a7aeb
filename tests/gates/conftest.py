"""All pages, opened once for all tests of a run, in however many processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tests.gates import (
    pages_admin,
    pages_board,
    pages_console,
    pages_errors,
    pages_fleet,
    pages_orders,
    pages_papers,
    pages_payer,
    pages_promises,
    pages_shop,
)
from tests.gates.pages import Page, open_all, running_world, taken_back
from tests.made_once import made_once

LISTED = (
    pages_shop,
    pages_orders,
    pages_errors,
    pages_payer,
    pages_papers,
    pages_fleet,
    pages_board,
    pages_promises,
    pages_console,
    pages_admin,
)


@pytest.fixture(scope="session")
def pages(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Page]:
    """Every page of the list by its name; nothing of what they needed stays in the database."""
    folder = tmp_path_factory.mktemp("pages")

    def open_them(place: Path) -> None:
        place.write_bytes(pickle.dumps(_opened(folder, django_db_blocker)))

    kept: dict[str, Page] = pickle.loads(made_once("pages", open_them).read_bytes())  # noqa: S301 -- our own
    return kept


def _opened(folder: Path, django_db_blocker: DjangoDbBlocker) -> dict[str, Page]:
    with django_db_blocker.unblock():
        if "django_migrations" not in connection.introspection.table_names():
            # pytest-django makes a database only if a chosen test is marked for it; then ours is the data folder's.
            call_command("migrate", verbosity=0)
        with taken_back(), running_world(folder) as world:
            return open_all(world)
