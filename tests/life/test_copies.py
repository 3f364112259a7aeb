"""Whatever happens below copies by hand, in any order: see `copy_machine.py` for the rules and what must hold."""

from __future__ import annotations

import pytest

from archive import storage
from tests.life.copy_machine import CopyLife
from tests.life.series import LONG, run, run_long

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def every_file_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "has_image", lambda image: True)


@pytest.mark.postgres
def test_any_life_of_copies() -> None:
    assert run(CopyLife, CopyLife, examples=10) > 0


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_series_of_lives_of_copies() -> None:
    run_long(CopyLife, CopyLife, LONG["copies"])
