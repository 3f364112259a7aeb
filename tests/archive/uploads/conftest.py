"""Uploads with folders of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from archive.models import Upload
from archive.uploads import receiving
from archive.uploads.paths import Sent

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ANNA = "user:1 anna"
MODIFIED = 1_700_000_000_000  # milliseconds, as browsers say it


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> Path:
    settings.SPINDLE_IMAGES = tmp_path / "images"
    settings.SPINDLE_UPLOADS = tmp_path / "uploads"
    return tmp_path / "uploads"


def sent(files: Mapping[str, bytes]) -> list[Sent]:
    return [Sent(path, len(content), MODIFIED) for path, content in files.items()]


def begin(files: Mapping[str, bytes], name: str = "Songs", *, by: str = ANNA, now: datetime = NOW) -> Upload:
    return receiving.begin(name, sent(files), by=by, now=now)


def send(upload: Upload, path: str, content: bytes, offset: int = 0, *, now: datetime = NOW) -> int:
    file = upload.files.select_related("upload").get(path=path)
    return receiving.append(file, offset, len(content), [content], None, now)


def sent_whole(files: Mapping[str, bytes], name: str = "Songs", now: datetime = NOW) -> Upload:
    """An upload of which every file is here."""
    upload = begin(files, name, now=now)
    for path, content in files.items():
        if content:
            send(upload, path, content)
    upload.refresh_from_db()
    assert upload.state == "waiting"
    return upload
