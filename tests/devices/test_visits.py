"""When and how agents are visited: silence, failures, leases, back-off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from devices import errands, lifecycle, trouble, visits
from devices.models import Writer
from devices.states import WriteState
from devices.testing import Answer
from tests.devices.conftest import Plant

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_unreachable_agent_leaves_one_event_and_its_work_waiting(plant: Plant) -> None:
    write = plant.queue()
    address = plant.writer.address
    Writer.objects.update(address="http://127.0.0.1:9")
    for _ in range(4):
        plant.attend()
        plant.clock.pass_(seconds=61)
    assert plant.keywords() == ["connecting-to-device"]
    assert "http://127.0.0.1:9" in plant.writer.reasons[0]["text"]
    assert "connection refused" in plant.writer.reasons[0]["text"]
    assert len(plant.events("reason")) == 1
    write.refresh_from_db()
    assert write.state == "queued"

    Writer.objects.update(address=address)
    plant.attend()
    write.refresh_from_db()
    assert write.state == "accepted"
    assert plant.keywords() == []


def test_unreachable_agent_is_left_alone_between_tries(plant: Plant) -> None:
    plant.queue()
    Writer.objects.update(address="http://127.0.0.1:9")
    plant.attend()
    assert visits.due(plant.clock.now) == []
    assert visits.due(plant.clock.pass_(seconds=5)) == [plant.new.writer.pk]
    plant.attend()
    assert visits.due(plant.clock.pass_(seconds=5)) == []
    assert plant.writer.failures == 2


def test_wrong_token_is_a_reason_with_its_remedy(plant: Plant) -> None:
    plant.queue()
    plant.agent.accepts = set()
    plant.attend()
    assert plant.keywords() == ["token-refused"]
    assert "accept.tokens_sha256" in plant.writer.reasons[0]["text"]


def test_page_of_html_is_not_an_agent(plant: Plant) -> None:
    plant.queue()
    page = Answer(200, b"<html>Router login</html>", "text/html")
    plant.agent.will_answer("GET", page, page)
    plant.attend()
    assert plant.keywords() == ["writer-failure"]
    assert "text/html" in plant.writer.reasons[0]["text"]


def test_redirect_is_not_followed(plant: Plant) -> None:
    plant.queue()
    elsewhere = Answer(302, b"", "text/html", {"Location": f"{plant.agent.address}/v1/elsewhere"})
    plant.agent.will_answer("GET", elsewhere, elsewhere)
    plant.attend()
    assert plant.keywords() == ["writer-failure"]
    assert "GET /v1/elsewhere" not in plant.agent.calls


def test_address_outside_the_networks_is_never_dialled(plant: Plant) -> None:
    plant.queue()
    Writer.objects.update(address="http://169.254.169.254:80")
    plant.attend()
    assert plant.keywords() == ["connecting-to-device"]
    assert "never dialled" in plant.writer.reasons[0]["text"]
    assert plant.agent.calls == []


def test_silent_agent_is_asked_and_its_answer_is_taken(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.make_all()
    plant.clock.pass_(seconds=31)
    plant.attend()
    write.refresh_from_db()
    assert write.state == "done"
    assert plant.writer.last_seen == plant.clock.now


def test_answer_of_another_writers_agent_is_not_taken(plant: Plant, new_plant: Callable[[str], Plant]) -> None:
    other = new_plant("Writer 2")
    other.agent.accepts |= plant.agent.accepts
    Writer.objects.filter(pk=plant.new.writer.pk).update(address=other.agent.address)
    plant.clock.pass_(seconds=31)
    plant.attend()
    assert plant.keywords() == ["writer-failure"]
    assert str(other.new.writer.uuid) in plant.writer.reasons[0]["text"]


def test_one_process_visits_a_writer_at_a_time(plant: Plant) -> None:
    plant.queue()
    held = visits.claim(plant.new.writer.pk, plant.clock.now)
    assert held is not None
    plant.attend()
    assert plant.agent.calls == []
    assert visits.due(plant.clock.now) == []
    held.release()
    plant.attend()
    assert any(call.startswith("PUT /v1/writes/") for call in plant.agent.calls)


def test_lease_of_a_killed_worker_runs_out(plant: Plant) -> None:
    plant.queue()
    assert visits.claim(plant.new.writer.pk, plant.clock.now) is not None
    assert visits.due(plant.clock.pass_(seconds=8)) == [plant.new.writer.pk]


def test_disabled_writer_is_left_alone(plant: Plant) -> None:
    plant.queue()
    Writer.objects.update(enabled=False)
    plant.attend()
    assert plant.agent.calls == []
    assert visits.due(plant.clock.now) == []


def test_writer_without_work_that_reports_is_not_visited(plant: Plant) -> None:
    assert visits.due(plant.clock.now) == []
    assert visits.due(plant.clock.pass_(seconds=31)) == [plant.new.writer.pk]


def test_a_write_that_was_set_aside_calls_nobody(plant: Plant) -> None:
    write = plant.queue()
    now = plant.clock.now
    for turn in range(trouble.TRIES):
        trouble.note(errands.GIVE, write, ValueError("no"), now + timedelta(minutes=turn))
    assert visits.due(now) == []
    lifecycle.move_write(write, WriteState.SENT, now=now, actor="tick")
    assert visits.due(now) == []
    Writer.objects.update(draining=True)  # what became of the call is another question
    assert visits.due(now) == [plant.new.writer.pk]
