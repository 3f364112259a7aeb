"""The doors for uploads, as tus clients, the console's script and a plain form use them."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from archive.models import Upload, UploadFile
from archive.uploads import making, receiving, staging

pytestmark = pytest.mark.django_db

TUS = {"Tus-Resumable": "1.0.0"}
OCTETS = "application/offset+octet-stream"
MODIFIED = 1_700_000_000_000


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> Path:
    settings.SPINDLE_IMAGES = tmp_path / "images"
    settings.SPINDLE_UPLOADS = tmp_path / "uploads"
    return tmp_path / "uploads"


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("anna", "anna@example.com", "disc", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label__in=["archive", "fulfillment", "devices"])
    )
    return user


@pytest.fixture
def client(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def create(client: Client, size: int, body: bytes = b"", **metadata: str) -> Any:
    said = ",".join(f"{key} {b64(value)}" for key, value in metadata.items())
    headers = TUS | {"Upload-Length": str(size), "Upload-Metadata": said}
    return client.generic("POST", "/plant/uploads/", body, OCTETS if body else "", headers=headers)


def patch(client: Client, url: str, offset: int, body: bytes, **headers: str) -> Any:
    all_headers = TUS | {"Upload-Offset": str(offset)} | headers
    return client.generic("PATCH", url, body, OCTETS, headers=all_headers)


def head(client: Client, url: str) -> Any:
    return client.head(url, headers=TUS)


def begin(client: Client, files: dict[str, int], name: str = "Songs") -> Any:
    said = [{"path": path, "size": size, "modified": MODIFIED} for path, size in files.items()]
    return client.post("/plant/uploads/begin/", json.dumps({"name": name, "files": said}), "application/json")


def test_a_file_is_created_sent_in_parts_and_asked_for(client: Client, folders: Path) -> None:
    made = create(client, 10, filename="letter.txt")
    url = made["Location"]
    assert (made.status_code, made["Upload-Offset"], made["Tus-Resumable"]) == (201, "0", "1.0.0")
    assert head(client, url)["Upload-Offset"] == "0"
    first = patch(client, url, 0, b"Dear")
    assert (first.status_code, first["Upload-Offset"]) == (204, "4")
    asked = head(client, url)
    assert (asked.status_code, asked["Upload-Offset"], asked["Upload-Length"]) == (200, "4", "10")
    assert (asked["Cache-Control"], "GMT" in asked["Upload-Expires"]) == ("no-store", True)
    assert asked["Upload-Metadata"] == f"relativePath {b64('letter.txt')}"
    last = patch(client, url, 4, b" Anna,")
    assert last["Upload-Offset"] == "10"
    upload = Upload.objects.get()
    assert (upload.state, upload.name, upload.by) == ("waiting", "letter.txt", f"user:{User.objects.get().pk} anna")
    assert (folders / str(upload.pk) / "letter.txt").read_bytes() == b"Dear Anna,"


def test_a_creation_may_bring_the_first_bytes(client: Client) -> None:
    made = create(client, 4, b"Dear", filename="letter.txt")
    assert (made.status_code, made["Upload-Offset"]) == (201, "4")
    assert Upload.objects.get().state == "waiting"


def test_the_server_says_what_it_speaks(client: Client) -> None:
    said = client.options("/plant/uploads/")
    assert (said.status_code, said["Tus-Version"]) == (204, "1.0.0")
    assert said["Tus-Extension"] == "creation,creation-with-upload,checksum,expiration,termination"
    assert said["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert int(said["Tus-Max-Size"]) > 40 * 10**9


def test_each_fault_has_its_answer(client: Client) -> None:
    url = create(client, 10, filename="a")["Location"]
    patch(client, url, 0, b"Dear")
    conflict = patch(client, url, 3, b"x")
    assert (conflict.status_code, conflict["Upload-Offset"]) == (409, "4")
    assert patch(client, url, 4, b"x" * 7).status_code == 413
    assert patch(client, url, 4, b"x", **{"Upload-Offset": "four"}).status_code == 400
    assert client.generic("PATCH", url, b"x", "text/plain", headers=TUS | {"Upload-Offset": "4"}).status_code == 415
    other = client.generic("PATCH", url, b"x", OCTETS, headers={"Tus-Resumable": "0.2.2", "Upload-Offset": "4"})
    assert (other.status_code, other["Tus-Version"]) == (412, "1.0.0")
    assert client.head(url).status_code == 412
    assert client.get(url, headers=TUS).status_code == 405
    assert create(client, 10**12, filename="a").status_code == 413
    assert create(client, 10, filename="../a").status_code == 400
    assert create(client, 10).status_code == 400
    malformed = client.post("/plant/uploads/", headers=TUS | {"Upload-Length": "1", "Upload-Metadata": "filename ?"})
    assert (malformed.status_code, b"base64" in malformed.content) == (400, True)
    assert client.post("/plant/uploads/", headers=TUS).status_code == 400
    assert head(client, "/plant/uploads/files/6f2c2f0e-7b0e-4a59-9e0d-3d6a4d6f1c11/").status_code == 410
    assert UploadFile.objects.get().received == 4


@pytest.mark.parametrize("header", ["Upload-Metadata", "Upload-Checksum"])
@pytest.mark.parametrize("value", ["\u00e9", "caf\u00e9", "?", "a"])
def test_a_header_that_is_not_base64_is_said_to_be_malformed(client: Client, header: str, value: str) -> None:
    url = create(client, 4, filename="a")["Location"]
    said = f"{'filename' if header == 'Upload-Metadata' else 'sha256'} {value}"
    headers = TUS | {"Upload-Offset": "0", "Upload-Length": "4", header: said}
    method, where = ("POST", "/plant/uploads/") if header == "Upload-Metadata" else ("PATCH", url)
    answer = client.generic(method, where, b"Dear", OCTETS, headers=headers)
    assert (answer.status_code, b"base64" in answer.content) == (400, True)
    assert UploadFile.objects.get().received == 0


@pytest.mark.postgres
@pytest.mark.parametrize("path", ["a\0b", "../a.txt", "a\nb", "x" * 1001])
def test_a_path_that_no_file_can_have_is_in_no_upload(client: Client, path: str) -> None:
    upload = begin(client, {"a.txt": 4}).json()["upload"]
    assert create(client, 4, upload=upload, relativePath=path).status_code == 404


def test_a_wrong_checksum_keeps_nothing_of_that_part(client: Client) -> None:
    url = create(client, 4, filename="a")["Location"]
    right, wrong = (base64.b64encode(hashlib.sha256(text).digest()).decode() for text in (b"Dear", b"Bear"))
    assert patch(client, url, 0, b"Dear", **{"Upload-Checksum": f"sha256 {wrong}"}).status_code == 460
    assert head(client, url)["Upload-Offset"] == "0"
    assert patch(client, url, 0, b"Dear", **{"Upload-Checksum": "crc32 AAAA"}).status_code == 400
    assert patch(client, url, 0, b"Dear", **{"Upload-Checksum": f"sha256 {right}"})["Upload-Offset"] == "4"


def test_a_file_that_is_terminated_ends_its_upload(client: Client, folders: Path) -> None:
    url = create(client, 4, filename="a")["Location"]
    patch(client, url, 0, b"D")
    assert client.delete(url, headers=TUS).status_code == 204
    assert head(client, url).status_code == 410
    assert patch(client, url, 1, b"e").status_code == 410
    assert (Upload.objects.get().state, list(folders.iterdir())) == ("given-up", [])


@pytest.fixture
def given_up_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody gives an upload up while its bytes come."""
    write = staging.Part.write

    def gone(part: staging.Part, block: bytes) -> None:
        write(part, block)
        receiving.give_up(Upload.objects.get(), "No more.", timezone.now())

    monkeypatch.setattr(staging.Part, "write", gone)


