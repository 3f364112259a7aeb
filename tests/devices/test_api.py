from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any, Final

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import rotation, tokens
from devices.agent import wire
from devices.models import BlankBin, DeviceEvent, Drive, Printer, Writer
from tests.devices.conftest import Plant, command_token, serials

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def post(plant: Plant, body: bytes | None = None, token: str | None = None, uuid: Any = None) -> Any:
    """What the server answers to a report of this writer's agent."""
    content = plant.agent.state().model_dump_json().encode() if body is None else body
    return Client(raise_request_exception=True).post(
        reverse("devices:report", args=[uuid or plant.new.writer.uuid]),
        content,
        content_type="application/json",
        headers={"Authorization": f"Bearer {plant.new.report_token if token is None else token}"},
    )


def test_report_is_taken_and_its_results_are_acknowledged(plant: Plant) -> None:
    write = plant.accepted()
    plant.agent.make_all()
    answer = post(plant)
    assert (answer.status_code, answer.json()) == (200, {"recorded": [str(write.uuid)], "want": []})
    write.refresh_from_db()
    assert write.state == "done"


def test_wanted_images_are_asked_for(plant: Plant) -> None:
    plant.agent.set_image("ab" * 32, wire.ImageState.READY)
    body = plant.agent.state(with_images=False).model_dump_json(exclude_none=True).encode()
    assert post(plant, body).json()["want"] == ["images"]


@pytest.mark.parametrize("token", ["", "wrong", "Bearer", "ü"])
def test_wrong_token_is_401_with_its_header(plant: Plant, token: str) -> None:
    answer = post(plant, token=token.encode().decode("latin-1"))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="spindle"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "unauthorized"


def test_missing_token_is_401(plant: Plant) -> None:
    url = reverse("devices:report", args=[plant.new.writer.uuid])
    assert Client().post(url, b"{}", content_type="application/json").status_code == 401


def test_command_token_does_not_report(plant: Plant) -> None:
    assert post(plant, token=command_token(plant.new.writer.uuid)).status_code == 401


def test_unknown_and_disabled_writers_look_like_a_wrong_token(plant: Plant) -> None:
    wrong = post(plant, token="wrong").json()
    assert post(plant, uuid="00000000-0000-4000-8000-000000000000").json() == wrong
    Writer.objects.update(enabled=False)
    assert post(plant).json() == wrong


def test_token_of_one_writer_does_not_open_another(plant: Plant, new_plant: Any) -> None:
    other = new_plant("Writer 2")
    assert post(plant, uuid=other.new.writer.uuid).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"boot_id": "no uuid"}, "boot_id"),
        ({"sequence": -1}, "sequence"),
        ({"drives": [{"id": "d1"}]}, "drives.0.role"),
        ({"writer": "00000000-0000-4000-8000-000000000000"}, "writer"),
        ({"protocol": 2}, "protocol"),
        ({"protocol": 2, "drives": "otherwise"}, "protocol"),
    ],
)
def test_malformed_report_names_the_field(plant: Plant, change: dict[str, Any], field: str) -> None:
    state = plant.agent.state().model_dump(mode="json") | change
    answer = post(plant, json.dumps(state).encode())
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.json()["type"], answer.json()["field"]) == ("invalid", field)


DRIVE: Final = {
    "id": "d1", "role": "copier", "feed": "robot", "formats": ["cd"], "kinds": ["CD-R"], "state": "idle",
}  # fmt: skip
BLANK: Final = {"format": "cd", "kind": "CD-R", "bin": "left", "remaining": 5}
IMAGE: Final = {"sha256": "ab" * 32, "layout": "iso", "size": 5, "state": "ready"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"drives": [DRIVE, DRIVE]}, "drives"),
        ({"drives": [DRIVE | {"id": f"{'d' * 70}{number}"} for number in range(2)]}, "drives"),  # one, once cut short
        ({"drives": [DRIVE | {"id": f"d{number}"} for number in range(10_000)]}, "drives"),
        ({"drives": [DRIVE | {"progress": math.nan}]}, "drives.0.progress"),
        ({"drives": [DRIVE | {"state": "asleep"}]}, "drives.0.state"),
        ({"drives": [DRIVE | {"wants": "coffee"}]}, "drives.0.wants"),
        ({"printers": [{"id": "p1", "state": "idle", "supplies": [{"name": "ink", "percent": 101}]}]},
         "printers.0.supplies.0.percent"),
        ({"blanks": [BLANK, BLANK]}, "blanks"),
        ({"blanks": [BLANK | {"remaining": 2**63 - 1}]}, "blanks.remaining"),
        ({"images": [IMAGE, IMAGE]}, "images"),
        ({"images": [IMAGE | {"size": 2**63}]}, "images.size"),
        ({"disk": {"capacity": 2**63, "free": 0}}, "disk.capacity"),
        ({"sequence": 2**63}, "sequence"),
        ({"time": "yesterday"}, "time"),
    ],
)  # fmt: skip
def test_absurd_report_names_the_field_and_changes_nothing(plant: Plant, change: dict[str, Any], field: str) -> None:
    before = Writer.objects.values().get()
    state = plant.agent.state().model_dump(mode="json") | change
    answer = post(plant, json.dumps(state).encode())
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert Writer.objects.values().get() == before


