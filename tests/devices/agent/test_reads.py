"""Reads from source drives over the real wire: an image on the writer's disk, or a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.devices.agent.plant import AgentProcess, Shop, await_true, digest_of, image_of
from tests.devices.agent.puppet import PUPPET, SOURCE, Stage

Start = Callable[..., AgentProcess]
SECOND = SOURCE.replace("s1", "s2")


def parts_in(agent: AgentProcess) -> list[str]:
    return [file.name for file in (agent.folder / "state" / "images").glob("*.part")]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """One agent with two source drives for what needs none of its own."""
    made = AgentProcess(tmp_path_factory.mktemp("reads"), drives=1, extra=SOURCE + SECOND, **PUPPET)
    for drive in ("d1", "s1", "s2"):
        Stage(made.folder, drive)
    try:
        yield made.start()
    finally:
        made.clean_up()


@pytest.fixture
def stage(agent: AgentProcess) -> Stage:
    made = Stage(agent.folder, "s1")
    made.drop("disc", "hold", "fault", "lie", "layout", "tray")
    return made


def test_a_disc_becomes_an_image_that_can_be_handed_out_written_and_purged(start: Start, shop: Shop) -> None:
    """With xorriso's own driver, from a file that plays a disc."""
    data = image_of(3_000_000, seed=71)
    source = '[[driver.drives]]\nid = "s1"\nrole = "source"\ndevice = "stdio:source.iso"\n'
    agent = start(drives=1, extra=source)
    (agent.folder / "source.iso").write_bytes(data)
    uuid, answer = agent.read()
    assert (answer.status, answer.json["drive"]) == (201, "s1")
    done = agent.await_read(uuid)
    assert (done["sha256"], done["size"], done["layout"]) == (digest_of(data), len(data), "iso")
    assert done["reason"] is None
    assert agent.read(uuid=uuid)[1].status == 200
    image = agent.image(done["sha256"])
    assert (image["state"], image["received"]) == ("ready", len(data))
    assert agent.call("GET", f"/v1/images/{done['sha256']}/content").raw == data
    shop.answer = lambda report: {"recorded": [read["uuid"] for read in report["reads"]]}
    told = shop.await_report(lambda report: any(read["state"] == "done" for read in report["reads"]))
    assert told["images"][0]["used_at"] is not None
    await_true(lambda: agent.state()["reads"] == [])
    write, _ = agent.write(done["sha256"], "AAA")
    assert agent.await_write(write)["AAA"]["verified"] == "digest"
    again, _ = agent.read()
    assert agent.await_read(again)["sha256"] == done["sha256"]
    assert agent.call("DELETE", f"/v1/images/{done['sha256']}").status == 204
    assert list((agent.folder / "state" / "images").iterdir()) == []


def test_a_read_that_cannot_be_followed_is_refused(agent: AgentProcess, stage: Stage) -> None:
    stage.set(disc="x" * 1000, hold="")
    for drive in ("d1", "s9"):
        refused = agent.read(drive)[1]
        assert (refused.status, refused.json["type"], refused.json["field"]) == (422, "invalid", "drive")
    assert agent.call("PUT", f"/v1/reads/{uuid4()}", {"drive": "s1", "speed": 4}).json["field"] == "speed"
    busy, _ = agent.read()
    assert agent.read()[1].json["type"] == "drive-reserved"
    assert agent.read("s2", uuid=busy)[1].json["type"] == "different-body"
    agent.await_drive("s1", lambda drive: drive["state"] == "busy")
    ejected = agent.say("s1", "eject")
    assert (ejected.status, ejected.json["type"]) == (409, "drive-reserved")
    stage.drop("hold")
    agent.await_read(busy)
    agent.say("s1", "drain")
    assert agent.read()[1].json["type"] == "drive-reserved"
    agent.say("s1", "resume")
    gone = uuid4()
    assert agent.call("GET", f"/v1/reads/{gone}").status == 404
    assert agent.call("DELETE", f"/v1/reads/{gone}").json["state"] == "cancelled"
    assert agent.read(uuid=gone)[1].json["type"] == "cancelled"
    known = {"Spindle-Journal": str(uuid4())}
    other = agent.call("PUT", f"/v1/reads/{uuid4()}", {"drive": "s1"}, headers=known)
    assert other.json["type"] == "other-journal"
    body = {"image": "0" * 64, "format": "cd", "discs": [{"serial": "AAA"}], "drive": "s1"}
    assert agent.call("PUT", f"/v1/writes/{uuid4()}", body).json["type"] == "drive-reserved"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "media-needed: no disc lies in the drive"),
        ({"disc": "x", "tray": "open"}, "media-needed: no disc lies in the drive: put it in"),
        ({"disc": "x", "fault": "the laser is tired"}, "the laser is tired"),
        ({"disc": "x" * 10, "lie": "11"}, "the driver says it read 11 bytes, its file has 10"),
        ({"disc": ""}, "the driver says it read 0 bytes"),
    ],
)
def test_what_cannot_be_read_is_done_with_a_reason(
    agent: AgentProcess, stage: Stage, files: dict[str, str], reason: str
) -> None:
    stage.set(**files)
    uuid, answer = agent.read()
    assert answer.status == 201
    done = agent.await_read(uuid)
    assert reason in done["reason"]
    assert (done["sha256"], done["size"], done["layout"]) == (None, None, None)
    assert parts_in(agent) == []
    assert agent.drive("s1")["state"] == "idle"


