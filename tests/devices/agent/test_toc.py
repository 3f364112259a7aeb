"""What lies in a drive, read from what xorriso says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.formats import KIND_SECTORS
from archive.formats import RUN_OUT as ARCHIVE_RUN_OUT
from devices.agent.drivers.kinds import RUN_OUT, SECTORS
from devices.agent.drivers.toc import PROFILES, is_toc, kind_of, read_toc
from devices.agent.wire import FORMAT_OF
from tests.devices.agent import media


@pytest.mark.parametrize(
    ("said", "kind", "is_blank", "sectors"),
    [
        (media.BLANK_CDR, "CD-R", True, 359_846),
        (media.BLANK_CDRW, "CD-RW", True, 359_847),
        (media.USED_CDRW, "CD-RW", False, 359_844),
        (media.BLANK_DVD_PLUS_R, "DVD+R", True, 2_295_104),
        (media.APPENDABLE_DVD_PLUS_R, "DVD+R", False, 2_295_104),
        (media.BROKEN_DVD_PLUS_R, None, False, 0),
        (media.APPENDABLE_DVD_RW, "DVD-RW", False, 2_298_496),
        (media.CLOSED_DVD, None, False, 1_079_787),
    ],
)
def test_what_was_recorded_is_read(said: str, kind: str | None, is_blank: bool, sectors: int) -> None:
    medium = read_toc(said)
    assert medium is not None
    assert (medium.kind, medium.is_blank, medium.sectors) == (kind, is_blank, sectors)


@pytest.mark.parametrize("said", [media.NO_MEDIUM, media.UNRECOGNIZABLE])
def test_an_empty_drive_is_a_drive_without_a_medium(said: str) -> None:
    assert is_toc(said)
    assert read_toc(said) is None


def test_a_drive_that_cannot_be_opened_has_no_toc() -> None:
    assert not is_toc(media.NO_DRIVE)


# Libburn's name of the profile, and how many sectors such a blank reports.
EVERY_KIND = {
    "CD-R": ("CD-R", 359_849),
    "CD-RW": ("CD-RW", 359_847),
    "CD-R mini": ("CD-R", 94_500),
    "CD-RW mini": ("CD-RW", 94_500),
    "DVD-R": ("DVD-R sequential recording", 2_298_496),
    "DVD+R": ("DVD+R", 2_295_104),
    "DVD-RW": ("DVD-RW sequential recording", 2_298_496),
    "DVD+RW": ("DVD+RW", 2_295_104),
    "DVD-RAM": ("DVD-RAM", 2_236_704),
    "DVD-R mini": ("DVD-R sequential recording", 714_544),
    "DVD+R mini": ("DVD+R", 714_544),
    "DVD-RW mini": ("DVD-RW restricted overwrite", 714_544),
    "DVD+RW mini": ("DVD+RW", 714_544),
    "DVD+R DL": ("DVD+R/DL", 4_173_824),
    "DVD-R DL": ("DVD-R/DL sequential recording", 4_171_712),
    "BD-R": ("BD-R sequential recording", 12_219_392),
    "BD-RE": ("BD-RE", 11_826_176),
    "BD-R DL": ("BD-R sequential recording", 24_438_784),
    "BD-RE DL": ("BD-RE", 23_652_352),
}


def test_every_kind_is_recognised() -> None:
    assert set(EVERY_KIND) == set(FORMAT_OF)
    for kind, (profile, sectors) in EVERY_KIND.items():
        medium = read_toc(media.toc_of(profile, sectors))
        assert medium is not None
        assert (medium.kind, medium.sectors, medium.is_blank) == (kind, sectors, True)


@pytest.mark.parametrize(
    ("profile", "sectors", "kind"),
    [
        ("DVD-RW restricted overwrite", 2_297_856, "DVD-RW"),
        ("DVD-R/DL layer jump recording", 4_171_712, "DVD-R DL"),
        ("BD-R random recording", 11_826_176, "BD-R"),
        ("CD-R", 333_000, "CD-R"),
        ("CD-R", 445_500, "CD-R"),
        ("CD-R", 0, None),
        ("DVD-RAM", 714_480, None),
        ("BD-R sequential recording", 48_878_592, None),
        ("DVD+RW/DL", 4_173_824, None),
        ("CD-ROM", 359_844, None),
        ("DVD-ROM", 2_295_104, None),
    ],
)
def test_other_sizes_and_profiles(profile: str, sectors: int, kind: str | None) -> None:
    assert kind_of(profile, sectors) == kind


@pytest.mark.parametrize(
    ("status", "is_damaged"),
    [
        ("is blank , but will need -close on", False),
        ("is blank , but next track is damaged", True),
        ("is blank , but no writable address", True),
    ],
)
def test_a_blank_with_a_but(status: str, is_damaged: bool) -> None:
    medium = read_toc(media.toc_of("DVD-RW sequential recording", 2_298_496, status))
    assert medium is not None
    assert (medium.is_blank, medium.is_damaged) == (True, is_damaged)


@pytest.mark.parametrize(
    ("said", "readable", "has_data"),
    [
        (media.USED_CDRW, 157_004, True),  # the volume, without the two sectors of run-out
        (media.APPENDABLE_DVD_RW, 131_591, True),
        (media.TWO_SESSIONS, 52_816, True),  # to the end of the last session
        (media.AUDIO_CD, 268_313, False),
    ],
)
def test_how_much_is_to_be_read(said: str, readable: int, has_data: bool) -> None:
    medium = read_toc(said)
    assert medium is not None
    assert (medium.readable, medium.has_data) == (readable, has_data)


@given(st.text())
def test_whatever_is_said_is_read_without_a_fault(text: str) -> None:
    is_toc(text)
    read_toc(text)


def test_the_names_are_those_of_the_libburn_that_is_installed() -> None:
    said = subprocess.run(["ldd", "/usr/bin/xorriso"], capture_output=True, text=True, check=True).stdout
    library = next(line.split()[2] for line in said.splitlines() if "libburn.so" in line)
    text = Path(library).read_bytes()
    assert [name for name in PROFILES if name.encode() + b"\0" not in text] == []


def test_capacities_agree_with_the_archive_s() -> None:
    assert (SECTORS, RUN_OUT) == (KIND_SECTORS, ARCHIVE_RUN_OUT)
