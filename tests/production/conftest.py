"""One running production set for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.production.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as stack:
        yield stack
