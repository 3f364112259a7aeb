"""One plant for each module, and a fresh one after a test that failed: what it broke is not the next one's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.plant import Plant, running_plant

Plants = dict[str, Plant]


@pytest.fixture(scope="module")
def plants() -> Iterator[tuple[ExitStack, Plants]]:
    with ExitStack() as stack:
        yield stack, {}


def _on(plants: tuple[ExitStack, Plants], database: str, request: pytest.FixtureRequest) -> Iterator[Plant]:
    stack, open_ = plants
    if database not in open_:
        open_[database] = stack.enter_context(running_plant(postgres=database == "postgres"))
    plant = open_[database]
    plant.note(f"test: {request.node.name}")
    failed = request.session.testsfailed
    yield plant
    plant.disarm()
    if request.session.testsfailed > failed:
        plant.close()
        del open_[database]


@pytest.fixture
def plant(plants: tuple[ExitStack, Plants], request: pytest.FixtureRequest) -> Iterator[Plant]:
    yield from _on(plants, "sqlite", request)


@pytest.fixture
def postgres_plant(plants: tuple[ExitStack, Plants], request: pytest.FixtureRequest) -> Iterator[Plant]:
    yield from _on(plants, "postgres", request)
