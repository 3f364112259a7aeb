"""Sends a stored image over HTTP, whole or from the middle, so that an agent can resume.

Whether the asker may have it is decided by whoever calls this.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import BinaryIO, Final

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from archive import storage
from archive.models import Image

BLOCK: Final = 1 << 20
CONTENT_TYPE: Final = "application/octet-stream"

# One range in bytes (RFC 9110 14.1.2). Several, or another unit, are answered with the whole, as it allows.
ONE_RANGE = re.compile(r"bytes=\s*(?P<first>[0-9]*)-(?P<last>[0-9]*)\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The range begins behind the end."""


class _Part:
    """A stretch of an open file; has no fileno, because servers send a file with one to its very end."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.file, self.left = file, length

    def read(self, count: int = -1) -> bytes:
        data = self.file.read(self.left if count < 0 else min(count, self.left))
        self.left -= len(data)
        return data

    def close(self) -> None:
        self.file.close()


def serve_image(request: HttpRequest, image: Image) -> HttpResponseBase:
    """The response for GET or HEAD of a ready image: 200, 206 or 416; 405 for other methods.

    Raises FileNotFoundError when the file is gone, ValueError while the image isn't made.
    """
    if request.method not in {"GET", "HEAD"}:
        return _with_headers(HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"}))
    path = storage.path_of(image)
    etag = f'"{image.sha256}"'
    if prefix := getattr(settings, "SPINDLE_X_ACCEL", ""):
        # nginx answers ranges by itself; the header's value is a path below an internal location.
        place = f"{prefix.rstrip('/')}/{path.parent.name}/{path.name}"
        response = HttpResponse(content_type=CONTENT_TYPE, headers={"X-Accel-Redirect": place, "ETag": etag})
        del response["Content-Length"]
        return _with_headers(response)
    file = storage.open_image(path.stem)
    size = path.stat().st_size
    try:
        part = parse_range(request.headers.get("Range", ""), size) if _same(request, etag) else None
    except UnsatisfiableError:
        file.close()
        refused = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        refused["Content-Range"] = f"bytes */{size}"
        return _with_headers(refused, etag)
    return _with_headers(_send(file, size, part), etag)


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte wanted of `size`; None for the whole. Raises UnsatisfiableError."""
    match = ONE_RANGE.fullmatch(header)
    if not match or not (match["first"] or match["last"]):
        return None
    if not match["first"]:  # the last so many bytes
        length = min(int(match["last"]), size)
        if length == 0:
            raise UnsatisfiableError
        return size - length, size - 1
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else size - 1
    if last < first and match["last"]:
        return None  # not a valid range at all
    if first >= size:
        raise UnsatisfiableError
    return first, min(last, size - 1)


def _same(request: HttpRequest, etag: str) -> bool:
    """Whether a range is wanted of this very image; else the whole is right (RFC 9110 13.1.5)."""
    return request.headers.get("If-Range", etag) == etag


def _send(file: BinaryIO, size: int, part: tuple[int, int] | None) -> FileResponse:
    if part is None:
        response = FileResponse(file, content_type=CONTENT_TYPE)
        length = size
    else:
        first, last = part
        file.seek(first)
        length = last - first + 1
        response = FileResponse(_Part(file, length), content_type=CONTENT_TYPE, status=HTTPStatus.PARTIAL_CONTENT)
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(length)
    response.block_size = BLOCK
    return response


def _with_headers(response: HttpResponseBase, etag: str = "") -> HttpResponseBase:
    if etag:
        response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-store"
    return response
