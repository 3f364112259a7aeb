"""The agent killed, ended and doubled: no disc is written twice, none is called good that nobody checked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from devices.agent.drivers import process
from devices.agent.drivers.base import Burner
from tests.devices.agent.plant import ROOT, AgentProcess, Shop, await_true, image_of

Start = Callable[..., AgentProcess]

# xorriso takes 16 MB at once and keeps to the speed from there on.
LONG = image_of(18_000_000, seed=7)


def test_after_kill_9_a_started_disc_is_unknown_and_the_others_go_on(start: Start, shop: Shop) -> None:
    agent = start(drives=1, speed="45c")
    image = agent.have(LONG)
    uuid, _ = agent.write(image, "RUNS", "WAITS")
    agent.await_disc(uuid, "RUNS", "started")
    await_true(lambda: agent.disc("RUNS").exists() and agent.disc("RUNS").stat().st_size > 0)
    before = agent.state()
    (burner,) = agent.burners()
    agent.kill()
    assert agent.burners() == [burner]
    agent.start()
    after = agent.state()
    assert after["journal_id"] == before["journal_id"]
    assert after["boot_id"] != before["boot_id"]
    assert after["sequence"] > before["sequence"]
    unknown = agent.discs(uuid)["RUNS"]
    assert (unknown["state"], unknown["blame"], unknown["verified"]) == ("unknown", None, "none")
    assert "the agent stopped" in unknown["reason"]
    # The burner that outlived its agent still has the drive.
    assert agent.drive("d1")["reasons"] == ["orphan-burner"]
    assert (agent.discs(uuid)["WAITS"]["state"], agent.burners()) == ("planned", [burner])
    agent.await_disc(uuid, "WAITS", "started")
    assert burner not in agent.burners()
    discs = agent.await_write(uuid)
    assert (discs["RUNS"]["state"], discs["WAITS"]["state"]) == ("unknown", "good")
    assert agent.state()["blanks"][0]["remaining"] == 98
    told = shop.await_report(lambda report: any(write["state"] == "done" for write in report["writes"]))
    assert [disc["state"] for disc in told["writes"][0]["discs"]] == ["unknown", "good"]
    assert agent.write(image, "RUNS", "WAITS", uuid=uuid)[1].status == 200
    assert agent.write(image, "RUNS")[1].json["type"] == "serial-used"


def test_sigterm_ends_the_burner_within_five_seconds_and_the_disc_is_unknown(start: Start) -> None:
    agent = start(drives=2, speed="1c")
    uuid, _ = agent.write(agent.have(LONG), "AAA", "BBB", "CCC")
    for serial in ("AAA", "BBB"):
        agent.await_disc(uuid, serial, "started")
    await_true(lambda: len(agent.burners()) == 2)
    began = time.monotonic()
    assert agent.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 5  # as the service file promises; its disc would take minutes
    assert agent.burners() == []
    agent.speed = None
    agent.start()
    discs = agent.await_write(uuid)
    assert [disc["state"] for disc in discs.values()] == ["unknown", "unknown", "good"]
    assert "the agent was stopped" in discs["AAA"]["reason"]


def test_ctrl_c_ends_an_idle_agent(start: Start) -> None:
    agent = start()
    assert agent.stop(signal.SIGINT) == 0
    assert agent.log.read_text().splitlines()[-1].endswith("ended")


def test_a_second_agent_on_the_same_state_is_turned_away(start: Start) -> None:
    agent = start()
    second = subprocess.run(
        [sys.executable, "-m", "devices.agent", "--config", agent.folder / "agent.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert second.returncode == 2
    assert "another agent is running on this state folder" in second.stderr


def test_kill_9_again_and_again_never_writes_a_serial_twice(start: Start, shop: Shop) -> None:
    agent = start(drives=2)
    image = agent.have(image_of(2_000_000))
    serials = [f"K{number}" for number in range(6)]
    uuid, _ = agent.write(image, *serials)
    stamps: dict[str, str] = {}
    for round_ in range(3):
        agent.await_disc(uuid, serials[2 * round_], "started", "good", "unknown")
        stamps |= {serial: disc["started_at"] for serial, disc in agent.discs(uuid).items() if disc["started_at"]}
        agent.kill()
        agent.start()
        agent.write(image, *serials, uuid=uuid)
    discs = agent.await_write(uuid)
    assert {disc["state"] for disc in discs.values()} <= {"good", "unknown"}
    assert {serial: discs[serial]["started_at"] for serial in stamps} == stamps
    sequences = [(report["boot_id"], report["sequence"]) for report in shop.reports]
    assert sequences == sorted(sequences, key=lambda pair: pair[1])


@pytest.fixture
def sleeper() -> object:
    running = subprocess.Popen(["sleep", "60"])
    yield running
    running.kill()
    running.wait()


def test_a_burner_is_found_by_pid_and_start_and_ended(sleeper: subprocess.Popen[bytes]) -> None:
    mark = process.mark_of(sleeper.pid)
    assert mark is not None
    said: list[str] = []
    process.outlive(Burner(sleeper.pid, mark), patience=0.3, grace=5, stop=Event(), tell=said.append)
    assert sleeper.wait(5) == -signal.SIGTERM
    assert ["waiting" in said[0], "SIGTERM" in said[1], len(said)] == [True, True, 2]


def test_a_recycled_pid_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    mark = str(process.mark_of(sleeper.pid))
    for other in (mark + "1", "0" + mark, None):
        assert process.find(Burner(sleeper.pid, other, ("sleep", "60"))) is None
        process.outlive(Burner(sleeper.pid, other), patience=0, grace=0, stop=Event(), tell=pytest.fail)
    assert sleeper.poll() is None


def test_a_burner_whose_pid_was_never_journalled_is_found_by_its_command(tmp_path: Path) -> None:
    command = ("sleep", "61.000" + str(os.getpid()))
    running = subprocess.Popen(command)
    try:
        found = await_true(lambda: process.find(Burner(None, None, command)))
        assert found.pid == running.pid
        assert process.find(Burner(None, None, ("sleep", str(tmp_path)))) is None
    finally:
        running.kill()
        running.wait()
    assert process.find(found) is None
