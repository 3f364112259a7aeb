"""What goes wrong around an agent: a full disk, a clock that is off, a configuration that has changed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.devices.agent.plant import AgentProcess, Fault, Shop, await_true, image_of
from tests.devices.agent.puppet import PUPPET, SOURCE, Stage

Start = Callable[..., AgentProcess]
MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB under an agent's state."""
    state = tmp_path / "writer" / "state"
    state.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", state], check=True)
    yield state
    subprocess.run(["umount", "--lazy", state], check=True)


@pytest.mark.needs_root
def test_a_full_disk_spends_no_blank_and_room_made_is_used(start: Start, shop: Shop, small_disk: Path) -> None:
    stage = Stage(small_disk.parent, "s1")
    stage.set(disc="x" * 5 * MIB, hold="")
    copier = Stage(small_disk.parent, "d1")
    copier.set(medium="blank")
    agent = start(drives=1, extra=SOURCE, **PUPPET)
    image = agent.have(image_of(4 * MIB))
    large = shop.put(image_of(20 * MIB, seed=2))
    assert agent.announce(large, 20 * MIB).json["type"] == "spool-area-full"
    # Somebody else fills the disk while a disc is read in, and an image comes.
    read, _ = agent.read()
    agent.await_drive("s1", lambda drive: drive["progress"])
    second = shop.put(image_of(5 * MIB, seed=3), Fault(hold_after=2 * MIB))
    agent.announce(second, 5 * MIB)
    await_true(lambda: agent.image(second)["received"] == 2 * MIB)
    (small_disk / "somebody's").write_bytes(bytes(9 * MIB))
    stage.drop("hold")
    assert "spool-area-full" in agent.await_read(read)["reason"]
    shop.release()
    assert "spool-area-full" in agent.await_image(second, "failed")["reason"]
    # Not even the journal can be written: nothing is accepted, and the agent goes on.
    with (small_disk / "filler").open("ab", buffering=0) as filler:
        fill(filler.write)
    uuid, refused = agent.write(image, *(f"S-{serial}" for serial in range(1000)))
    assert (refused.status, refused.json["type"]) == (507, "spool-area-full")
    assert agent.call("GET", f"/v1/writes/{uuid}").status == 404
    assert copier.lines("written") == []
    (small_disk / "filler").unlink()
    (small_disk / "somebody's").unlink()
    agent.announce(second, 5 * MIB)
    agent.await_image(second, "ready")
    again, _ = agent.read()
    assert agent.await_read(again)["size"] == 5 * MIB


def fill(write: Callable[[bytes], int | None]) -> None:
    for size in (MIB, 4096, 512, 1):
        try:
            while write(bytes(size)):
                pass
        except OSError:
            continue


def test_a_clock_that_is_off_and_set_back_changes_no_order(start: Start, shop: Shop) -> None:
    agent = start(drives=1, clock=1.0)
    image = agent.have(image_of(5000))
    uuid, _ = agent.write(image, "AAA", "BBB")
    first = agent.await_write(uuid)["AAA"]
    now = datetime.now(UTC)
    off = datetime.fromisoformat(first["finished_at"]) - now
    assert timedelta(minutes=59) < off < timedelta(minutes=61)
    agent.kill()
    agent.clock = -1.0
    agent.start()
    later, _ = agent.write(image, "CCC")
    second = agent.await_write(later)["CCC"]
    assert second["finished_at"] < first["finished_at"]
    assert (first["state"], second["state"]) == ("good", "good")
    told = shop.await_report(lambda report: len(report["writes"]) == 2)
    assert [write["uuid"] for write in told["writes"]] == [str(uuid), str(later)]
    sequences = [report["sequence"] for report in shop.reports]
    assert sequences == sorted(sequences)
    times = [report["time"] for report in shop.reports]
    assert times != sorted(times)


def test_what_no_drive_takes_any_more_ends_with_a_reason(start: Start, shop: Shop, tmp_path: Path) -> None:
    for drive in ("d1", "s1"):
        Stage(tmp_path / "writer", drive)
    shop.report_status = 503  # nothing begins before a report of this boot was taken
    agent = start(drives=1, extra=SOURCE, **PUPPET)
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    read, answer = agent.read()
    assert (answer.status, answer.json["state"]) == (201, "accepted")
    agent.kill()
    shop.report_status = 200
    agent.kinds, agent.extra = ("BD-R",), ""
    agent.start()
    disc = agent.await_write(uuid)["AAA"]
    assert (disc["state"], disc["blame"], disc["started_at"]) == ("bad", "drive", None)
    assert disc["reason"] == "no drive of this writer takes a cd any more"
    assert agent.await_read(read)["reason"] == "this writer has no source drive s1 any more"


def test_faces_spoilt_blanks_audio_and_printers_reach_the_machine_and_the_state(start: Start, tmp_path: Path) -> None:
    stages = [Stage(tmp_path / "writer", drive) for drive in ("d1", "d2")]
    for stage in stages:
        stage.set(medium="blank", hopper="", spoils="2", hold="")
    agent = start(drives=2, **PUPPET)
    image = agent.have(image_of(5000), layout="audio")
    face, gone = agent.have(b"%PDF-1.7 a face", layout="face"), agent.have(b"%PDF-1.7 another", layout="face")
    discs = [{"serial": "AAA", "face": face}, {"serial": "BBB"}, {"serial": "CCC", "face": gone}]
    uuid = uuid4()
    body = {"image": image, "format": "cd", "discs": discs, "drive": "d1"}
    assert agent.call("PUT", f"/v1/writes/{uuid}", body).status == 201
    agent.await_disc(uuid, "AAA", "started")
    (agent.folder / "state" / "images" / gone).unlink()
    stages[0].drop("hold")
    found = agent.await_write(uuid)
    assert [found[serial]["spoilt"] for serial in ("AAA", "BBB")] == [2, 2]
    assert (found["CCC"]["state"], found["CCC"]["blame"]) == ("bad", "job")
    assert "face-missing" in found["CCC"]["reason"]
    assert stages[0].lines("written") == [f"AAA audio {face}", "BBB audio -"]
    state = agent.state()
    assert state["printers"] == [{"id": "p1", "state": "idle", "supplies": [{"name": "ink", "percent": 80.0}]}]
    assert state["blanks"][0]["remaining"] == 100 - 2 - 4
