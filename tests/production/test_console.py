"""The copy console in the production set: uploads larger than a form, and copies at a writer beside the server, at one
across a network, and from the one to the other."""

from __future__ import annotations

import base64
import html
import json
import os
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.archive.conftest import run
from tests.production.compose import command
from tests.production.stack import HOST, Answer, Stack, free_port, running_stack, wait
from tests.servers.network import OtherHost, other_host

pytestmark = pytest.mark.timeout(300)

SIGN_IN = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
anna = User.objects.create_superuser("anna", "anna@example.com", "disc-disc-disc")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session.update({SESSION_KEY: str(anna.pk), HASH_SESSION_KEY: anna.get_session_auth_hash(),
                BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend"})
session.save()
print("session", session.session_key)
"""
TOKEN = "a" * 32


@pytest.fixture(scope="module")
def host() -> Iterator[OtherHost | None]:
    """A machine of its own behind a cable; only root can make one."""
    if os.geteuid() != 0:
        yield None
        return
    with other_host() as made:
        yield made


@pytest.fixture(scope="module")
def stack(host: OtherHost | None) -> Iterator[Stack]:
    here = host.here if host else "127.0.0.1"
    networks = f"127.0.0.0/8,{host.there}/32" if host else "127.0.0.0/8"
    with running_stack(agent_networks=networks, also_called=here, plant_host=here) as stack:
        yield stack


@pytest.fixture(scope="module")
def workers(stack: Stack) -> None:
    for name in ("worker", "mastering", "beat"):
        stack.start(name, command(name), stack.env(name))


@pytest.fixture(scope="module")
def session(stack: Stack) -> str:
    said = stack.run("python", "manage.py", "shell", "-c", SIGN_IN).stdout
    return said.rpartition("session ")[2].strip()


def ask(
    stack: Stack, session: str, method: str, path: str, body: bytes | None = None, token: str = TOKEN, **headers: Any
) -> Answer:
    cookie = f"__Host-session={session}; __Host-csrf={TOKEN}"
    told = {"Cookie": cookie, "X-CSRFToken": token, "Origin": f"https://{HOST}", "Tus-Resumable": "1.0.0"}
    return stack.send(method, path, body, told | {name: str(value) for name, value in headers.items()})


def create(stack: Stack, session: str, size: int, name: str = "film.bin") -> str:
    named = f"filename {base64.b64encode(name.encode()).decode()}"
    made = ask(stack, session, "POST", "/plant/uploads/", Upload_Length=size, Upload_Metadata=named)
    assert made.status == 201, made.body
    return made.headers["Location"]


def test_a_piece_larger_than_a_form_goes_through_and_lies_in_the_folder_of_uploads(stack: Stack, session: str) -> None:
    content = random.Random(1).randbytes(9_000_000)
    url = create(stack, session, len(content))
    octets = {"Content_Type": "application/offset+octet-stream"}
    half = ask(stack, session, "PATCH", url, content[:5_000_000], Upload_Offset=0, **octets)
    assert (half.status, half.headers["Upload-Offset"]) == (204, "5000000")
    assert ask(stack, session, "HEAD", url).headers["Upload-Offset"] == "5000000"
    whole = ask(stack, session, "PATCH", url, content[5_000_000:], Upload_Offset=5_000_000, **octets)
    assert whole.headers["Upload-Offset"] == str(len(content))
    (path,) = (stack.folder / "data" / "uploads").rglob("film.bin")
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o077 == 0


def test_a_piece_larger_than_any_is_refused_by_nginx(stack: Stack, session: str) -> None:
    url = create(stack, session, 1000)
    answer = ask(stack, session, "PATCH", url, Content_Length=65 << 20, Upload_Offset=0)
    assert answer.status == 413


def test_nobody_sends_without_a_session_or_the_token_of_a_form(stack: Stack, session: str) -> None:
    stranger = ask(stack, "none", "POST", "/plant/uploads/", Upload_Length=10)
    assert (stranger.status, b"Log in again" in stranger.body) == (403, True)
    forged = ask(stack, session, "POST", "/plant/uploads/", token="b" * 32, Upload_Length=10)
    assert forged.status == 403


# --- Copies, here and across a network -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """A real agent with one copier and one source drive, in whose tray lies what is in `tray`."""

    stack: Stack
    folder: Path
    uuid: str

    @property
    def tray(self) -> Path:
        return self.folder / "tray.iso"

    def discs(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.folder / "discs").glob("*.img"))]


def unit(stack: Stack, name: str, host: OtherHost | None) -> Unit:
    """Added as an operator does it, and started: over there, or on the server's own machine."""
    port = free_port()
    address = f"http://{host.there if host else '127.0.0.1'}:{port}"
    added = ["writer", "add", name, "--address", address, "--server", f"http://{stack.plant_host}:{stack.plant}"]
    toml = stack.run("python", "manage.py", *added, "--kinds", "CD-R", "--blanks", "10").stdout
    uuid = re.search('^id = "([0-9a-f-]+)"$', toml, re.MULTILINE)
    assert uuid is not None
    made = Unit(stack, stack.folder / name, uuid[1])
    made.folder.mkdir()
    source = f'\n[[driver.drives]]\nid = "s1"\nrole = "source"\ndevice = "stdio:{made.tray}"\n'
    (made.folder / "agent.toml").write_text(toml.replace("[server]", "advertise = false\n[server]", 1) + source)
    arguments = [sys.executable, "-m", "devices.agent", "--config", str(made.folder / "agent.toml")]
    stack.start(name, host.command(*arguments) if host else arguments, stack.env("agent"))
    return made


def iso_of(folder: Path, size: int) -> bytes:
    source = folder / "source"
    source.mkdir()
    (source / "beach.bin").write_bytes(random.Random(size).randbytes(size))
    run("genisoimage", "-quiet", "-V", "HOLIDAY", "-o", folder / "holiday.iso", source)
    return (folder / "holiday.iso").read_bytes()


@pytest.mark.needs_root
@pytest.mark.usefixtures("workers")
def test_an_iso_goes_from_a_browser_to_verified_discs_here_and_across_a_network(
    stack: Stack, session: str, host: OtherHost, tmp_path: Path
) -> None:
    iso = iso_of(tmp_path, 5_000_000)
    near, far = unit(stack, "Near", None), unit(stack, "Far", host)
    far.tray.write_bytes(iso[::-1][: 2048 * 700])
    upload(stack, session, iso, "holiday.iso")
    what = until_offered(stack, session, near, "upload:", "holiday.iso")
    copies = [start(stack, session, each, what) for each in (near, far)]
    for copy in copies:
        until_done(stack, session, copy)
    assert [disc[: len(iso)] for each in (near, far) for disc in each.discs()] == [iso, iso]

    # And the disc in a drive over there, to one here: read, brought over the cable, and written.
    until_done(stack, session, start(stack, session, near, f"drive:{far.uuid}/s1"))
    written = [disc[: far.tray.stat().st_size] for disc in near.discs()]
    assert far.tray.read_bytes() in written
    for name in ("web", "worker", "mastering", "Near", "Far"):
        assert "Traceback" not in stack.log(name), stack.log(name)[-3000:]


@pytest.mark.needs_root
@pytest.mark.slow
@pytest.mark.usefixtures("workers")
def test_a_cable_pulled_out_in_mid_transfer_delays_a_copy_and_no_more(
    stack: Stack, session: str, host: OtherHost, tmp_path: Path
) -> None:
    iso = iso_of(tmp_path, 60_000_000)
    far = unit(stack, "Cable", host)
    upload(stack, session, iso, "cable.iso")
    host.limit("100mbit")  # five seconds
    copy = start(stack, session, far, until_offered(stack, session, far, "upload:", "cable.iso"))
    wait(lambda: any(part.stat().st_size > 10_000_000 for part in far.folder.rglob("*.part")), "a part of the image")
    host.cut()
    wait(lambda: "the connection broke after" in stack.log("Cable"), "the agent to notice")
    host.mend()
    until_done(stack, session, copy)
    assert [disc[: len(iso)] for disc in far.discs()] == [iso]
    asked = [json.loads(line) for line in (stack.folder / "access.log").read_text().splitlines()]
    assert 206 in {line["status"] for line in asked if line["client"] == host.there}, "what had come was sent again"


def upload(stack: Stack, session: str, content: bytes, name: str) -> None:
    url = create(stack, session, len(content), name)
    octets = {"Content_Type": "application/offset+octet-stream"}
    assert ask(stack, session, "PATCH", url, content, Upload_Offset=0, **octets).status == 204


def page(stack: Stack, session: str, path: str) -> str:
    answer = ask(stack, session, "GET", f"/plant/console/{path}")
    assert answer.status == 200, answer.body[-2000:]
    return html.unescape(answer.body.decode())


def until_offered(stack: Stack, session: str, unit: Unit, kind: str, name: str) -> str:
    """The value of the choice of this kind and name, once it is there: other tests have sent files, too."""
    found: list[str] = []

    def look() -> bool:
        choices = page(stack, session, f"?unit={unit.uuid}").split('name="from" value="')[1:]
        found[:] = [choice.partition('"')[0] for choice in choices if choice.startswith(kind) and name in choice]
        return bool(found)

    wait(look, f"{kind} among the choices")
    return found[0]


def start(stack: Stack, session: str, unit: Unit, what: str) -> str:
    """By the console's own form; the address of the copy."""
    wait(
        lambda: 'value="d1"' in page(stack, session, f"?unit={unit.uuid}&from={what}"),
        f"{unit.folder.name} to be ready",
    )
    body = page(stack, session, f"?unit={unit.uuid}&from={what}")
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', body[body.index("/start/") :]))
    said = urlencode(fields | {"drive": "d1", "copies": "1"}).encode()
    form = "application/x-www-form-urlencoded"
    answer = ask(stack, session, "POST", "/plant/console/start/", said, Content_Type=form)
    assert answer.status == 302, re.findall(r'role="alert".*?</div>', answer.body.decode(), re.DOTALL)
    return answer.headers["Location"].removeprefix("/plant/console/")


def until_done(stack: Stack, session: str, copy: str) -> None:
    def look() -> bool:
        said = page(stack, session, f"{copy}now/")
        assert not re.search("> ?(failed|check the disc|cancelled)<", said), said
        return "1 disc, each read back and good." in said

    wait(look, "the copy", 120)
