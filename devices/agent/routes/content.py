"""The bytes of an image, whole or by range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from devices.agent.problems import RefusedError, not_found
from devices.agent.wire import ProblemType

BLOCK: Final = 1 << 20
RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})$")  # no file has more bytes than these digits count


class FileBytes(StreamingResponse):
    """`count` bytes of an open file, from where it stands; it is shut however the sending ends."""

    def __init__(self, file: BinaryIO, count: int, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(_blocks(file, count), status, headers, media_type="application/octet-stream")
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


def stream(path: Path, size: int, digest: str, asked: str | None) -> Response:
    """Opened before anything is promised: what is purged from now on is sent whole all the same.

    Raises RefusedError: 404 where the file is gone, 416.
    """
    first, last = _span(asked, size)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        "Content-Length": str(last - first + 1),
    }
    status = 200
    if (first, last) != (0, size - 1) or (asked and RANGE.match(asked)):
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return FileBytes(_open(path, first, digest), last - first + 1, status, headers)


def _open(path: Path, first: int, digest: str) -> BinaryIO:
    try:
        file = path.open("rb")
    except FileNotFoundError as fault:
        raise not_found(f"Image {digest} is gone from here.") from fault
    file.seek(first)
    return file


def _span(asked: str | None, size: int) -> tuple[int, int]:
    """First and last byte. What isn't one plain range is passed over, as HTTP allows. Raises RefusedError (416)."""
    found = RANGE.match(asked.strip()) if asked else None
    if found is None or found.groups() == ("", ""):
        return 0, size - 1
    if found[1] == "":
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    if first > last:
        raise RefusedError(416, ProblemType.INVALID, f"The image has {size} bytes.", "Range")
    return first, last


def _blocks(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count and (block := file.read(min(BLOCK, count))):
        count -= len(block)
        yield block
