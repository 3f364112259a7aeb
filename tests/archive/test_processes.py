"""Real processes: one is killed half-way, two come at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from archive import leases, lifecycle, making, storage
from archive.models import Image, Title, TitleVersion
from tests.archive.add_process import NORMAL, STALLING
from tests.archive.conftest import contents, extract_with_xorriso, fill, stored

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.fixture
def big_folder(tmp_path: Path) -> Path:
    """Several megabytes, so that there is a middle to be killed in."""
    return fill(tmp_path / "big", {f"{number}.bin": os.urandom(1_000_000) for number in range(8)})


def start(images: Path, maker: str, source: Path, mark: Path) -> subprocess.Popen[bytes]:
    database = str(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.archive.add_process", database, images, maker, source, mark],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "storefront.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def killed_half_way(images: Path, source: Path, mark: Path) -> None:
    with start(images, STALLING, source, mark) as process:
        end = time.monotonic() + 60
        while not mark.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()


def test_a_killed_process_leaves_nothing_that_can_be_seen(images: Path, big_folder: Path, tmp_path: Path) -> None:
    killed_half_way(images, big_folder, tmp_path / "mark")

    (left,) = stored(images)
    assert left.suffix == ".part"
    assert left.stat().st_size > 0
    assert Title.objects.count() == TitleVersion.objects.count() == Image.objects.count() == 0

    making.make_waiting()  # the tick sweeps

    assert stored(images) == []


def test_running_it_again_after_a_kill_finishes(images: Path, big_folder: Path, tmp_path: Path) -> None:
    killed_half_way(images, big_folder, tmp_path / "mark")

    with start(images, NORMAL, big_folder, tmp_path / "mark") as process:
        output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    image = Image.objects.get()
    assert output.decode().split() == ["1", image.sha256]
    assert stored(images) == [storage.path_of(image)]
    assert contents(extract_with_xorriso(storage.path_of(image), tmp_path / "out")) == contents(big_folder)


def test_two_processes_that_add_the_same_at_once_make_one_version(
    images: Path, big_folder: Path, tmp_path: Path
) -> None:
    processes = [start(images, NORMAL, big_folder, tmp_path / "mark") for _ in range(2)]
    outputs = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        outputs.append(output)

    image = Image.objects.get()
    assert outputs == [f"1 {image.sha256}\n".encode()] * 2
    assert TitleVersion.objects.get().image == image
    assert stored(images) == [storage.path_of(image)]


def test_a_stopped_holder_is_not_overtaken_before_his_lease_ends() -> None:
    assert timedelta(seconds=leases.RENEWAL_SECONDS * 3) < lifecycle.LEASE
