from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scene import Plant, running_plant


@pytest.fixture
def plant(db: None) -> Iterator[Plant]:
    with running_plant() as running:
        yield running
