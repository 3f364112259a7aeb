"""A shop per test, and agents that are surely gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.devices.agent.plant import AgentProcess, Shop, running


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, shop: Shop) -> Iterator[Callable[..., AgentProcess]]:
    """Starts an agent that reports to the shop (`shop=None`: to nobody)."""
    with ExitStack() as stack:

        def begin(folder: str = "writer", **options: object) -> AgentProcess:
            return stack.enter_context(running(tmp_path / folder, **{"shop": shop, **options}))  # type: ignore[arg-type]  # options are AgentProcess's own keys

        yield begin
