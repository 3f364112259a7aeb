"""The images' folder when its disk fails, or holds what nobody put there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.agent.journal import Journal
from devices.agent.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    journal = Journal(tmp_path / "journal.sqlite3")
    yield Store(journal, tmp_path / "images", None)
    journal.close()


def test_a_folder_among_the_images_is_left_alone_and_keeps_no_agent_from_starting(store: Store, tmp_path: Path) -> None:
    images = tmp_path / "images"
    (images / "lost+found").mkdir()
    (images / "left-over").write_text("nobody announced this")
    (images / "link").symlink_to("nowhere")
    assert store.reconcile() == []
    assert [path.name for path in images.iterdir()] == ["lost+found"]


def test_what_cannot_be_removed_at_the_start_is_said_and_left(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images" / "left-over").write_text("nobody announced this")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert store.reconcile() == []
    assert "left-over: can't be removed yet" in caplog.text
