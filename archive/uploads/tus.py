"""The headers of tus 1.0 (tus.io/protocols/resumable-upload), read and written: pure.

Core, creation, creation-with-upload, checksum, expiration and termination are spoken.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from archive.formats import FORMATS, SECTOR, SIZES
from archive.uploads.receiving import Checksum

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,checksum,expiration,termination"
ALGORITHMS: Final = ("sha1", "sha256")
CONTENT_TYPE: Final = "application/offset+octet-stream"
MAX_SIZE: Final = FORMATS[SIZES[-1]].capacity_sectors * SECTOR
CHECKSUM_MISMATCH: Final = 460

HEADERS: Final = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
OPTIONS: Final = HEADERS | {
    "Tus-Version": VERSION,
    "Tus-Extension": EXTENSIONS,
    "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    "Tus-Max-Size": str(MAX_SIZE),
}


class MalformedError(ValueError):
    """A header that can't be read; the text names it and says what it should be."""


def number(headers: Mapping[str, str], name: str) -> int:
    """A header that is a number of bytes. Raises MalformedError."""
    text = headers.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise MalformedError(f"{name} must be a number of bytes, not {text!r}.")
    return int(text)


def metadata(text: str) -> dict[str, str]:
    """`Upload-Metadata`: keys with values in base64, parted by commas. Raises MalformedError."""
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = entry.partition(" ")
        if key in found:
            raise MalformedError(f"Upload-Metadata has {key!r} twice.")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError:  # of base64, of characters that are none of it, of UTF-8
            raise MalformedError(f"Upload-Metadata's {key!r} is not UTF-8 in base64.") from None
    return found


def written(values: Mapping[str, str]) -> str:
    """The same, the other way around."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def checksum(text: str) -> Checksum | None:
    """`Upload-Checksum`: an algorithm and a digest in base64; none where there is no such header."""
    if not text:
        return None
    algorithm, _, value = text.partition(" ")
    if algorithm not in ALGORITHMS:
        raise MalformedError(f"Upload-Checksum must be of {' or '.join(ALGORITHMS)}, not {algorithm!r}.")
    try:
        return Checksum(algorithm, base64.b64decode(value.strip(), validate=True))
    except ValueError:
        raise MalformedError("Upload-Checksum's digest is not base64.") from None


def http_date(instant: datetime) -> str:
    return format_datetime(instant.astimezone(UTC), usegmt=True)
