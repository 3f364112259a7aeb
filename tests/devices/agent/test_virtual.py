"""The simulated robot: what it says of discs, bins and printer is true of its files, also after a restart."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.agent.config import ConfigError, Drive
from devices.agent.drivers.base import DiscJob, Fitness, Result, Watch
from devices.agent.drivers.pace import Run, RunBrokenOffError, bytes_a_second
from devices.agent.drivers.robot_options import VirtualOptions
from devices.agent.drivers.virtual import Virtual, fate_of
from devices.agent.wire import Blame, DiscState, Feed, Layout, Role, Verified
from tests.devices.agent.plant import AgentProcess, Shop, await_true, digest_of, image_of

LEFT = {"bin": "left", "kind": "CD-R", "count": 10, "capacity": 20}
PDF = b"%PDF-1.7 a face"


class Bench:
    """A robot with two drives, in a folder."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.options = {"clock": 1e9, "store": str(self.store), "bins": [LEFT], **options}
        self.restart()

    def restart(self, **changes: Any) -> None:
        self.options.update(changes)
        drives = [Drive(id_, Role.COPIER, Feed.ROBOT, id_, ("CD-R",), None, None) for id_ in ("d1", "d2")]
        self.d1, self.d2 = Virtual.machine(drives, self.folder, self.options).values()

    def job(self, serial: str = "AAA", data: bytes | None = None, **more: Any) -> DiscJob:
        data = image_of(100_000) if data is None else data
        image = self.folder / f"{serial}.image"
        image.write_bytes(data)
        if isinstance(face := more.pop("face", None), bytes):
            more["face"] = self.folder / f"{serial}.face"
            more["face"].write_bytes(face)
        return DiscJob(serial, image, digest_of(data), len(data), "cd", None, verify=True, **more)

    def write(self, job: DiscJob) -> Result:
        assert self.d1.check(job).fitness is Fitness.READY
        return self.d1.write(job, Watch(lambda _: None, lambda _: None, Event()))

    def left(self, bin_: str = "left") -> int | None:
        return {fact.bin: fact.remaining for fact in self.d1.blanks() or ()}[bin_]

    def supplies(self) -> dict[str, float | None]:
        (printer,) = self.d1.printers()
        return {supply.name: supply.percent for supply in printer.supplies}

    def refill(self, **what: Any) -> None:
        (self.folder / "new").write_text(json.dumps(what))
        (self.folder / "new").rename(self.folder / "refill.json")


def audio(cue: bytes = b'FILE "disc.bin" BINARY\n', samples: bytes = b"", name: str = "disc.bin") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for each, data in (("disc.cue", cue), (name, samples or image_of(2352 * 50))):
            entry = tarfile.TarInfo(each)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


# -- discs -------------------------------------------------------------------------------------------------------------


def test_a_bad_medium_is_found_by_reading_back_what_was_stored(tmp_path: Path) -> None:
    bench = Bench(tmp_path, bad=1.0)
    job = bench.job()
    result = bench.write(job)
    assert (result.state, result.blame) == (DiscState.BAD, Blame.MEDIUM)
    assert str(result.reason).startswith("verify-mismatch")
    stored, wanted = (bench.store / "AAA.iso").read_bytes(), job.image.read_bytes()
    assert len([1 for one, other in zip(stored, wanted, strict=True) if one != other]) == 1
    # Who doesn't look doesn't see it.
    assert bench.write(replace(bench.job("BBB"), verify=False)) == Result(DiscState.GOOD)
    assert bench.left() == 8


@pytest.mark.parametrize(
    ("option", "state", "blame", "reason"),
    [
        ("drive_failure", DiscState.BAD, Blame.DRIVE, "the drive failed while it wrote (simulated)"),
        ("unknown", DiscState.UNKNOWN, None, "the robot lost track of this disc (simulated)"),
    ],
)
def test_other_faults_cost_a_blank_too(
    option: str, state: DiscState, blame: Blame | None, reason: str, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, bad=1.0, **{option: 1.0})
    assert bench.write(bench.job()) == Result(state, blame=blame, reason=reason)
    assert bench.left() == 9


