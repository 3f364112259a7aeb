"""Uploads become images: as they are, or mastered; killed half-way, or refused with a reason."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings as spindle
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from archive import lifecycle as images
from archive import storage
from archive.models import Image, Upload
from archive.uploads import lifecycle, making, staging
from tests.archive.conftest import contents, extract_with_xorriso, run
from tests.archive.uploads.conftest import begin, sent_whole

pytestmark = pytest.mark.django_db

FILES = {"a.txt": b"read me\n", "music/one.wav": b"x" * 3000, "empty": b""}


def made(upload: Upload) -> Upload:
    making.make_waiting()
    upload.refresh_from_db()
    return upload


@pytest.fixture
def iso(tmp_path: Path) -> bytes:
    """A real one, by another maker than ours."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(random.Random(1).randbytes(100_000))
    run("genisoimage", "-quiet", "-V", "ELSEWHERE", "-o", tmp_path / "x.iso", source)
    return (tmp_path / "x.iso").read_bytes()


def test_a_folder_becomes_an_image_with_just_its_files(tmp_path: Path, folders: Path) -> None:
    upload = made(sent_whole(FILES, now=timezone.now()))
    assert upload.state == "ready"
    assert upload.image is not None
    assert (upload.image.state, upload.made) == ("ready", upload.image.size)
    assert contents(extract_with_xorriso(storage.path_of(upload.image), tmp_path / "out")) == FILES
    assert list(folders.iterdir()) == []
    assert not upload.files.exists()


def test_the_same_folder_sent_twice_is_one_image() -> None:
    first = made(sent_whole(FILES, now=timezone.now()))
    second = made(sent_whole(FILES, now=timezone.now() + timedelta(minutes=3)))
    assert first.pk != second.pk
    assert first.image == second.image


@pytest.mark.parametrize("name", ["x.iso", "x.img"])
def test_a_disc_image_is_taken_as_it_is(iso: bytes, name: str) -> None:
    upload = made(sent_whole({name: iso}, now=timezone.now()))
    assert upload.image is not None
    assert storage.path_of(upload.image).read_bytes() == iso


def test_a_file_that_is_no_image_is_mastered(tmp_path: Path) -> None:
    upload = made(sent_whole({"letter.txt": b"Dear"}, now=timezone.now()))
    assert upload.image is not None
    assert contents(extract_with_xorriso(storage.path_of(upload.image), tmp_path / "out")) == {"letter.txt": b"Dear"}


def test_a_broken_disc_image_fails_with_a_reason_that_names_it_as_its_owner_does(iso: bytes, folders: Path) -> None:
    for content, text in (
        (iso[:60_000], "x.iso is cut short"),
        (b"none" * 5000, "x.iso is neither a folder nor a disc image (ISO 9660 or UDF)."),
    ):
        upload = made(sent_whole({"x.iso": content}, now=timezone.now()))
        assert upload.state == "failed"
        assert upload.reason.startswith(text)
        assert (folders / str(upload.pk) / "x.iso").exists(), "for another try"
    assert not Image.objects.exists()


def test_without_room_it_fails_and_can_be_tried_again_when_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = sent_whole(FILES, now=timezone.now())
    with monkeypatch.context() as full:
        full.setattr(storage, "free_bytes", lambda: 1000)
        assert "make room first" in made(upload).reason
    assert lifecycle.retry(upload, timezone.now())
    assert made(upload).state == "ready"


def test_one_that_can_not_be_made_stops_no_other(settings: Settings) -> None:
    first = sent_whole({"a": b"x"}, "First", now=timezone.now())
    settings.SPINDLE_IMAGE_MAKER = f"{__name__}.broken"
    assert made(first).reason == "RuntimeError: the maker is broken"
    settings.SPINDLE_IMAGE_MAKER = "archive.mastering.master_folder"
    assert made(sent_whole({"a": b"x"}, "Second", now=timezone.now())).state == "ready"


def broken(*unused: object) -> object:
    raise RuntimeError("the maker is broken")


def test_a_run_that_is_out_of_time_leaves_it_for_the_next_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent_whole(FILES, now=timezone.now())
    settings.SPINDLE_IMAGE_MAKER = f"{__name__}.out_of_time"
    for tries in range(1, images.TRIES + 1):
        with pytest.raises(SoftTimeLimitExceeded):
            making.make_waiting()
        upload.refresh_from_db()
        assert (upload.state, upload.tries) == ("waiting", tries)
    assert made(upload).reason == lifecycle.ENDED_ITS_PROCESS


def out_of_time(*unused: object) -> object:
    raise SoftTimeLimitExceeded


def test_one_that_is_given_up_while_it_is_made_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, folders: Path) -> None:
    upload = sent_whole(FILES, now=timezone.now())
    image_of = making._image_of

    def given_up(*args: object) -> Image:
        image = image_of(*args)  # type: ignore[arg-type]
        assert lifecycle.give_up(upload, "No more.", timezone.now())
        return image

    monkeypatch.setattr(making, "_image_of", given_up)
    assert made(upload).state == "given-up"
    making.make_waiting()
    assert list(folders.iterdir()) == []


def test_an_empty_file_that_a_kill_kept_from_being_made_is_in_the_image_all_the_same(
    tmp_path: Path, folders: Path
) -> None:
    upload = sent_whole(FILES, now=timezone.now())
    (folders / str(upload.pk) / "empty").unlink()
    image = made(upload).image
    assert image is not None
    assert contents(extract_with_xorriso(storage.path_of(image), tmp_path / "out")) == FILES


@pytest.mark.parametrize("left", [None, b"", b"read", b"read me\nread me\n"])
def test_a_file_that_lies_here_otherwise_than_it_was_announced_fails_it_by_name(
    folders: Path, left: bytes | None
) -> None:
    upload = sent_whole(FILES, now=timezone.now())
    file = folders / str(upload.pk) / "a.txt"
    file.unlink() if left is None else file.write_bytes(left)
    assert made(upload).state == "failed"
    assert upload.reason == f"a.txt has {len(left or b'')} bytes here, not 8. Give it up, and send its files again."
    assert not Image.objects.exists()


def test_an_unfinished_upload_is_not_made() -> None:
    assert made(begin(FILES, now=timezone.now())).state == "receiving"


@pytest.mark.django_db(transaction=True)
def test_a_kill_half_way_costs_nothing(tmp_path: Path, folders: Path) -> None:
    files = {f"{number}.bin": os.urandom(1_000_000) for number in range(8)}
    upload = sent_whole(files, now=timezone.now())
    mark = tmp_path / "mark"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archive.uploads.make_process", str(mark)],
        cwd=spindle.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "storefront.settings",
            "SPINDLE_TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "SPINDLE_TEST_IMAGES": str(spindle.SPINDLE_IMAGES),
            "SPINDLE_TEST_UPLOADS": str(spindle.SPINDLE_UPLOADS),
        },
    )
    end = time.monotonic() + 60
    while not mark.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    upload.refresh_from_db()
    assert upload.state == "making"
    assert made(upload).state == "making", "its lease still holds"
    Upload.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert made(upload).state == "ready"
    assert upload.image is not None
    assert contents(extract_with_xorriso(storage.path_of(upload.image), tmp_path / "out")) == files
    assert not staging.folder_of(upload).exists()
