"""A server that was restored from a backup an hour old: its agents are ahead of it (F41)."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from devices import rotation, tokens
from devices.agent import wire
from devices.intake import cancel_write
from devices.models import Write
from tests.devices.conftest import Plant, command_token, serials, states

pytestmark = pytest.mark.django_db


class Backup:
    """The database as it is now. Agents know nothing of it: what they did meanwhile stays done."""

    def __init__(self) -> None:
        self.moment = transaction.savepoint()

    def restore(self) -> None:
        transaction.savepoint_rollback(self.moment)


def test_a_write_that_ended_meanwhile_is_asked_for_and_booked(plant: Plant) -> None:
    write = plant.accepted(2)
    backup = Backup()
    plant.agent.make_all()
    plant.report()
    plant.report()  # recorded: it has left the agent's state
    assert plant.agent.state().writes == ()
    backup.restore()
    write.refresh_from_db()
    assert (write.state, states(write)) == ("accepted", ["planned", "planned"])
    plant.clock.pass_(seconds=11)
    plant.report()
    plant.attend()
    write.refresh_from_db()
    assert (write.state, states(write)) == ("done", ["good", "good"])
    assert plant.keywords() == []


def test_work_made_after_the_backup_is_a_reason_until_somebody_saw_to_it(plant: Plant) -> None:
    backup = Backup()
    write = plant.accepted(2)
    made = serials(write)
    plant.agent.set_disc(made[0], wire.DiscState.GOOD, verified=wire.Verified.DIGEST)
    backup.restore()
    for _ in range(2):
        assert plant.report().recorded == ()
    (reason,) = plant.writer.reasons
    assert reason["keyword"] == "unknown-work"
    assert f"{made[0]} good" in reason["text"]
    assert [event.new for event in plant.events("unknown-write")] == [str(write.uuid)]
    assert acknowledge() == (  # a disc of it is still to be made, and nobody has seen that one
        "0 writes of Writer 1 that this server never gave are seen to.\n"
        "1 more are not over: see to their discs when they are, then acknowledge again.\n"
    )
    plant.agent.make_all()
    assert plant.report().recorded == ()
    assert plant.keywords() == ["unknown-work"]
    assert f"{made[1]} good" in plant.writer.reasons[0]["text"]
    assert acknowledge() == "1 writes of Writer 1 that this server never gave are seen to.\n"
    assert plant.report().recorded == (write.uuid,)
    assert plant.keywords() == []
    assert plant.agent.state().writes == ()
    assert acknowledge().startswith("0 writes")
    assert not Write.objects.exists()  # nobody knows for whom it was: it is never booked


def test_a_write_given_up_here_as_never_sent_and_made_there_is_a_reason_until_somebody_saw_to_it(plant: Plant) -> None:
    write = plant.queue(2)
    backup = Backup()
    plant.attend()
    plant.agent.make_all()
    backup.restore()
    write.refresh_from_db()
    assert cancel_write(write, "tick", plant.clock.now)  # as the planner does while the writer is silent
    for _ in range(2):
        assert plant.report().recorded == ()
    assert plant.keywords() == ["unknown-work"]
    assert f"{serials(write)[0]} good" in plant.writer.reasons[0]["text"]
    assert acknowledge().startswith("1 writes")
    assert plant.report().recorded == (write.uuid,)
    assert plant.keywords() == []
    assert states(write) == ["cancelled", "cancelled"]


def acknowledge() -> str:
    out = StringIO()
    call_command("writer", "acknowledge", "Writer 1", stdout=out)
    return out.getvalue()


def test_a_restored_server_gives_new_serials_and_the_writer_goes_on(plant: Plant) -> None:
    backup = Backup()
    lost = plant.accepted(3)
    used = set(serials(lost))
    plant.agent.make_all()
    plant.report()
    plant.agent.restart()  # its sequence is far ahead of the server's by now
    backup.restore()
    plant.report()
    again = plant.accepted(3)
    assert not used & set(serials(again))
    plant.agent.make_all()
    plant.report()
    assert states(again) == ["good"] * 3


def test_a_new_key_locks_no_agent_out_while_the_old_one_stands_beside_it(plant: Plant, settings: Any) -> None:
    old = settings.SPINDLE_WRITER_KEY
    settings.SPINDLE_WRITER_KEY, settings.SPINDLE_WRITER_KEY_FALLBACKS = "k" * 64, [old]
    plant.accepted()  # with the old key's token
    assert rotation.rotate(plant.writer, who="operator", now=plant.clock.now)
    answer = rotation.with_next_tokens(plant.writer, plant.writer.report_token_sha256, wire.ReportAnswer())
    fresh = tokens.fingerprint(tokens.command_token("k" * 64, plant.writer.uuid, 2))
    assert answer.command_token_sha256 == fresh
    plant.agent.accepts = {fresh}
    settings.SPINDLE_WRITER_KEY_FALLBACKS = []
    plant.clock.pass_(seconds=5)
    plant.accepted()
    assert plant.writer.generation_confirmed == 2
    assert tokens.fingerprint(command_token(plant.writer.uuid, 2)) == fresh


def test_without_the_old_key_the_writer_says_what_is_wrong(plant: Plant, settings: Any) -> None:
    settings.SPINDLE_WRITER_KEY = "k" * 64
    plant.queue()
    plant.clock.now += timedelta(seconds=5)
    plant.attend()
    assert plant.keywords() == ["token-refused"]
    assert plant.writer.failures == 1
