"""A name in the storage is a whole file, or it isn't there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archive import storage
from archive.models import Image
from tests.archive.conftest import stored

SHA256 = hashlib.sha256(b"image").hexdigest()


def test_a_kept_draft_is_found_by_its_digest(images: Path) -> None:
    with storage.draft() as draft:
        draft.file.write(b"image")
        draft.file.flush()
        place = draft.keep(SHA256)

    assert place == storage.path_by_digest(SHA256) == images / SHA256[:2] / f"{SHA256}.iso"
    assert stored(images) == [place]
    assert place.stat().st_mode & 0o777 == 0o444
    with storage.open_image(SHA256) as file:
        assert file.read() == b"image"


def test_a_draft_that_is_not_kept_leaves_nothing(images: Path) -> None:
    with storage.draft() as draft:
        draft.file.write(b"half")

    assert stored(images) == []
    with pytest.raises(FileNotFoundError):
        storage.open_image(SHA256)


def test_the_same_image_kept_twice_is_one_file(images: Path) -> None:
    for _ in range(2):
        with storage.draft() as draft:
            draft.keep(SHA256)

    assert stored(images) == [storage.path_by_digest(SHA256)]


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_are_not(images: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; import storefront.settings as s;"
        "s.SPINDLE_IMAGES = Path(sys.argv[1]); s.INSTALLED_APPS[:] = ['archive']; import django; django.setup();"
        "from archive import storage; d = storage.draft(); d.__enter__(); os.kill(os.getpid(), 9)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "storefront.settings"}
    killed = subprocess.run([sys.executable, "-c", script, images], check=False, env=env, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    (left,) = stored(images)

    with storage.draft() as draft:
        assert stored(images) == [draft.path]
        assert draft.path != left
        assert storage.sweep() == 0


def test_an_image_that_is_not_made_has_no_path() -> None:
    with pytest.raises(ValueError, match="is waiting: it has no file yet"):
        storage.path_of(Image(state="waiting"))


def test_a_file_of_another_size_is_not_the_image() -> None:
    image = Image(sha256=SHA256, size=5, state="ready")
    assert not storage.has_image(image)

    for content, whole in ((b"imag", False), (b"image", True)):
        with storage.draft() as draft:
            draft.file.write(content)
            draft.file.flush()
            draft.keep(SHA256)
        assert storage.has_image(image) is whole