def test_the_robot_s_own_retries_are_counted_and_end_when_the_bin_is_empty(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spoilt=1.0)
    first = bench.write(bench.job())
    assert (first.state, first.spoilt, bench.left()) == (DiscState.GOOD, 5, 4)
    second = bench.write(bench.job("BBB"))
    assert (second.state, second.blame, second.spoilt, bench.left()) == (DiscState.BAD, Blame.MEDIUM, 3, 0)
    assert str(second.reason).startswith("media-empty")


@given(seed=st.integers(), serials=st.lists(st.text("0123456789ABC", min_size=1), unique=True, min_size=1))
def test_fate_is_decided_by_seed_and_serial_alone(seed: int, serials: list[str]) -> None:
    options = VirtualOptions(seed=seed, bad=0.5, unknown=0.5, drive_failure=0.5, spoilt=0.5)
    forth = {serial: fate_of(serial, options) for serial in serials}
    assert {serial: fate_of(serial, options) for serial in reversed(serials)} == forth
    # Another chance of one fault changes nothing of the others.
    for serial, fate in forth.items():
        assert fate_of(serial, options.model_copy(update={"bad": 1.0})) == replace(fate, is_bad=True)


def test_faults_come_as_often_as_they_are_asked_for() -> None:
    options = VirtualOptions(seed=7, bad=0.1)
    assert 60 < sum(fate_of(f"DISC-{number}", options).is_bad for number in range(1000)) < 140


def test_no_disc_is_written_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(bench.job())
    found = bench.d2.check(bench.job())
    assert (found.fitness, found.blame) == (Fitness.REFUSED, Blame.MEDIUM)
    assert found.detail.startswith("medium-used")


def test_an_audio_disc_is_stored_as_its_cue_sheet_and_samples(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cue, samples = b'FILE "disc.bin" BINARY\n', image_of(2352 * 500)
    result = bench.write(bench.job(data=audio(cue, samples), layout=Layout.AUDIO))
    assert (result.state, result.verified) == (DiscState.GOOD, Verified.OFFSET)
    assert (bench.store / "AAA" / "disc.cue").read_bytes() == cue
    assert (bench.store / "AAA" / "disc.bin").read_bytes() == samples
    bench.restart(bad=1.0)
    bad = bench.write(bench.job("BBB", audio(cue, samples), layout=Layout.AUDIO))
    assert (bad.state, bad.blame) == (DiscState.BAD, Blame.MEDIUM)
    assert (bench.store / "BBB" / "disc.bin").read_bytes() != samples
    bench.restart(bad=0.0, self_verify=True)
    assert bench.write(bench.job("CCC", audio(), layout=Layout.AUDIO)).verified is Verified.MACHINE


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (image_of(5000), "no uncompressed tar"),
        (audio(name="../disc.bin"), "it has to hold disc.cue, then disc.bin, and nothing else"),
        (audio(samples=b"x" * 2353), "disc.bin has 2353 bytes, no whole number of audio sectors"),
        (audio()[:-80_000], "no uncompressed tar"),
    ],
    ids=["no tar", "other names", "half a sector", "cut off"],
)
def test_what_is_no_audio_disc_is_refused(data: bytes, told: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found = bench.d1.check(bench.job(data=data, layout=Layout.AUDIO))
    assert (found.fitness, found.blame) == (Fitness.REFUSED, Blame.JOB)
    assert told in found.detail


def test_more_samples_than_a_cd_takes_are_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    job = bench.job(layout=Layout.AUDIO)
    samples = tarfile.TarInfo("disc.bin")
    samples.size = 2352 * 359_845
    with job.image.open("wb") as file:
        file.write(tarfile.TarInfo("disc.cue").tobuf() + samples.tobuf())
        file.truncate(1024 + samples.size + 1024 - samples.size % 512)
    found = bench.d1.check(replace(job, size=job.image.stat().st_size))
    assert (found.fitness, found.detail) == (
        Fitness.REFUSED, "the image has 359845 sectors, a cd here takes 359844",
    )  # fmt: skip


# -- printer -----------------------------------------------------------------------------------------------------------


def test_faces_are_kept_beside_their_discs_and_use_the_supplies_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path, printer={"id": "p1", "supplies": ["ink"], "per_face": 40})
    assert bench.write(bench.job("AAA", face=PDF)).state is DiscState.GOOD
    assert bench.write(bench.job("BBB", face=b"\x89PNG a face")).state is DiscState.GOOD
    assert bench.write(bench.job("CCC")).state is DiscState.GOOD
    assert (bench.store / "AAA.face.pdf").read_bytes() == PDF
    assert (bench.store / "BBB.face.png").exists()
    assert bench.supplies() == {"ink": 20.0}
    assert bench.d1.printers() == bench.d2.printers()
    # A fifth of the ink is less than a face takes.
    found = bench.d1.check(bench.job("DDD", face=PDF))
    assert (found.fitness, found.reason) == (Fitness.WAIT, "marker-supply-empty")
    assert bench.d1.printers()[0].state == "stopped"
    assert bench.d1.check(bench.job("EEE")).fitness is Fitness.READY
    bench.restart()
    assert bench.supplies() == {"ink": 20.0}
    bench.refill(new_supplies=True)
    assert bench.supplies() == {"ink": 100.0}
    refused = bench.d1.check(bench.job("FFF", face=b"GIF89a"))
    assert (refused.fitness, refused.detail) == (Fitness.REFUSED, "the face is neither a PDF nor a PNG")


