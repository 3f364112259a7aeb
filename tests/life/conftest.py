"""The scene of the machines, set once per test: two writers whose agents have reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings

from devices import reports, tokens
from devices.intake import add_writer
from devices.models import Writer
from tests.life.agent import CarefulAgent
from tests.life.job_machine import Station
from tests.scene import NOW


@pytest.fixture
def stations(db: None) -> Iterator[list[Station]]:
    with ExitStack() as stack:
        yield [station_of(f"Writer {number}", stack) for number in (1, 2)]


def station_of(name: str, stack: ExitStack) -> Station:
    new = add_writer(name=name, address="http://127.0.0.1:9", now=NOW)
    command = tokens.command_token(settings.SPINDLE_WRITER_KEY, new.writer.uuid, 1)
    agent = stack.enter_context(CarefulAgent(new.writer.uuid, [command]))
    Writer.objects.filter(pk=new.writer.pk).update(address=agent.address)
    station = Station(new, agent)
    reports.take_report(station.writer, agent.state(), NOW)
    return station
