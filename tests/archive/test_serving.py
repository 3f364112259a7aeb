"""Images over HTTP: whole, in part, and what a resuming agent relies on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from archive import storage
from archive.models import Image
from archive.serving import UnsatisfiableError, parse_range, serve_image

pytestmark = pytest.mark.django_db  # closing an answer ends a request, and Django looks after its connections then

CONTENT = bytes(range(256)) * 16
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ETAG = f'"{SHA256}"'


@pytest.fixture
def image(images: Path) -> Image:
    with storage.draft() as draft:
        draft.file.write(CONTENT)
        draft.file.flush()
        draft.keep(SHA256)
    return Image(sha256=SHA256, size=len(CONTENT), state="ready")


def ask(image: Image, method: str = "get", **headers: str) -> tuple[HttpResponseBase, bytes]:
    request = getattr(RequestFactory(), method)("/", headers=headers)
    response = serve_image(request, image)
    body = b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined] # either kind
    response.close()
    return response, body


def test_without_a_range_the_whole_comes(image: Image) -> None:
    response, body = ask(image)

    assert (response.status_code, body) == (200, CONTENT)
    assert response.headers["Content-Length"] == "4096"
    assert response.headers["ETag"] == ETAG
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=4095-", 4095, 4095),
        ("bytes=1000-", 1000, 4095),
        ("bytes=1000-9999", 1000, 4095),
        ("bytes=-96", 4000, 4095),
        ("bytes=-9999", 0, 4095),
        ("Bytes= 5-6 ", 5, 6),
    ],
)
def test_one_range_is_answered_with_that_part(image: Image, asked: str, first: int, last: int) -> None:
    response, body = ask(image, range=asked)

    assert (response.status_code, body) == (206, CONTENT[first : last + 1])
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/4096"
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert response.headers["ETag"] == ETAG


@pytest.mark.parametrize("asked", ["bytes=4096-", "bytes=4096-5000", "bytes=-0"])
def test_a_range_behind_the_end_is_416_with_the_size(image: Image, asked: str) -> None:
    response, body = ask(image, range=asked)

    assert (response.status_code, body) == (416, b"")
    assert response.headers["Content-Range"] == "bytes */4096"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=-", "bytes=9-1", "bytes=x-y", "0-1"])
def test_what_is_not_one_range_gets_the_whole(image: Image, asked: str) -> None:
    response, body = ask(image, range=asked)

    assert (response.status_code, body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("condition", "status"), [(ETAG, 206), (f"W/{ETAG}", 200), ('"other"', 200), ("Fri, 20 Nov 2026 12:00:00 GMT", 200)]
)
def test_a_range_holds_only_for_the_image_it_was_meant_for(image: Image, condition: str, status: int) -> None:
    response, body = ask(image, range="bytes=1-2", if_range=condition)

    assert response.status_code == status
    assert body == (CONTENT[1:3] if status == 206 else CONTENT)


def test_head_says_the_same_as_get(image: Image) -> None:
    for headers in ({}, {"range": "bytes=1-2"}):
        head, get = (ask(image, method, **headers)[0] for method in ("head", "get"))
        assert (head.status_code, head.headers) == (get.status_code, get.headers)


def test_other_methods_are_refused(image: Image) -> None:
    response, _ = ask(image, "post")

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def test_behind_nginx_only_the_place_is_said(image: Image, settings: Settings) -> None:
    settings.SPINDLE_X_ACCEL = "/internal/images/"
    response, body = ask(image, range="bytes=1-2")

    assert (response.status_code, body) == (200, b"")
    assert response.headers["X-Accel-Redirect"] == f"/internal/images/{SHA256[:2]}/{SHA256}.iso"
    assert "Content-Length" not in response.headers


def test_a_file_that_is_gone_is_an_error_and_not_an_empty_image(image: Image) -> None:
    storage.path_of(image).unlink()

    with pytest.raises(FileNotFoundError):
        ask(image)


@given(
    st.one_of(st.text(max_size=20), st.from_regex(r"bytes=[0-9]{0,6}-[0-9]{0,6}", fullmatch=True)), st.integers(1, 5000)
)
def test_a_parsed_range_always_lies_inside(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except UnsatisfiableError:
        return
    if part is not None:
        first, last = part
        assert 0 <= first <= last < size
