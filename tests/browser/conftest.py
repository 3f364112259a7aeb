"""One demo for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.demo import Demo, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running
