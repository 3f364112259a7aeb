"""How an agent becomes a writer: by a code, once; and how those at the door are seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as spindle
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices import discovery, enrolment, mdns, tokens
from devices.agent import wire
from devices.agent.__main__ import main
from devices.agent.mdns import Beacon
from devices.intake import NotAccepted, add_writer
from devices.mdns import Heard
from devices.models import EnrolmentCode, Sighting, Writer
from tests.devices.agent.plant import AgentProcess, await_true, running
from tests.devices.agent.test_enrol import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

ADDRESS = "http://127.0.0.1:9101"


def ask(code: str, **said: str) -> Any:
    body = {"code": code, "name": "Front desk", "address": ADDRESS, "kind": "xorriso"} | said
    return Client().post(reverse("devices:enrol"), body, content_type="application/json")


def new_code(**values: Any) -> str:
    return enrolment.new_code(who="user:1 Anna", now=timezone.now(), **values)


def test_a_code_makes_one_writer_with_tokens_that_hold_once() -> None:
    code = new_code(name="Writer 7")
    answer = ask(code)
    assert answer.status_code == 201
    known = wire.EnrolAnswer.model_validate_json(answer.content)
    writer = Writer.objects.get()
    assert (writer.uuid, writer.name, writer.address, writer.kind) == (known.writer, "Writer 7", ADDRESS, "xorriso")
    assert writer.report_token_sha256 == tokens.fingerprint(known.report_token)
    command = tokens.command_token(spindle.SPINDLE_WRITER_KEY, writer.uuid, writer.generation)
    assert known.command_token_sha256 == tokens.fingerprint(command)
    assert code.replace("-", "") not in str(EnrolmentCode.objects.values().get())

    again = ask(code, name="Another")
    assert (again.status_code, again.json()["type"]) == (403, "code-refused")
    assert Writer.objects.count() == 1


def test_a_code_is_read_as_a_person_types_it_and_ends_after_15_minutes() -> None:
    code, old = new_code(), new_code()
    EnrolmentCode.objects.filter(code_sha256=tokens.fingerprint(old.replace("-", ""))).update(expires_at=timezone.now())
    assert ask(old).status_code == ask("0000-0000-0000").status_code == 403
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert ask(typed).status_code == 201


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"address": "http://198.51.100.9:9101"}, "address"),
        ({"address": "http://169.254.169.254:80"}, "address"),
        ({"address": "ftp://127.0.0.1"}, "address"),
        ({"name": "Writer 1"}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"kind": "a\x07b"}, "kind"),
        ({"code": ""}, "code"),
    ],
)
def test_what_is_wrong_is_named_and_the_code_stays_good(said: dict[str, str], field: str) -> None:
    add_writer(name="Writer 1", address=ADDRESS, now=timezone.now())
    code = new_code()
    answer = ask(said.pop("code", code), **said)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert ask(code).status_code == 201


def test_a_writer_that_enrols_anew_keeps_its_row_and_loses_its_former_tokens() -> None:
    before = add_writer(name="Writer 1", address=ADDRESS, now=timezone.now())
    answer = ask(new_code(for_writer=before.writer), address="http://127.0.0.1:9202", name="whatever it says")
    known = wire.EnrolAnswer.model_validate_json(answer.content)
    writer = Writer.objects.get()
    assert (writer.uuid, writer.name, writer.address) == (known.writer, "Writer 1", "http://127.0.0.1:9202")
    assert (writer.generation, writer.generation_confirmed) == (2, 2)
    assert tokens.fingerprint(before.report_token) not in {writer.report_token_sha256, writer.report_token_old_sha256}


@pytest.mark.django_db(transaction=True)
def test_a_real_agent_enrols_and_reports(tmp_path: Path, live_server: Any) -> None:
    port = free_port()
    agent = AgentProcess(tmp_path, enrolled=False, listen=f"127.0.0.1:{port}")
    tmp_path.joinpath("agent.toml").write_text(agent.config())
    enrol = ["enrol", "--server", live_server.url, "--config", str(tmp_path / "agent.toml")]
    assert main([*enrol, "--code", "WRONG-CODE"]) != 0
    assert main([*enrol, "--code", new_code(name="Front desk")]) == 0
    try:
        agent.start()
        await_true(lambda: Writer.objects.get().state == "idle")
    finally:
        agent.clean_up()


# --- Who is there --------------------------------------------------------------------------------------------------

TOWER = wire.About(name="Tower", kind="epson", disks=1, sources=0, copiers=4)


def test_agents_that_advertise_themselves_are_kept_while_they_are_heard() -> None:
    now = timezone.now()
    here, elsewhere = Heard(TOWER, ("198.51.100.9", "127.0.0.2"), 9101), Heard(TOWER, ("198.51.100.9",), 9101)
    assert discovery.note([here, elsewhere], now) == 1
    sighting = Sighting.objects.get()
    assert (sighting.address, sighting.name, sighting.kind) == ("http://127.0.0.2:9101", "Tower", "epson")
    assert (sighting.disks, sighting.sources, sighting.copiers, sighting.by) == (1, 0, 4, "mdns")
    assert discovery.note([Heard(TOWER.model_copy(update={"copiers": 3}), ("127.0.0.2",), 9101)], now) == 1
    assert Sighting.objects.get().copiers == 3
    assert discovery.note([], now + discovery.FORGET + timedelta(seconds=5)) == 0
    assert not Sighting.objects.exists()


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[AgentProcess]:
    with running(tmp_path, enrolled=False, advertise=True, listen=f"127.0.0.1:{free_port()}") as agent:
        yield agent


def test_the_agent_at_an_address_says_what_it_is_without_a_token(stranger: AgentProcess) -> None:
    sighting = discovery.look_at(f"http://127.0.0.1:{stranger.port}", timezone.now())
    assert (sighting.name, sighting.copiers, sighting.by) == ("Writer 1", 2, "address")
    assert sighting.writer_uuid is None


def test_where_no_agent_is_the_remedy_is_said(live_server: Any) -> None:
    for address in (f"http://127.0.0.1:{free_port()}", live_server.url, "http://198.51.100.9"):
        with pytest.raises(NotAccepted) as refused:
            discovery.look_at(address, timezone.now())
        assert refused.value.field == "address"


@pytest.mark.slow
def test_a_real_record_on_a_real_network_is_heard() -> None:
    port = free_port()
    beacon = Beacon(TOWER, "127.0.0.1", port)
    beacon.start()
    try:
        await_true(lambda: any(heard.port == port for heard in mdns.browse(3.0)))
    finally:
        beacon.end(3)
