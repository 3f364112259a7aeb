"""Whatever happens to jobs, writes and discs, in any order: see `job_machine.py` for the rules and what must hold."""

from __future__ import annotations

import pytest

from tests.life.job_machine import JobLife, Station
from tests.life.series import LONG, run, run_long

pytestmark = pytest.mark.django_db


def machine(stations: list[Station]) -> type[JobLife]:
    return type("Jobs", (JobLife,), {"stations": stations})


@pytest.mark.postgres
def test_any_life_of_jobs_writes_and_discs(stations: list[Station]) -> None:
    kind = machine(stations)
    assert run(kind, kind, examples=8) > 0


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_series_of_lives_of_jobs(stations: list[Station]) -> None:
    kind = machine(stations)
    run_long(kind, kind, LONG["jobs"])
