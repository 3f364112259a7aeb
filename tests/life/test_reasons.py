from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from tests.life.conftest import station_of
from tests.life.job_machine import Station
from tests.life.reason_machine import ReasonLife
from tests.life.series import run, run_long

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def machine_for(stations: Sequence[Station]) -> type[ReasonLife]:
    return type("Reasons", (ReasonLife,), {"stations": stations})


def test_no_reports_silences_and_calls_make_a_writer_contradict_itself(stations: list[Station]) -> None:
    with ExitStack() as stack:
        stations += [station_of(f"Writer {number}", stack) for number in (3, 4)]
        kind = machine_for(stations)
        assert run(kind, kind, examples=10) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_long_series_of_silences(stations: list[Station]) -> None:
    with ExitStack() as stack:
        stations += [station_of(f"Writer {number}", stack) for number in (3, 4)]
        kind = machine_for(stations)
        run_long(kind, kind, 20_000)
