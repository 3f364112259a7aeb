"""Finished images come in whole or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from archive.discimage import read_disc_image
from archive.errors import ArchiveError
from tests.archive.conftest import run


@pytest.fixture(params=["-J -R", "-J -R -udf", "-iso-level 4"])
def image(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Path:
    """Images as another program makes them."""
    target = tmp_path / "given.iso"
    run("genisoimage", "-quiet", *request.param.split(), "-V", "Given Disc", "-o", target, folder)
    return target


def test_images_of_other_programs_are_taken(image: Path) -> None:
    found = read_disc_image(image)

    assert (found.path, found.size, found.volume) == (image, image.stat().st_size, "Given Disc")


def test_an_image_that_is_cut_short_says_so(image: Path) -> None:
    os.truncate(image, image.stat().st_size // 2)

    with pytest.raises(ArchiveError, match="is cut short"):
        read_disc_image(image)


def test_a_udf_image_without_iso_9660_is_taken_and_checked(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "given.iso"
    run("genisoimage", "-quiet", "-udf", "-o", image, folder)
    with image.open("r+b") as file:  # take the ISO 9660 side away: its descriptors stand from sector 16 on
        for sector in range(16, 32):
            file.seek(sector * 2048 + 1)
            if file.read(5) == b"CD001":
                file.seek(sector * 2048)
                file.write(bytes(2048))

    assert read_disc_image(image).volume == ""
    os.truncate(image, image.stat().st_size // 2 // 2048 * 2048)
    with pytest.raises(ArchiveError, match="is cut short"):
        read_disc_image(image)


def test_a_sector_that_is_not_whole_is_refused(image: Path) -> None:
    with image.open("ab") as file:
        file.write(b"x")

    with pytest.raises(ArchiveError, match="not made of whole sectors"):
        read_disc_image(image)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"hello", "neither a folder nor a disc image"),
        (bytes(100_000), "neither a folder nor a disc image"),
        (os.urandom(100_000), "neither a folder nor a disc image"),
        (bytes(32768) + b"\1CD001" + b"\xff" * 2042, "is cut short"),
    ],
)
def test_what_is_no_disc_image_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "file.iso").write_bytes(content)

    with pytest.raises(ArchiveError, match=text) as refused:
        read_disc_image(tmp_path / "file.iso")

    assert refused.value.field == "source"
    assert str(tmp_path / "file.iso") in refused.value.text


def test_our_reading_needs_no_other_program(image: Path) -> None:
    listing = subprocess.run(["isoinfo", "-d", "-i", image], capture_output=True, check=True)

    assert b"Volume id: Given Disc" in listing.stdout
