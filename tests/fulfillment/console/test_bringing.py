"""An image that was read at a writer comes into the archive, whatever breaks on its way."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as spindle
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from archive import arrivals, leases, storage
from archive.models import Image, ImageState
from devices.intake import add_writer
from devices.models import Writer
from fulfillment.console import bringing, lifecycle
from fulfillment.models import Copy, ImageFetch
from tests.devices.agent.plant import await_true

pytestmark = pytest.mark.django_db

CONTENT = random.Random(5).randbytes(3_500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OCTETS = "application/octet-stream"
Fault = Callable[["Disk", "Handler", int], bool]


@dataclass
class Disk:
    """The disk of a writer: serves one image by Range. `faults` are played one after another, one for each call."""

    content: bytes = CONTENT
    faults: list[Fault] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    disk: Disk

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])
        assert found is not None
        first = int(found[1])
        self.disk.asked.append(first)
        if self.disk.faults and self.disk.faults.pop(0)(self.disk, self, first):
            return
        self.send(self.disk.content, first)

    def send(
        self, content: bytes, first: int, *, until: int | None = None, kind: str = "application/octet-stream"
    ) -> None:
        self.send_response(206)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first:until])

    def problem(self, status: int) -> None:
        body = b'{"type": "not-found", "title": "Not found"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The tests look at `asked`."""


def broken_off(at: int) -> Fault:
    def play(disk: Disk, handler: Handler, first: int) -> bool:
        handler.send(disk.content, first, until=at)
        handler.close_connection = True
        return True

    return play


def a_page_instead(disk: Disk, handler: Handler, first: int) -> bool:
    handler.send(b"<h1>Log in to the network</h1>" * 2, 0, kind="text/html")
    return True


def gone(disk: Disk, handler: Handler, first: int) -> bool:
    handler.problem(404)
    return True


def a_flipped_bit(disk: Disk, handler: Handler, first: int) -> bool:
    handler.send(b"\x00" + disk.content[1:], first)
    return True


@pytest.fixture(autouse=True)
def images(settings: Settings, tmp_path: Path) -> Path:
    settings.SPINDLE_IMAGES = tmp_path / "images"
    return tmp_path / "images"


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Handler,), {"disk": disk}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    new = add_writer(name="Writer 2", address=f"http://127.0.0.1:{server.server_port}", now=timezone.now())
    assert new.writer.pk
    yield disk
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch(disk: Disk) -> ImageFetch:
    now = timezone.now()
    writer = Writer.objects.get()
    Copy.objects.create(
        writer=writer, drives=["d1"], format="cd", copies=1, title="x", origin="drive", state="bringing",
        image_sha256=SHA256, image_size=len(CONTENT), layout="iso", source_writer=writer, asked_by="a", asked_at=now,
    )  # fmt: skip
    return ImageFetch.objects.create(
        writer=writer, sha256=SHA256, size=len(CONTENT), layout="iso", next_try_at=now, created_at=now
    )


def again(fetch: ImageFetch) -> int:
    """The pause after a failure is over."""
    ImageFetch.objects.update(next_try_at=timezone.now())
    whole = bringing.bring_waiting()
    fetch.refresh_from_db()
    return whole


def test_it_comes_whole_and_becomes_an_image(fetch: ImageFetch, images: Path) -> None:
    assert again(fetch) == 1
    image = Image.objects.get()
    assert (image.sha256, image.size, image.state, image.layout) == (SHA256, len(CONTENT), ImageState.READY, "iso")
    assert storage.path_of(image).read_bytes() == CONTENT
    assert (fetch.state, fetch.received) == ("ready", len(CONTENT))
    assert [path for path in images.rglob("*") if path.is_file()] == [storage.path_of(image)]
    assert again(fetch) == 0


def test_after_a_break_it_goes_on_where_it_was(disk: Disk, fetch: ImageFetch) -> None:
    disk.faults = [broken_off(2_000_000)]
    assert again(fetch) == 0
    assert (fetch.state, 0 < fetch.received <= 2_000_000, fetch.failures) == ("waiting", True, 1)
    assert "It is tried again." in fetch.reason
    assert again(fetch) == 1
    assert disk.asked == [0, disk.asked[1]]
    assert 0 < disk.asked[1] <= 2_000_000
    assert storage.path_by_digest(SHA256).read_bytes() == CONTENT


def test_pauses_grow_while_nothing_comes(disk: Disk, fetch: ImageFetch) -> None:
    disk.faults = [a_page_instead] * 3
    pauses = []
    for _ in range(3):
        again(fetch)
        pauses.append(round((fetch.next_try_at - timezone.now()).total_seconds()))
    assert pauses == [5, 10, 20]
    assert "text/html" in fetch.reason
    assert again(fetch) == 1