def test_cancelling_stops_it_and_its_part_goes(agent: AgentProcess, stage: Stage) -> None:
    stage.set(disc="y" * 500_000, hold="")
    uuid, _ = agent.read()
    await_true(lambda: parts_in(agent) == [f"read-{uuid}.part"])
    assert agent.call("DELETE", f"/v1/reads/{uuid}").status == 202
    assert agent.await_read(uuid, "cancelled")["sha256"] is None
    assert parts_in(agent) == []
    assert agent.read(uuid=uuid)[1].json["state"] == "cancelled"


def test_an_audio_disc_keeps_its_layout_and_progress_is_told(agent: AgentProcess, stage: Stage) -> None:
    stage.set(disc="z" * 250_000, layout="audio", hold="")
    uuid, _ = agent.read()
    busy = agent.await_drive("s1", lambda drive: drive["progress"])
    assert (busy["state"], busy["role"], busy["progress"]) == ("busy", "source", 0.4)
    stage.drop("hold")
    assert agent.await_read(uuid)["layout"] == "audio"


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_agent_that_ends_while_it_reads_says_so_and_does_not_begin_again(
    start: Start, tmp_path: Path, how: str
) -> None:
    stage = Stage(tmp_path / "writer", "s1")
    stage.set(disc="x" * 300_000, hold="")
    agent = start(shop=None, drives=1, extra=SOURCE, **PUPPET)
    uuid, _ = agent.read()
    await_true(lambda: parts_in(agent) == [f"read-{uuid}.part"])
    getattr(agent, how)()  # it ends although the drive still reads: nothing has let go of it
    stage.drop("hold")
    agent.start()
    done = agent.await_read(uuid)
    assert "ask for it again" in done["reason"]
    assert parts_in(agent) == []
    again, _ = agent.read()
    image = agent.await_read(again)["sha256"]
    # What a disc gave can be had from no server: gone it is failed, and nobody is asked for it.
    agent.kill()
    (agent.folder / "state" / "images" / image).unlink()
    agent.start()
    gone = agent.image(image)
    assert (gone["state"], "is gone or was changed" in gone["reason"]) == ("failed", True)
    assert agent.call("DELETE", f"/v1/images/{image}").status == 204


def test_a_disc_that_does_not_fit_is_given_up_and_no_room_at_all_is_said_at_the_door(
    start: Start, shop: Shop, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "writer", "s1")
    stage.set(disc="x" * 60_000)
    agent = start(drives=1, extra=SOURCE, disk_limit=100_000, **PUPPET)
    image = agent.have(image_of(50_000))
    uuid, _ = agent.read()
    assert "spool-area-full" in agent.await_read(uuid)["reason"]
    assert agent.state()["disk"] == {"capacity": 100_000, "free": 50_000}
    stage.set(disc="x" * 50_000)
    uuid, _ = agent.read()
    assert agent.await_read(uuid)["size"] == 50_000
    full: Any = agent.read()[1]
    assert (full.status, full.json["type"]) == (507, "spool-area-full")
    assert agent.image(image)["state"] == "ready"
