"""A clock, a writer with a fake agent, and writes for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as spindle

from devices import dispatch, reports, tokens
from devices.agent import wire
from devices.intake import ImageRef, NewWriter, add_writer, queue_write
from devices.models import DeviceEvent, Write, Writer
from devices.testing import FakeAgent

SHA256 = "ab" * 32


@dataclass
class Clock:
    """Our clock; it stands still unless a test moves it."""

    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def pass_(self, **time: float) -> datetime:
        self.now += timedelta(**time)
        return self.now


@dataclass
class Plant:
    """One writer and its fake agent."""

    new: NewWriter
    agent: FakeAgent
    clock: Clock

    @property
    def writer(self) -> Writer:
        return Writer.objects.get(pk=self.new.writer.pk)

    def report(self, state: wire.State | None = None) -> wire.ReportAnswer:
        answer = reports.take_report(self.writer, state or self.agent.state(), self.clock.now)
        self.agent.take_answer(answer)
        return answer

    def attend(self) -> bool:
        return dispatch.attend(self.new.writer.pk, self.clock.now)

    def queue(self, copies: int = 1, **values: Any) -> Write:
        arguments: dict[str, Any] = {
            "uuid": uuid4(),
            "writer": self.writer,
            "image": ImageRef(SHA256, 2048 * 100, "iso"),
            "format": "cd",
            "title": "Nine songs",
            "copies": copies,
            "actor": "tick",
            "now": self.clock.now,
        }
        return queue_write(**(arguments | values))

    def accepted(self, copies: int = 1, **values: Any) -> Write:
        """A write that the agent has."""
        write = self.queue(copies, **values)
        self.attend()
        write.refresh_from_db()
        assert write.state == "accepted"
        return write

    def keywords(self) -> list[str]:
        return [reason["keyword"] for reason in self.writer.reasons]

    def events(self, kind: str) -> list[DeviceEvent]:
        return list(DeviceEvent.objects.filter(writer=self.new.writer, kind=kind).order_by("id"))


def serials(write: Write) -> list[str]:
    return list(write.discs.order_by("id").values_list("serial", flat=True))


def states(write: Write) -> list[str]:
    return list(write.discs.order_by("id").values_list("state", flat=True))


def command_token(uuid: UUID, generation: int = 1) -> str:
    return tokens.command_token(spindle.SPINDLE_WRITER_KEY, uuid, generation)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_plant(db: None, clock: Clock) -> Iterator[Callable[[str], Plant]]:
    """Makes writers whose agents reported once."""
    agents: list[FakeAgent] = []

    def make(name: str) -> Plant:
        new = add_writer(name=name, address="http://127.0.0.1:9", now=clock.now)
        agent = FakeAgent(new.writer.uuid, [command_token(new.writer.uuid)], clock=lambda: clock.now)
        agents.append(agent)
        agent.__enter__()
        Writer.objects.filter(pk=new.writer.pk).update(address=agent.address)
        plant = Plant(new, agent, clock)
        plant.report()
        return plant

    yield make
    for agent in agents:
        agent.__exit__()


@pytest.fixture
def plant(new_plant: Callable[[str], Plant]) -> Plant:
    return new_plant("Writer 1")