def test_a_robot_without_a_printer_leaves_faces_to_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.write(bench.job(face=PDF)).state is DiscState.GOOD
    assert [path.name for path in bench.store.iterdir()] == ["AAA.iso"]
    assert bench.d1.printers() == ()


# -- bins --------------------------------------------------------------------------------------------------------------


def test_bins_survive_a_restart_and_another_count_is_a_new_load(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(bench.job())
    bench.restart()
    assert bench.left() == 9
    bench.restart(bins=[LEFT | {"count": 15}, LEFT | {"bin": "right"}])
    assert (bench.left(), bench.left("right")) == (15, 10)
    bench.restart(bins=[LEFT | {"count": 15}])
    assert bench.left() == 15


def test_a_person_refills_the_robot_while_it_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path, output=1)
    bench.write(bench.job())
    found = bench.d1.check(bench.job("BBB"))
    assert (found.fitness, found.reason) == (Fitness.WAIT, "output-area-full")
    bench.refill(blanks={"left": 5}, empty_output=True)
    assert bench.left() == 14
    assert not (tmp_path / "refill.json").exists()
    assert bench.write(bench.job("BBB")).state is DiscState.GOOD
    bench.restart()
    assert bench.left() == 13
    for wrong, told in [
        ({"blanks": {"left": 8}}, "refill.json.blanks.left: 21 blanks don't fit a bin of 20"),
        ({"blanks": {"top": 1}}, "refill.json.blanks.top: there is no such bin; known: left"),
        ({"blanks": {"left": -1}}, "refill.json.blanks.left: "),
        ({"blank": {"left": 1}}, "refill.json.blank: unknown key; known here: blanks"),
    ]:
        bench.refill(**wrong)
        assert bench.left() == 13
        assert told in caplog.text
    (tmp_path / "refill.json").write_text("half a fi")
    assert bench.left() == 13
    assert (tmp_path / "refill.refused.json").read_text() == "half a fi"


def test_the_last_blank_is_promised_to_one_drive(tmp_path: Path) -> None:
    bench = Bench(tmp_path, bins=[LEFT | {"count": 1}])
    assert bench.d1.check(bench.job()).fitness is Fitness.READY
    found = bench.d2.check(bench.job("BBB"))
    assert (found.fitness, found.reason) == (Fitness.WAIT, "media-empty")
    assert bench.write(bench.job()).state is DiscState.GOOD
    assert bench.left() == 0


