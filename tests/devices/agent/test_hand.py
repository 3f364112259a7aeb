"""Hand-fed drives: what they ask of a person, over restarts, and that no disc is lost sight of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.devices.agent.plant import AgentProcess, Shop, await_true, image_of
from tests.devices.agent.puppet import PUPPET, Stage

Start = Callable[..., AgentProcess]
Drive = dict[str, Any]


def hand(start: Start, tmp_path: Path, drives: int = 1, **options: object) -> tuple[AgentProcess, Stage]:
    stages = [Stage(tmp_path / "writer", f"d{number + 1}") for number in range(drives)]
    for stage in stages:
        stage.set(medium="blank")
    return start(drives=drives, feed="hand", blanks=None, **PUPPET, **options), stages[0]


def wants_blank(drive: Drive) -> bool:
    return bool(drive["wants"] == "blank")


def wants_out(drive: Drive) -> bool:
    return bool(drive["wants"] == "take-out")


def wants_nothing(drive: Drive) -> bool:
    return drive["wants"] is None


def test_by_a_persons_word_one_disc_at_a_time(start: Start, shop: Shop, tmp_path: Path) -> None:
    agent, stage = hand(start, tmp_path)
    assert (agent.drive("d1")["wants"], agent.drive("d1")["state"]) == (None, "idle")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA", "BBB")
    asked = agent.await_drive("d1", wants_blank)
    assert (asked["state"], asked["reasons"], asked["serial"]) == ("idle", ["media-needed"], None)
    assert agent.say("d1", "loaded", serial="ZZZ").json["wants"] == "blank"  # of a disc that nobody knows
    assert agent.say("d1", "loaded").status == 202
    done = agent.await_drive("d1", wants_out)
    assert (done["serial"], done["state"], done["reasons"]) == ("AAA", "idle", ["output-area-full"])
    shop.await_report(lambda report: wants_out(report["drives"][0]))
    agent.say("d1", "loaded")  # said late, of the blank that AAA was made of
    agent.say("d1", "taken-out", serial="BBB")
    assert agent.drive("d1")["serial"] == "AAA"
    agent.kill()
    agent.start()
    assert (agent.drive("d1")["wants"], agent.drive("d1")["serial"]) == ("take-out", "AAA")
    agent.say("d1", "drain")
    assert agent.drive("d1")["wants"] == "take-out"
    assert agent.say("d1", "taken-out", serial="AAA").json["wants"] is None
    agent.say("d1", "taken-out", serial="AAA")  # again: BBB is not meant
    assert agent.drive("d1")["wants"] is None
    stage.set(medium="blank")
    agent.say("d1", "resume")
    agent.await_drive("d1", wants_blank)
    agent.say("d1", "loaded")
    assert agent.await_write(uuid)["BBB"]["state"] == "good"
    assert stage.lines("written") == ["AAA iso -", "BBB iso -"]


def test_what_lies_in_the_drive_is_no_blank_and_the_person_is_asked_again(start: Start, tmp_path: Path) -> None:
    agent, stage = hand(start, tmp_path)
    stage.set(medium="somebody's")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    agent.say("d1", "loaded")
    asked = agent.await_drive("d1", lambda drive: "media-used" in drive["reasons"])
    assert (asked["wants"], asked["state"], asked["reasons"]) == ("blank", "idle", ["media-used", "media-needed"])
    assert agent.call("DELETE", f"/v1/writes/{uuid}").status == 202
    agent.await_drive("d1", lambda drive: wants_nothing(drive) and drive["reasons"] == [])
    assert stage.lines("written") == []


def test_by_the_tray_what_was_handed_out_is_out_when_a_blank_is_in_its_place(start: Start, tmp_path: Path) -> None:
    agent, stage = hand(start, tmp_path)
    stage.set(tray="loaded", ejects="")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA", "BBB", "CCC")
    agent.await_drive("d1", wants_out)  # AAA lies on the open tray
    stage.set(tray="loaded")  # pushed back in, the same disc
    await_true(lambda: "something is on the medium" in agent.log.read_text())
    assert (agent.drive("d1")["wants"], agent.drive("d1")["serial"]) == ("take-out", "AAA")
    stage.set(tray="open")  # opened with the disc in it: now it is out
    agent.await_drive("d1", wants_blank)
    stage.set(medium="blank", tray="loaded")
    agent.await_drive("d1", lambda drive: drive["serial"] == "BBB" and wants_out(drive))
    stage.set(medium="blank", tray="loaded")  # exchanged on the open tray
    agent.await_drive("d1", lambda drive: drive["serial"] == "CCC" and wants_out(drive))
    stage.set(tray="empty")
    agent.await_drive("d1", wants_nothing)
    assert {disc["state"] for disc in agent.await_write(uuid).values()} == {"good"}
    assert [line.split()[0] for line in stage.lines("written")] == ["AAA", "BBB", "CCC"]


def test_a_disc_that_waits_for_a_person_is_open_to_every_drive_with_a_blank(start: Start, tmp_path: Path) -> None:
    agent, first = hand(start, tmp_path, drives=2)
    second = Stage(tmp_path / "writer", "d2")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    await_true(lambda: [drive["wants"] for drive in agent.state()["drives"]].count("blank") == 1)
    asked = next(drive["id"] for drive in agent.state()["drives"] if drive["wants"])
    other = {"d1": "d2", "d2": "d1"}[asked]
    agent.say(other, "loaded")
    assert agent.await_write(uuid)["AAA"]["drive"] == other
    agent.await_drive(asked, wants_nothing)
    assert len(first.lines("written") + second.lines("written")) == 1


def test_killed_while_it_writes_the_disc_is_unknown_and_to_be_taken_out(start: Start, tmp_path: Path) -> None:
    agent, stage = hand(start, tmp_path)
    stage.set(hold="", tray="loaded")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA", "BBB")
    agent.await_disc(uuid, "AAA", "started")
    busy = agent.await_drive("d1", lambda drive: drive["state"] == "busy")
    assert (busy["wants"], busy["serial"]) == (None, "AAA")
    refused = agent.say("d1", "eject")
    assert (refused.status, refused.json["type"]) == (409, "drive-reserved")
    assert "AAA" in refused.json["detail"]
    agent.say("d1", "taken-out")  # it is being written: nobody has taken it out
    agent.kill()
    stage.drop("hold")
    agent.start()
    drive = agent.drive("d1")
    assert (agent.discs(uuid)["AAA"]["state"], drive["wants"], drive["serial"]) == ("unknown", "take-out", "AAA")
    assert agent.say("d1", "eject").status == 202
    await_true(lambda: stage.lines("ejected") == ["ejected"])
    agent.await_drive("d1", wants_out)  # we opened the tray ourselves: the disc lies on it
    agent.say("d1", "taken-out", serial="AAA")
    stage.set(medium="blank", tray="loaded")
    assert agent.await_disc(uuid, "BBB", "good")["drive"] == "d1"


@pytest.mark.parametrize("verb", ["loaded", "taken-out", "eject"])
def test_to_a_drive_that_a_robot_feeds_the_words_do_no_harm(robot: AgentProcess, verb: str) -> None:
    answer = robot.say("d1", verb)
    assert (answer.status, answer.json["wants"], answer.json["state"]) == (202, None, "idle")
    assert robot.say("d1", verb, serial="AAA").status == 202
    assert robot.say("d9", verb).status == 404
    wrong = robot.call("POST", f"/v1/drives/d1/{verb}", {"serial": "small"})
    assert (wrong.status, wrong.json["field"]) == (422, "serial")


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = AgentProcess(tmp_path_factory.mktemp("robot"))
    try:
        yield made.start()
    finally:
        made.clean_up()
