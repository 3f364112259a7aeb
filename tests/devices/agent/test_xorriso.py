"""What xorriso says, and what follows from it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.agent.config import Drive
from devices.agent.drivers import medium
from devices.agent.drivers.base import Burner, DiscJob, Fitness, Watch
from devices.agent.drivers.xorriso import Limits, Xorriso, faults_in, progress_in
from devices.agent.wire import Blame, DiscState, Feed, Role
from tests.devices.agent.plant import digest_of, image_of

SAID = """\
xorriso 1.5.4 : RockRidge filesystem manipulator, libburnia project.
Beginning to write data track.
xorriso : UPDATE :    5 of  572 MB written (fifo  0%) [buf  50%]
xorriso : UPDATE :  127 of  572 MB written (fifo 99%) [buf  50%]  57.8x.
"""
TOC = """\
Drive current: -outdev '/dev/sr0'
Media current: {name}
Media status : {status}
Media blocks : 0 readable , {sectors} writable , {sectors} overall
Media summary: 0 sessions, 0 data blocks, 0 data, 4483m free
"""


def job(image: Path, data: bytes, **more: object) -> DiscJob:
    values = {"serial": "AAA", "sha256": digest_of(data), "size": len(data), "format": "cd", "speed": None}
    return DiscJob(image=image, verify=True, **{**values, **more})  # type: ignore[arg-type]  # DiscJob's own keys


def drive(device: str, *kinds: str) -> Drive:
    return Drive("d1", Role.COPIER, Feed.ROBOT, device, kinds or ("CD-R",), "16c", None)


def test_progress_is_read_from_the_last_line() -> None:
    assert progress_in(SAID) == (127, 572)
    assert progress_in("Beginning to write data track.\n") is None


@given(st.text())
def test_whatever_is_said_is_read_without_a_fault(text: str) -> None:
    progress_in(text)
    faults_in(text)
    medium.fit_medium(text, ("CD-R",), job(Path("x"), b"x"))


def test_faults_are_read_in_their_order() -> None:
    text = "libburn : SORRY : No space left on device\nxorriso : NOTE : x\nxorriso : FAILURE : Cannot acquire drive\n"
    assert faults_in(text) == ("No space left on device", "Cannot acquire drive")


@pytest.mark.parametrize(
    ("name", "status", "sectors", "format_", "fitness"),
    [
        ("CD-R", "is blank", 359_849, "cd", Fitness.READY),
        ("CD-R", "is blank", 94_500, "cd", Fitness.WAIT),
        ("CD-R", "is written , is closed", 0, "cd", Fitness.WAIT),
        ("DVD-R sequential recording", "is blank", 2_298_496, "dvd", Fitness.READY),
        ("DVD-R sequential recording", "is blank", 2_298_496, "cd", Fitness.WAIT),
        ("DVD+R/DL", "is blank", 4_173_824, "dvd-dl", Fitness.READY),
        ("DVD+R/DL", "is blank", 4_173_824, "dvd", Fitness.WAIT),
        ("BD-R sequential recording", "is blank", 12_219_392, "bd", Fitness.READY),
        ("BD-R sequential recording", "is blank", 24_438_784, "bd", Fitness.WAIT),
        ("is not recognizable", "is blank", 0, "cd", Fitness.WAIT),
    ],
)
def test_only_a_blank_of_the_wanted_format_is_ready(
    name: str, status: str, sectors: int, format_: str, fitness: Fitness
) -> None:
    kinds = ("CD-R", "DVD-R", "DVD+R DL", "BD-R")
    toc = TOC.format(name=name, status=status, sectors=sectors)
    assert medium.fit_medium(toc, kinds, job(Path("x"), b"x" * 2048, format=format_)).fitness is fitness


def test_an_image_larger_than_the_blank_is_the_job_s_fault() -> None:
    toc = TOC.format(name="CD-R", status="is blank", sectors=359_849)
    found = medium.fit_medium(toc, ("CD-R",), job(Path("x"), b"x", size=359_850 * 2048))
    assert (found.fitness, found.blame) == (Fitness.REFUSED, Blame.JOB)
    assert "359850 sectors" in found.detail


def test_no_answer_of_the_drive_is_a_broken_drive() -> None:
    assert medium.fit_medium(None, ("CD-R",), job(Path("x"), b"x")).fitness is Fitness.BROKEN


def test_the_command_line_is_an_argument_list_without_formatting_of_used_media(tmp_path: Path) -> None:
    made = Xorriso(drive(f"stdio:{tmp_path}/{{serial}} $(x).img"), tmp_path)
    assert made.command(job(Path("/images/a"), b"x"))[1:] == (
        "-no_rc", "-as", "cdrecord", "-v", f"dev=stdio:{tmp_path}/AAA $(x).img", "fs=64m", "speed=16c", "/images/a",
    )  # fmt: skip
    assert "speed=4c" in made.command(job(Path("/images/a"), b"x", speed="4c"))
    real = Xorriso(drive("/dev/sr0", "CD-R", "DVD+RW"), tmp_path)
    assert "blank=as_needed" not in real.command(job(Path("/i"), b"x"))
    assert "blank=as_needed" in real.command(job(Path("/i"), b"x", format="dvd"))


def test_an_empty_or_cut_image_is_refused_before_a_blank_is_touched(tmp_path: Path) -> None:
    made = Xorriso(drive(f"stdio:{tmp_path}/discs/{{serial}}.img"), tmp_path)
    image = tmp_path / "image"
    for data, size in [(b"", 0), (b"x" * 10, 11)]:
        image.write_bytes(data)
        found = made.check(job(image, data, size=size))
        assert (found.fitness, found.blame) == (Fitness.REFUSED, Blame.JOB)


def test_what_is_not_a_plain_file_is_never_written(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    for target in ("/dev/full", f"{tmp_path}/link", str(tmp_path)):
        found = Xorriso(drive(f"stdio:{target}"), tmp_path).check(job(image, b"x" * 10))
        assert found.fitness is Fitness.BROKEN


def test_no_room_is_known_before(tmp_path: Path) -> None:
    assert medium.fit_file(tmp_path / "new", free=10, needed=11).fitness is Fitness.BROKEN
    assert medium.fit_file(tmp_path / "new", free=11, needed=11).fitness is Fitness.READY


def test_a_burner_that_gets_no_further_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "xorriso"
    program.write_text(
        '#!/bin/sh\necho "xorriso : UPDATE :    1 of    9 MB written (fifo  0%) [buf  50%]"\nexec sleep 60\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    made = Xorriso(drive(f"stdio:{tmp_path}/{{serial}}.img"), tmp_path, Limits(stall=0.3))
    burners: list[Burner] = []
    began = time.monotonic()
    image = tmp_path / "image"
    image.write_bytes(image_of(100))
    result = made.write(job(image, image_of(100)), Watch(lambda _: None, burners.append, Event()))
    assert (result.state, result.blame) == (DiscState.BAD, Blame.DRIVE)
    assert "got no further" in str(result.reason)
    assert time.monotonic() - began < 10
    assert not Path(f"/proc/{burners[0].pid}").exists()
