from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.concurrency.crowd import Crowd, gathered
from tests.scene import Plant, running_plant


@pytest.fixture(scope="session")
def crowd(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Crowd]:
    """Processes that start once; they know the test's database by its name."""
    with gathered(str(connection.settings_dict["NAME"])) as crowd:
        yield crowd


@pytest.fixture
def plant(transactional_db: None) -> Iterator[Plant]:
    with running_plant() as running:
        yield running