def test_odd_words_in_a_report_are_made_fit_and_what_is_not_known_is_left_out(plant: Plant) -> None:
    drive = DRIVE | {"id": "d\0 1", "formats": ["cd", "hologram"], "kinds": ["CD\n-R"] * 99, "reasons": ["a\0b"] * 99}
    printer = {"id": "p\0", "state": "on\nfire", "supplies": [{"name": "ink\0"}]}
    blanks = [BLANK | {"format": "hologram"}, BLANK | {"kind": "CD\0R"}]
    change = {"drives": [drive], "printers": [printer], "blanks": blanks, "software": "x\0" * 200}
    change["time"] = "0001-01-01T00:00:00+14:00"
    state = plant.agent.state().model_dump(mode="json") | change
    assert post(plant, json.dumps(state).encode()).status_code == 200
    row = Drive.objects.get(gone=False)
    assert (row.ident, row.formats, row.kinds[0], len(row.kinds)) == ("d  1", ["cd"], "CD -R", 50)
    assert (row.reasons[0], len(row.reasons)) == ("a b", 50)
    assert [(bin_.format, bin_.kind) for bin_ in BlankBin.objects.all()] == [("cd", "CD R")]
    assert (Printer.objects.get().state, Printer.objects.get().supplies[0]["name"]) == ("on fire", "ink ")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_report_is_422(plant: Plant, body: bytes) -> None:
    answer = post(plant, body)
    assert (answer.status_code, answer.json()["type"]) == (422, "invalid")


def test_report_too_long_is_413(plant: Plant) -> None:
    answer = post(plant, b" " * (2 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["field"]) == (413, "body")


def test_only_post_reports(plant: Plant) -> None:
    url = reverse("devices:report", args=[plant.new.writer.uuid])
    answer = Client().get(url, headers={"Authorization": f"Bearer {plant.new.report_token}"})
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


def test_lost_journal_is_409_and_stays_stored(plant: Plant) -> None:
    plant.agent.lose_journal()
    for _ in range(2):
        answer = post(plant)
        assert (answer.status_code, answer.json()["type"]) == (409, "journal-lost")
    assert plant.keywords() == ["journal-lost"]


def test_second_agent_is_409(plant: Plant) -> None:
    first = plant.agent.boot_id
    plant.agent.restart()
    post(plant)
    plant.agent.boot_id = first
    answer = post(plant)
    assert (answer.status_code, answer.json()["type"]) == (409, "second-agent")


def test_rotation_hands_out_both_tokens_and_ends_the_old_ones(plant: Plant) -> None:
    assert rotation.rotate(plant.writer, who="user:1 Anna", now=plant.clock.now) is True
    assert rotation.rotate(plant.writer, who="user:1 Anna", now=plant.clock.now) is False
    answer = post(plant).json()
    assert answer["command_token_sha256"] == tokens.fingerprint(command_token(plant.new.writer.uuid, 2))

    lost, answer = answer["report_token"], post(plant).json()  # the first answer got lost
    assert answer["report_token"] != lost
    assert post(plant, token=lost).status_code == 401
    answer_to_new = post(plant, token=answer["report_token"]).json()
    assert "report_token" not in answer_to_new
    assert post(plant).status_code == 401

    plant.agent.accepts.add(answer["command_token_sha256"])
    plant.clock.now = timezone.now() + timedelta(days=1)  # a day after the last report, which came in by the real clock
    plant.attend()
    assert plant.writer.generation_confirmed == 2
    assert "command_token_sha256" not in post(plant, token=answer["report_token"]).json()
    assert rotation.rotate(plant.writer, who="user:1 Anna", now=plant.clock.now) is True


def test_old_command_token_is_used_until_the_agent_has_the_new_one(plant: Plant) -> None:
    rotation.rotate(plant.writer, who="user:1 Anna", now=plant.clock.now)
    write = plant.queue()
    plant.attend()
    write.refresh_from_db()
    assert write.state == "accepted"
    assert plant.writer.generation_confirmed == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_to_a_report_is_answered_and_never_a_crash(plant: Plant, data: st.DataObject) -> None:
    if plant.writer.halted:
        DeviceEvent.objects.filter(kind="reason").exists()
        Writer.objects.update(reasons=[], journal_id=None, boot_id=None, sequence=0)
    if not plant.agent.writes:
        write = plant.accepted(2)
        plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED, reason="x")
        plant.agent.blanks = [wire.BlankFact(format="cd", kind="CD-R", bin="d1", remaining=5)]
    state = plant.agent.state().model_dump(mode="json")
    _damage(state, data)
    assert post(plant, json.dumps(state).encode("utf-8", "surrogatepass")).status_code in {200, 409, 422}


def _damage(value: Any, data: st.DataObject) -> None:
    """Puts something else at a random place inside `value`."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(value[key], dict | list) and len(value[key]) > 0
        if not deeper or data.draw(st.integers(0, 3)) == 0:
            value[key] = data.draw(JSON)
            return
        value = value[key]