def test_an_agent_that_is_away_is_waited_for(fetch: ImageFetch) -> None:
    address = fetch.writer.address
    Writer.objects.update(address="http://127.0.0.1:9")
    assert again(fetch) == 0
    assert (fetch.state, "Nothing listens there" in fetch.reason) == ("waiting", True)
    Writer.objects.update(address=address)
    assert again(fetch) == 1


def test_an_image_that_is_gone_there_ends_it(disk: Disk, fetch: ImageFetch) -> None:
    disk.faults = [gone]
    assert again(fetch) == 0
    assert (fetch.state, fetch.reason) == ("failed", "It is no longer on the disk of Writer 2. Read the disc again.")


def test_other_bytes_are_never_kept(disk: Disk, fetch: ImageFetch, images: Path) -> None:
    disk.faults = [a_flipped_bit]
    assert again(fetch) == 0
    assert (fetch.state, "other bytes than its digest says" in fetch.reason) == ("failed", True)
    assert not Image.objects.exists()
    assert [path for path in images.rglob("*") if path.is_file()] == []


def test_more_bytes_than_were_read_are_not_taken(disk: Disk, fetch: ImageFetch) -> None:
    disk.content += b"more"
    assert again(fetch) == 0
    assert fetch.state == "failed"


def test_without_room_it_waits(fetch: ImageFetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(arrivals, "free_bytes", lambda: 1000)
        assert again(fetch) == 0
    assert (fetch.state, "only 1.0 kB are free" in fetch.reason) == ("waiting", True)
    assert again(fetch) == 1


def test_who_lost_the_lease_stops_and_leaves_the_row_alone(
    disk: Disk, fetch: ImageFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wants it any more: whoever brings it notices with the next renewal."""
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    noticed = threading.Event()

    def refused(*unused: Any) -> bool:
        noticed.set()
        return False

    def dropped(disk: Disk, handler: Handler, first: int) -> bool:
        handler.send(disk.content, first, until=2_000_000)
        assert noticed.wait(10)
        handler.wfile.write(disk.content[2_000_000:])
        return True

    monkeypatch.setattr(lifecycle, "renew_fetch", refused)
    disk.faults = [dropped]
    assert again(fetch) == 0
    assert fetch.state == "fetching", "the row is the other's"
    assert not Image.objects.exists()


def test_a_killed_holder_is_followed_when_its_lease_ends_and_the_third_is_the_last(fetch: ImageFetch) -> None:
    now = timezone.now()
    for tries in range(1, lifecycle.TRIES + 1):
        assert lifecycle.claim_fetch(fetch, f"killed-{tries}", now)
        assert not lifecycle.claim_fetch(fetch, "early", now)
        now += lifecycle.LEASE + timedelta(seconds=1)
    assert not lifecycle.claim_fetch(fetch, "another", now)
    fetch.refresh_from_db()
    assert (fetch.state, fetch.reason) == ("failed", lifecycle.ENDED_ITS_PROCESS)


def test_what_came_of_images_that_nobody_wants_is_removed(fetch: ImageFetch, disk: Disk, images: Path) -> None:
    disk.faults = [broken_off(2_000_000)]
    again(fetch)
    assert (images / "arriving" / f"{SHA256}.part").exists()
    assert lifecycle.drop_fetch(fetch)
    bringing.bring_waiting()
    assert not (images / "arriving" / f"{SHA256}.part").exists()


def test_the_same_disc_uploaded_and_read_is_one_image(fetch: ImageFetch) -> None:
    """By its bytes: the recipe of a disc image is the same whichever way it came."""
    again(fetch)
    image = Image.objects.get()
    with arrivals.arriving(SHA256) as arrival:
        assert arrival is not None
        arrival.resume(lambda *unused: None)
        arrival.take(CONTENT)
        assert arrival.keep(len(CONTENT), "iso", "elsewhere", timezone.now()) == image


@pytest.mark.django_db(transaction=True)
def test_after_a_kill_half_way_it_goes_on_where_it_was(disk: Disk, fetch: ImageFetch, tmp_path: Path) -> None:
    half, go_on = threading.Event(), threading.Event()

    def held(disk: Disk, handler: Handler, first: int) -> bool:
        handler.send(disk.content, first, until=2_500_000)
        half.set()
        assert go_on.wait(60)
        return True

    disk.faults = [held]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fulfillment.console.bring_process"],
        cwd=spindle.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "storefront.settings",
            "SPINDLE_TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "SPINDLE_TEST_IMAGES": str(spindle.SPINDLE_IMAGES),
        },
    )
    try:
        assert half.wait(60)
        part = Path(spindle.SPINDLE_IMAGES) / "arriving" / f"{SHA256}.part"
        await_true(lambda: part.exists() and part.stat().st_size >= 2_000_000)
    finally:
        process.kill()
        process.wait()
        go_on.set()
    assert again(fetch) == 0, "its lease still holds"
    ImageFetch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert again(fetch) == 1
    assert disk.asked[0] == 0
    assert disk.asked[1] >= 2_000_000
    assert storage.path_by_digest(SHA256).read_bytes() == CONTENT
