"""The real agent in its own process, with xorriso on pseudo-drives, against the real doors."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from devices import dispatch
from devices.intake import ImageRef, cancel_write, queue_write
from devices.models import BlankBin, Disc, Write, Writer
from tests.devices.flow_urls import FILES

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.devices.flow_urls"),
    pytest.mark.timeout(120),
]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, live_server: Any, settings: Any) -> Path:
    """A folder with the agent.toml that `writer add` prints."""
    settings.SPINDLE_BASE_URL = live_server.url
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    out = StringIO()
    address = f"http://127.0.0.1:{port}"
    call_command("writer", "add", "Writer 1", "--address", address, "--blanks", "10", stdout=out, stderr=StringIO())
    (tmp_path / "agent.toml").write_text(out.getvalue())
    return tmp_path


@pytest.fixture
def agent(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "devices.agent", "--config", str(folder / "agent.toml")],
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    try:
        _await_port(process, folder)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until it listens: a visit before that is a failed one, and the next comes five seconds later."""
    host, port = Writer.objects.get().address.removeprefix("http://").split(":")
    ends = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            dead = process.poll() is not None or time.monotonic() > ends
            assert not dead, (folder / "agent.log").read_text()[-4000:]
            time.sleep(0.05)
        else:
            return


def until(condition: Callable[[], bool], folder: Path, seconds: float = 60) -> None:
    """Visits the agent, as the tick does, until the condition holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, (folder / "agent.log").read_text()[-4000:]
        for writer in Writer.objects.all():
            dispatch.attend(writer.pk, timezone.now())
        time.sleep(0.1)  # between two looks at a condition


def image_of(sectors: int) -> tuple[bytes, ImageRef]:
    content = random.Random(7).randbytes(2048 * sectors)
    sha256 = hashlib.sha256(content).hexdigest()
    FILES[sha256] = content
    return content, ImageRef(sha256, len(content), "iso")


def queue(image: ImageRef, copies: int) -> Write:
    return queue_write(
        uuid=uuid4(),
        writer=Writer.objects.get(),
        image=image,
        format="cd",
        title="Nine songs",
        copies=copies,
        actor="tick",
        now=timezone.now(),
    )


@pytest.mark.usefixtures("agent")
def test_queued_write_becomes_verified_discs(folder: Path) -> None:
    until(lambda: Writer.objects.get().state == "idle", folder)
    content, image = image_of(300)
    write = queue(image, 3)
    until(lambda: Write.objects.get().state == "done", folder)

    discs = list(write.discs.all())
    assert [(disc.state, disc.verified) for disc in discs] == [("good", "digest")] * 3
    for disc in discs:
        assert disc.drive in {"d1", "d2"}
        written = (folder / "discs" / f"{disc.serial}.img").read_bytes()
        assert written[: len(content)] == content
    bins = BlankBin.objects.filter(format="cd")
    until(lambda: sum(bin_.remaining for bin_ in bins.all()) == 17, folder)
    assert sum(bin_.started for bin_ in bins) == sum(bin_.good for bin_ in bins) == 3
    assert Writer.objects.get().reasons == []


@pytest.mark.usefixtures("agent")
def test_wrong_image_is_never_written(folder: Path) -> None:
    until(lambda: Writer.objects.get().state == "idle", folder)
    _, image = image_of(20)
    FILES[image.sha256] = b"x" * image.size
    queue(image, 1)
    until(lambda: Write.objects.get().reason.startswith("image-failed"), folder)
    assert not any((folder / "discs").glob("*"))
    write = Write.objects.get()
    assert cancel_write(write, "user:1 Anna", timezone.now())
    assert Disc.objects.get().state == "cancelled"