def test_a_damaged_memory_is_said_so_with_the_remedy(tmp_path: Path) -> None:
    Bench(tmp_path)
    (tmp_path / "robot.json").write_text('{"bins": {"left": "many"}}')
    with pytest.raises(ConfigError, match=r"robot\.json: can't be read \(.*bins\.left.*\); remove it"):
        Bench(tmp_path)


def test_a_source_of_the_robot_names_its_file(tmp_path: Path) -> None:
    source = Drive("s1", Role.SOURCE, Feed.ROBOT, "bay-3", (), None, None)
    with pytest.raises(ConfigError, match=r'the source s1 .* reads a file: give device = "stdio:PATH"'):
        Virtual.machine([source], tmp_path, {})


# -- time --------------------------------------------------------------------------------------------------------------


def test_speeds_are_xorriso_s() -> None:
    found = [bytes_a_second(speed) for speed in ("1c", "52c", "16d", "16", "4.5b")]
    assert found == [153_600, 7_987_200, 22_160_000, 22_160_000, 20_230_312.5]


def test_time_passes_at_the_clock_s_rate_and_ends_with_the_agent() -> None:
    seen: list[float] = []
    stop = Event()
    run = Run(30.0, 100.0, Watch(seen.append, lambda _: None, stop))
    began = time.monotonic()
    run.spend(20.0)
    run.spend_until(30.0)
    assert time.monotonic() - began >= 0.29
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    stop.set()
    with pytest.raises(RunBrokenOffError):
        run.spend(1e9)


# -- a whole agent -----------------------------------------------------------------------------------------------------

OPTIONS = """
[driver.options]
clock = 1e6
store = "./store"
bins = [{ bin = "left", kind = "CD-R", count = 2 }, { bin = "right", kind = "DVD-R", count = 7 }]
printer = { supplies = ["ink"], per_face = 1 }
"""


def test_an_agent_waits_for_the_robot_s_bin_and_goes_on_when_it_is_filled(
    start: Callable[..., AgentProcess], shop: Shop
) -> None:
    agent = start(driver="virtual", extra=OPTIONS)
    image, face = agent.have(image_of(5000)), agent.have(PDF, layout="face")
    uuid = uuid4()
    discs = [{"serial": serial, "face": face} for serial in ("AAA", "BBB", "CCC")]
    assert agent.call("PUT", f"/v1/writes/{uuid}", {"image": image, "format": "cd", "discs": discs}).status == 201
    await_true(lambda: [disc["state"] for disc in agent.found(uuid)["discs"]] == ["good", "good", "planned"])
    await_true(lambda: [drive["reasons"] for drive in agent.state()["drives"]] == [["media-empty"]] * 2)
    # Two drives, one machine: each bin and the printer are told once.
    state = agent.state()
    assert state["blanks"] == [
        {"format": "cd", "kind": "CD-R", "bin": "left", "remaining": 0},
        {"format": "dvd", "kind": "DVD-R", "bin": "right", "remaining": 7},
    ]
    assert state["printers"] == [{"id": "printer", "state": "idle", "supplies": [{"name": "ink", "percent": 98.0}]}]
    assert agent.drive("d1")["state"] == "idle"  # DVDs can be written
    agent.kill()
    agent.start()
    assert agent.state()["blanks"][0]["remaining"] == 0
    workspace = agent.folder / "state" / "burners"
    (workspace / "new").write_text('{"blanks": {"left": 9}}')
    (workspace / "new").rename(workspace / "refill.json")
    assert {disc["state"] for disc in agent.await_write(uuid).values()} == {"good"}
    shop.await_report(lambda report: report["blanks"][0]["remaining"] == 8)
    assert sorted(path.name for path in (agent.folder / "store").iterdir()) == [
        "AAA.face.pdf", "AAA.iso", "BBB.face.pdf", "BBB.iso", "CCC.face.pdf", "CCC.iso",
    ]  # fmt: skip
    sound = agent.have(audio(), layout="audio")
    uuid, answer = agent.write(sound, "SOUND")
    assert answer.status == 201
    assert agent.await_write(uuid)["SOUND"]["verified"] == "offset"
