"""What follows from what xorriso says, and discs written with the real one on files that play a disc."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.agent.config import ConfigError, Drive
from devices.agent.drivers import cdrom, medium
from devices.agent.drivers.base import Burner, DiscJob, Fitness, Readiness, Tray, Watch
from devices.agent.drivers.burning import Limits, faults_in, progress_in
from devices.agent.drivers.toc import read_toc
from devices.agent.drivers.xorriso import Xorriso
from devices.agent.wire import SECTOR, Blame, DiscState, Feed, Role, Verified
from tests.devices.agent import media
from tests.devices.agent.plant import digest_of, image_of

SAID = """\
xorriso 1.5.4 : RockRidge filesystem manipulator, libburnia project.
Beginning to write data track.
xorriso : UPDATE :    5 of  572 MB written (fifo  0%) [buf  50%]
xorriso : UPDATE :  127 of  572 MB written (fifo 99%) [buf  50%]  57.8x.
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


def test_faults_are_read_in_their_order() -> None:
    text = "libburn : SORRY : No space left on device\nxorriso : NOTE : x\nxorriso : FAILURE : Cannot acquire drive\n"
    assert faults_in(text) == ("No space left on device", "Cannot acquire drive")


def fit(said: str, *kinds: str, size: int = SECTOR, format_: str = "cd") -> Readiness:
    return medium.fit_medium(read_toc(said), drive("/dev/sr0", *kinds), job(Path("x"), b"x", size=size, format=format_))


@pytest.mark.parametrize(
    ("said", "kinds", "format_", "reason", "detail"),
    [
        (media.BLANK_CDR, ("CD-R",), "cd", "", ""),
        (media.BLANK_CDR, ("DVD-R", "CD-R"), "cd", "", ""),
        (media.BLANK_CDR, ("CD-R", "DVD-R"), "dvd", "media-wrong", "a CD-R lies in the drive, a blank for dvd is"),
        (media.BLANK_CDR, ("CD-RW",), "cd", "media-wrong", "a blank for cd is wanted (CD-RW)"),
        (media.toc_of("CD-R", 94_500), ("CD-R",), "cd", "media-wrong", "a CD-R mini lies in the drive"),
        (media.toc_of("CD-R", 94_500), ("CD-R mini",), "cd-mini", "", ""),
        (media.BLANK_DVD_PLUS_R, ("DVD-R", "DVD+R"), "dvd", "", ""),
        (media.BLANK_DVD_PLUS_R, ("DVD-R",), "dvd", "media-wrong", "a DVD+R lies in the drive"),
        (media.APPENDABLE_DVD_PLUS_R, ("DVD+R",), "dvd", "media-used", "the DVD+R in the drive is not blank"),
        (media.CLOSED_DVD, ("DVD+R",), "dvd", "media-used", "the DVD-ROM in the drive is not blank"),
        (media.toc_of("DVD+R/DL", 4_173_824), ("DVD+R DL", "DVD+R"), "dvd-dl", "", ""),
        (media.toc_of("DVD+R/DL", 4_173_824), ("DVD+R DL", "DVD+R"), "dvd", "media-wrong", "a DVD+R DL lies"),
        (media.toc_of("BD-R sequential recording", 24_438_784), ("BD-R", "BD-R DL"), "bd", "media-wrong", "a BD-R DL"),
        (media.toc_of("DVD-RAM", 714_480), ("DVD-RAM",), "dvd", "media-wrong", "a DVD-RAM of 714480 sectors lies"),
        (media.toc_of("CD-R", 359_849, "is blank , but no writable address"), ("CD-R",), "cd", "media-wrong", "damage"),
        (media.NO_MEDIUM, ("CD-R",), "cd", "media-needed", "no blank lies in the drive"),
        # Rewritables: only where the drive names one first.
        (media.BLANK_CDRW, ("CD-R", "CD-RW"), "cd", "media-wrong", "which writes CD-R for cd"),
        (media.USED_CDRW, ("CD-R", "CD-RW"), "cd", "media-wrong", "which writes CD-R for cd"),
        (media.BLANK_CDRW, ("CD-RW", "CD-R"), "cd", "", ""),
        (media.USED_CDRW, ("CD-RW", "CD-R"), "cd", "", ""),
        (media.BLANK_CDR, ("CD-RW", "CD-R"), "cd", "", ""),
        (media.APPENDABLE_DVD_RW, ("DVD-RW",), "dvd", "", ""),
        (media.toc_of("BD-RE", 11_826_176, "is written , is closed"), ("BD-RE",), "bd", "", ""),
    ],
)  # fmt: skip
def test_only_a_medium_of_the_wanted_format_and_a_kind_of_the_drive_is_written(
    said: str, kinds: tuple[str, ...], format_: str, reason: str, detail: str
) -> None:
    found = fit(said, *kinds, format_=format_)
    assert (found.fitness is Fitness.READY, found.reason) == (reason == "", reason)
    assert detail in found.detail