def test_an_upload_that_is_given_up_while_its_last_bytes_come_is_over(
    client: Client, folders: Path, given_up_meanwhile: None
) -> None:
    url = create(client, 4, filename="a")["Location"]
    assert patch(client, url, 0, b"Dear").status_code == 410
    assert (Upload.objects.get().state, list(folders.iterdir())) == ("given-up", [])


def test_an_upload_that_is_an_image_before_its_last_bytes_are_answered_has_all_of_them(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = receiving.append

    def made_at_once(*args: Any) -> int:
        offset = append(*args)
        making.make_waiting()
        return offset

    url = create(client, 4, filename="a")["Location"]
    monkeypatch.setattr(receiving, "append", made_at_once)
    answer = patch(client, url, 0, b"Dear")
    assert (answer.status_code, answer["Upload-Offset"], Upload.objects.get().state) == (204, "4", "ready")


def test_methods_can_be_overridden_as_the_protocol_says(client: Client) -> None:
    url = create(client, 4, filename="a")["Location"]
    headers = TUS | {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    assert client.generic("POST", url, b"Dear", OCTETS, headers=headers)["Upload-Offset"] == "4"


def test_while_one_request_sends_a_file_another_is_locked_out(client: Client) -> None:
    url = create(client, 4, filename="a")["Location"]
    with staging.opened(UploadFile.objects.select_related("upload").get()):
        assert patch(client, url, 0, b"Dear").status_code == 423


def test_a_full_disk_is_told_and_what_came_is_kept(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    url = create(client, 4, filename="a")["Location"]
    write = staging.Part.write

    def full(part: staging.Part, block: bytes) -> None:
        write(part, block[:2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(staging.Part, "write", full)
        answer = patch(client, url, 0, b"Dear")
    assert (answer.status_code, b"No space left" in answer.content) == (507, True)
    assert head(client, url)["Upload-Offset"] == "2"


def test_a_body_is_read_in_blocks_and_never_whole(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Larger than what Django holds in memory, too."""
    sizes: list[int] = []
    write = staging.Part.write

    def noted(part: staging.Part, block: bytes) -> None:
        sizes.append(len(block))
        write(part, block)

    monkeypatch.setattr(staging.Part, "write", noted)
    body = bytes(5_000_000)
    assert create(client, len(body), body, filename="a")["Upload-Offset"] == str(len(body))
    assert max(sizes) <= 1 << 20


# --- A folder, from the console's script -----------------------------------------------------------


def test_a_folder_is_announced_whole_and_its_files_go_to_their_places(client: Client) -> None:
    said = begin(client, {"a.txt": 4, "music/one.wav": 3, "empty": 0}).json()
    places = {file["path"]: file for file in said["files"]}
    assert {path: file["offset"] for path, file in places.items()} == {"a.txt": 0, "music/one.wav": 0, "empty": 0}
    patch(client, places["a.txt"]["url"], 0, b"Dear")
    again = begin(client, {"a.txt": 4, "music/one.wav": 3, "empty": 0}).json()
    assert again["upload"] == said["upload"]
    assert {file["path"]: file["offset"] for file in again["files"]} == {"a.txt": 4, "music/one.wav": 0, "empty": 0}
    made = create(client, 3, upload=said["upload"], relativePath="music/one.wav")
    assert made["Location"] == places["music/one.wav"]["url"]
    assert create(client, 3, upload=said["upload"], relativePath="music/two.wav").status_code == 404
    assert create(client, 3, upload="none", relativePath="a.txt").status_code == 404
    patch(client, made["Location"], 0, b"abc")
    assert Upload.objects.get().state == "waiting"


def test_what_is_wrong_with_a_folder_is_told_before_a_byte_is_sent(client: Client) -> None:
    for files, text in (
        ({"../x": 1}, "Files: «../x» has a part '..'"),
        ({"A": 1, "a": 1}, "Files: «a» and «A» would be one"),
        ({"a": 10**12}, "too much even for"),
        ({}, "Files: there is none"),
    ):
        answer = begin(client, files)
        assert (answer.status_code, text in answer.json()["text"]) == (422, True), answer.json()
    for body in (b"", b"[]", b"{}", b'{"name": 1, "files": []}', b'{"name": "x", "files": [{"path": 1, "size": 1}]}',
                 b'{"name": "x", "files": [{"path": "a", "size": true}]}', b"[" * 100_000, b"\xff"):  # fmt: skip
        answer = client.post("/plant/uploads/begin/", body, "application/json")
        assert answer.status_code == 422, body[:20]
        assert answer.json()["field"] in {"name", "files"}
    too_long = client.post("/plant/uploads/begin/", b" " * (5 << 20), "application/json")
    assert (too_long.status_code, "too long" in too_long.json()["text"]) == (422, True)
    assert not Upload.objects.exists()


# --- Without scripts -------------------------------------------------------------------------------


def test_a_plain_form_brings_one_file(client: Client, folders: Path) -> None:
    answer = client.post("/plant/uploads/form/", {"file": SimpleUploadedFile("letter.txt", b"Dear")})
    assert answer.status_code == 302
    upload = Upload.objects.get()
    assert (upload.state, (folders / str(upload.pk) / "letter.txt").read_bytes()) == ("waiting", b"Dear")
    client.post("/plant/uploads/form/", {})
    assert Upload.objects.count() == 1


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (staging.BusyError(), "letter.txt is coming already: it was sent twice."),
        (receiving.OffsetError(4), "letter.txt is coming already: it was sent twice."),
        (receiving.OverError(), "letter.txt was given up meanwhile. Send it again."),
    ],
)
def test_the_second_of_two_clicks_is_told_that_the_first_one_sends_it(
    client: Client, monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str
) -> None:
    def append(*unused: object) -> int:
        raise raised

    monkeypatch.setattr(receiving, "append", append)
    answer = client.post("/plant/uploads/form/", {"file": SimpleUploadedFile("letter.txt", b"Dear")})
    assert answer.status_code == 302
    assert [str(message) for message in get_messages(answer.wsgi_request)] == [said]


def test_a_form_that_is_given_up_while_it_is_sent_is_not_said_to_be_here(
    client: Client, given_up_meanwhile: None
) -> None:
    answer = client.post("/plant/uploads/form/", {"file": SimpleUploadedFile("letter.txt", b"Dear")})
    (said,) = get_messages(answer.wsgi_request)
    assert str(said) == "letter.txt was given up meanwhile. Send it again."


# --- Who may ---------------------------------------------------------------------------------------


def test_a_script_whose_session_ended_is_told_so_and_not_led_to_a_page(client: Client) -> None:
    url = create(client, 4, filename="a")["Location"]
    client.logout()
    answer = patch(client, url, 0, b"Dear")
    assert (answer.status_code, b"Log in again" in answer.content) == (403, True)
    assert UploadFile.objects.get().received == 0


def test_nobody_writes_into_the_upload_of_another_and_all_may_give_it_up(client: Client, operator: User) -> None:
    said = begin(client, {"a.txt": 4}).json()
    url = said["files"][0]["url"]
    bert = User.objects.create_user("bert", "bert@example.com", is_staff=True)
    bert.user_permissions.set(operator.user_permissions.all())
    other = Client()
    other.force_login(bert)
    assert create(other, 4, upload=said["upload"], relativePath="a.txt").status_code == 404
    for answer in (patch(other, url, 0, b"Bear"), head(other, url), other.delete(url, headers=TUS)):
        assert answer.status_code == 403
    assert (UploadFile.objects.get().received, Upload.objects.get().state) == (0, "receiving")
    other.post(f"/plant/uploads/{said['upload']}/give-up/")
    assert Upload.objects.get().state == "given-up"


def test_without_the_token_of_its_form_nothing_is_taken(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert create(client, 4, filename="a").status_code == 403
    assert not Upload.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_line_that_breaks_costs_nothing_that_has_come(client: Client, live_server: LiveServer) -> None:
    """Half a body over a real connection, then nothing; the next question is answered with where it ended."""
    url = create(client, 3_000_000, filename="a")["Location"]
    cookie = client.cookies["sessionid"].value
    host, port = live_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        told = {"Host": f"{host}:{port}", "Cookie": f"sessionid={cookie}; csrftoken={'a' * 32}", **TUS}
        told |= {"X-CSRFToken": "a" * 32, "Upload-Offset": "0", "Content-Type": OCTETS, "Content-Length": "3000000"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        line.sendall(f"PATCH {url} HTTP/1.1\r\n{lines}\r\n".encode() + bytes(1_500_000))
    for offset in _offsets(client, url):
        if offset == 1_500_000:
            break
    assert patch(client, url, 1_500_000, bytes(1_500_000))["Upload-Offset"] == "3000000"
    assert Upload.objects.get().state == "waiting"


def _offsets(client: Client, url: str) -> Iterator[int]:
    """As often as it takes the server to notice."""
    for _ in range(2000):
        answer = head(client, url)
        assert answer.status_code in {200, 423}
        yield int(answer.headers.get("Upload-Offset", -1))
    raise AssertionError("it never noticed")