def test_an_image_no_such_disc_can_hold_is_the_job_s_fault_and_a_short_blank_is_not(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(449_851 * SECTOR)
    found = Xorriso(drive("/dev/sr93"), tmp_path, {}).check(job(image, b"", size=449_851 * SECTOR))
    assert (found.fitness, found.blame) == (Fitness.REFUSED, Blame.JOB)
    assert found.detail == "the image needs 450001 sectors, no cd takes more than 450000"
    found = fit(media.toc_of("CD-R", 333_000), "CD-R", size=332_850 * SECTOR + 1)
    assert (found.fitness, found.reason) == (Fitness.WAIT, "media-wrong")
    assert found.detail == "the image needs 333001 sectors, the CD-R in the drive takes 333000: put a longer one in"


@pytest.mark.parametrize(("status", "known"), [(0, Tray.UNKNOWN), (1, Tray.EMPTY), (2, Tray.OPEN), (3, Tray.UNKNOWN),
                                               (4, Tray.LOADED), (-1, Tray.UNKNOWN)])  # fmt: skip
def test_the_tray_is_where_linux_says(status: int, known: Tray) -> None:
    assert cdrom.tray_of(status) is known


@pytest.mark.parametrize("device", ["/dev/sr93", "/dev/null"])
def test_what_is_no_drive_has_no_tray_that_is_known(device: str, tmp_path: Path) -> None:
    assert Xorriso(drive(device), tmp_path, {}).tray() is Tray.UNKNOWN


def test_an_open_or_empty_tray_is_waited_for_without_moving_it() -> None:
    assert [medium.fit_tray(tray).reason for tray in (Tray.OPEN, Tray.EMPTY, Tray.LOADED, Tray.UNKNOWN)] == [
        "media-needed", "media-needed", "", "",
    ]  # fmt: skip


def test_no_answer_of_the_drive_is_a_broken_drive(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"x")
    made = Xorriso(drive("/dev/sr93"), tmp_path, {})
    for found in (made.examine(), made.check(job(image, b"x"))):
        assert (found.fitness, found.detail) == (Fitness.BROKEN, "the drive /dev/sr93 can't be opened by xorriso")


def test_the_command_line_is_an_argument_list_without_formatting_of_used_media(tmp_path: Path) -> None:
    made = Xorriso(drive(f"stdio:{tmp_path}/{{serial}} $(x).img"), tmp_path, {})
    assert made.command(job(Path("/images/a"), b"x"))[1:] == (
        "-no_rc", "-as", "cdrecord", "-v", f"dev=stdio:{tmp_path}/AAA $(x).img", "fs=64m", "speed=16c", "/images/a",
    )  # fmt: skip
    assert "padsize=0" in made.command(job(Path("/images/a"), b"x", format="dvd"))
    assert "speed=4c" in made.command(job(Path("/images/a"), b"x", speed="4c"))
    real = Xorriso(drive("/dev/sr0", "CD-R", "CD-RW", "DVD+RW"), tmp_path, {})
    assert "blank=as_needed" not in real.command(job(Path("/i"), b"x"))
    assert "blank=as_needed" in real.command(job(Path("/i"), b"x", format="dvd"))
    folder = Xorriso(drive(f"stdio:{tmp_path}/{{serial}}", "CD-RW"), tmp_path, {})
    assert "blank=as_needed" not in folder.command(job(Path("/i"), b"x"))


def test_an_empty_or_cut_image_is_refused_before_a_blank_is_touched(tmp_path: Path) -> None:
    made = Xorriso(drive(f"stdio:{tmp_path}/discs/{{serial}}.img"), tmp_path, {})
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
        found = Xorriso(drive(f"stdio:{target}"), tmp_path, {}).check(job(image, b"x" * 10))
        assert found.fitness is Fitness.BROKEN


def test_no_room_is_known_before(tmp_path: Path) -> None:
    assert medium.fit_file(tmp_path / "new", free=10, needed=11).fitness is Fitness.BROKEN
    assert medium.fit_file(tmp_path / "new", free=11, needed=11).fitness is Fitness.READY


def test_an_image_may_fill_its_disc() -> None:
    """A CD has its run-out besides; the archive leaves room for that everywhere."""
    full_dvd, full_cd = 2_295_104 * SECTOR, (359_846 - 150) * SECTOR
    assert fit(media.BLANK_DVD_PLUS_R, "DVD+R", size=full_dvd, format_="dvd").fitness is Fitness.READY
    assert fit(media.BLANK_DVD_PLUS_R, "DVD+R", size=full_dvd + 1, format_="dvd").fitness is Fitness.WAIT
    assert fit(media.BLANK_CDR, "CD-R", size=full_cd).fitness is Fitness.READY
    assert fit(media.BLANK_CDR, "CD-R", size=full_cd + 1).fitness is Fitness.WAIT


def put_in_place(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name that comes before the real one."""
    program = folder / "xorriso"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_burner_that_gets_no_further_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "xorriso : UPDATE :    1 of    9 MB written (fifo  0%) [buf  50%]"
    put_in_place(tmp_path, f"echo '{said}'; exec sleep 60", monkeypatch)
    made = Xorriso(drive(f"stdio:{tmp_path}/{{serial}}.img"), tmp_path, {}, Limits(stall=0.3))
    burners: list[Burner] = []
    image = tmp_path / "image"
    image.write_bytes(image_of(100))
    result = made.write(job(image, image_of(100)), Watch(lambda _: None, burners.append, Event()))
    assert (result.state, result.blame) == (DiscState.BAD, Blame.DRIVE)
    assert "got no further" in str(result.reason)
    assert not Path(f"/proc/{burners[0].pid}").exists()  # of the minute it would sleep


def test_formatting_is_given_longer_than_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "xorriso : UPDATE : Formatting  ( 1.0% done in 42 seconds )"
    put_in_place(tmp_path, f"echo '{said}'; sleep 0.8; exec /usr/bin/xorriso \"$@\"", monkeypatch)
    made = Xorriso(drive(f"stdio:{tmp_path}/{{serial}}.img"), tmp_path, {}, Limits(stall=0.5))
    image = tmp_path / "image"
    image.write_bytes(image_of(100))
    assert made.write(job(image, image_of(100)), watch()).state is DiscState.GOOD


def watch() -> Watch:
    return Watch(lambda _: None, lambda _: None, Event())


def test_a_file_without_a_serial_is_one_disc_until_it_is_moved_away(tmp_path: Path) -> None:
    disc, image, data = tmp_path / "disc.img", tmp_path / "image", image_of(100_000)
    image.write_bytes(data)
    made = Xorriso(drive(f"stdio:{disc}"), tmp_path, {})
    assert made.check(job(image, data)).fitness is Fitness.READY
    assert made.write(job(image, data), watch()).verified is Verified.DIGEST
    found = made.check(job(image, data, serial="BBB"))
    assert (found.fitness, found.reason, found.detail) == (
        Fitness.WAIT, "media-used", "disc.img has something on it: move it away",
    )  # fmt: skip
    disc.rename(tmp_path / "taken-out")
    assert made.check(job(image, data, serial="BBB")).fitness is Fitness.READY


def test_a_used_rewritable_is_written_again_but_never_the_disc_of_a_moment_ago(tmp_path: Path) -> None:
    disc, image, data = tmp_path / "disc.img", tmp_path / "image", image_of(100_000)
    image.write_bytes(data)
    disc.write_bytes(image_of(500_000, seed=2))
    made = Xorriso(drive(f"stdio:{disc}", "DVD+RW", "DVD+R"), tmp_path, {})
    wanted = job(image, data, format="dvd")
    assert made.check(wanted).fitness is Fitness.READY
    assert made.write(wanted, watch()).verified is Verified.DIGEST
    # Nobody took it out; a restart has not forgotten it either.
    for driver in (made, Xorriso(drive(f"stdio:{disc}", "DVD+RW"), tmp_path, {})):
        found = driver.check(wanted)
        assert (found.fitness, found.reason) == (Fitness.WAIT, "media-used")
        assert "written last still lies in the drive" in found.detail
    disc.write_bytes(image_of(500_000, seed=2))
    assert made.check(wanted).fitness is Fitness.READY


def test_a_written_disc_is_copied_back_as_the_image_it_was(tmp_path: Path) -> None:
    image, disc, copy = tmp_path / "image.iso", tmp_path / "disc.img", tmp_path / "copy"
    (tmp_path / "song").write_bytes(image_of(50_000))
    made = ("xorriso", "-as", "mkisofs", "-quiet", "-V", "SONGS", "-o", str(image), str(tmp_path / "song"))
    subprocess.run(made, check=True, capture_output=True)
    data = image.read_bytes()
    Xorriso(drive(f"stdio:{disc}"), tmp_path, {}).write(job(image, data), watch())
    assert disc.stat().st_size > len(data)  # padded
    source = Xorriso(Drive("s1", Role.SOURCE, Feed.HAND, f"stdio:{disc}", (), None, None), tmp_path, {})
    assert source.read(copy, watch()).size == len(data)
    assert copy.read_bytes() == data
    disc.unlink()
    assert source.read(copy, watch()).reason == f"{disc} can't be read: No such file or directory"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (media.AUDIO_CD, "this is an audio disc, or an empty one; this driver reads data discs only"),
        (media.BLANK_CDR, "the CD-R in the drive is blank"),
        (media.NO_MEDIUM, "no disc lies in the drive, or none that can be recognised"),
        (media.NO_DRIVE, "no disc lies in the drive, or none that can be recognised"),
    ],
)
def test_a_disc_that_cannot_be_copied_is_told_with_its_reason(
    said: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "said").write_text(said)
    put_in_place(tmp_path, f"cat '{tmp_path}/said'", monkeypatch)
    source = Xorriso(Drive("s1", Role.SOURCE, Feed.HAND, "/dev/sr93", (), None, None), tmp_path, {})
    copied = source.read(tmp_path / "copy", watch())
    assert (copied.size, copied.reason) == (None, reason)


def test_a_data_disc_is_copied_to_the_end_of_its_last_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = "ISO session  :   1 ,         0 ,        20s , A\nISO session  :   2 ,        32 ,         8s , B\n"
    disc, data = tmp_path / "sr93", image_of(60 * SECTOR)
    disc.write_bytes(data)
    (tmp_path / "said").write_text(media.toc_of("DVD+R", 60, "is written , is closed", written=60) + sessions)
    put_in_place(tmp_path, f"cat '{tmp_path}/said'", monkeypatch)
    source = Xorriso(Drive("s1", Role.SOURCE, Feed.HAND, str(disc), (), None, None), tmp_path, {})
    assert source.read(tmp_path / "copy", watch()).size == 40 * SECTOR
    assert (tmp_path / "copy").read_bytes() == data[: 40 * SECTOR]


def test_a_question_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(tmp_path, f"echo $$ > '{tmp_path}/pid'; exec sleep 60", monkeypatch)
    made = Xorriso(drive("/dev/sr93"), tmp_path, {}, Limits(probe=0.3))
    assert made.examine().fitness is Fitness.BROKEN
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_the_driver_has_no_options(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"driver\.options\.speed: the driver xorriso knows no options"):
        Xorriso(drive("/dev/sr0"), tmp_path, {"speed": 4})
