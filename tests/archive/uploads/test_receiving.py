"""Files come piece by piece, break off, and go on where they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from archive import storage
from archive.errors import ArchiveError
from archive.models import Upload, UploadFile
from archive.uploads import lifecycle, receiving, staging
from archive.uploads.receiving import Checksum
from tests.archive.uploads.conftest import MODIFIED, NOW, begin, send, sent_whole

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

FILES = {"a.txt": b"read me\n", "music/one.wav": b"x" * 3000, "empty": b""}


def file_of(upload: Upload, path: str) -> UploadFile:
    return upload.files.select_related("upload").get(path=path)


def test_a_folder_comes_and_waits_to_be_made_when_its_last_byte_is_here(folders: Path) -> None:
    upload = begin(FILES)
    assert (upload.size, upload.files_count, upload.received) == (3008, 3, 0)
    assert send(upload, "music/one.wav", FILES["music/one.wav"][:1000]) == 1000
    assert send(upload, "a.txt", FILES["a.txt"]) == 8
    upload.refresh_from_db()
    assert (upload.state, upload.received) == ("receiving", 1008)
    assert send(upload, "music/one.wav", FILES["music/one.wav"][1000:], 1000) == 3000
    upload.refresh_from_db()
    assert upload.state == "waiting"
    folder = folders / str(upload.pk)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES
    assert (folder / "a.txt").stat().st_mtime == MODIFIED / 1000


def test_the_same_files_chosen_again_go_on_where_they_were() -> None:
    upload = begin(FILES)
    send(upload, "a.txt", b"read")
    assert begin(FILES) == upload
    assert dict((file.path, offset) for file, offset in receiving.offsets(upload, NOW))["a.txt"] == 4
    assert begin(FILES, by="user:2 bert") != upload, "another person's"
    assert begin(FILES, "Others") != upload


def test_bytes_that_do_not_go_on_where_it_ends_are_refused_with_where_that_is() -> None:
    upload = begin(FILES)
    send(upload, "a.txt", b"read")
    for offset in (0, 3, 5):
        with pytest.raises(receiving.OffsetError) as refused:
            send(upload, "a.txt", b"x", offset)
        assert refused.value.offset == 4
    with pytest.raises(receiving.TooLongError):
        send(upload, "a.txt", b"x" * 5, 4)
    assert staging.size_of(file_of(upload, "a.txt")) == 4


def test_what_came_before_the_line_broke_is_kept() -> None:
    def breaking() -> Iterator[bytes]:
        yield b"re"
        yield b"ad"
        raise ConnectionResetError

    upload = begin(FILES)
    file = file_of(upload, "a.txt")
    with pytest.raises(ConnectionResetError):
        receiving.append(file, 0, 8, breaking(), None, NOW)
    assert receiving.offset_of(file, NOW) == 4
    assert send(upload, "a.txt", b" me\n", 4) == 8


def test_of_a_part_with_a_checksum_all_is_kept_or_nothing() -> None:
    def breaking() -> Iterator[bytes]:
        yield b"re"
        raise ConnectionResetError

    upload = begin(FILES)
    file = file_of(upload, "a.txt")
    right, wrong = (Checksum("sha256", hashlib.sha256(text).digest()) for text in (b"read", b"road"))
    with pytest.raises(receiving.ChecksumError):
        receiving.append(file, 0, 4, [b"read"], wrong, NOW)
    with pytest.raises(ConnectionResetError):
        receiving.append(file, 0, 4, breaking(), right, NOW)
    assert receiving.offset_of(file, NOW) == 0
    assert receiving.append(file, 0, 4, [b"read"], right, NOW) == 4


def test_two_who_send_the_same_file_are_told_apart() -> None:
    upload = begin(FILES)
    file = file_of(upload, "a.txt")
    with staging.opened(file), pytest.raises(staging.BusyError):
        send(upload, "a.txt", b"read")
    assert send(upload, "a.txt", b"read") == 4


def test_a_last_piece_whose_process_was_killed_is_found_by_the_next_question(folders: Path) -> None:
    upload = begin({"a.txt": b"read"})
    file = file_of(upload, "a.txt")
    folder = folders / str(upload.pk)
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"read")
    assert receiving.offset_of(file, NOW) == 4
    upload.refresh_from_db()
    assert upload.state == "waiting"


def test_nothing_is_taken_once_it_is_over() -> None:
    upload = begin(FILES)
    file = file_of(upload, "a.txt")
    assert receiving.give_up(upload, "No more.", NOW)
    assert not receiving.give_up(upload, "No more.", NOW)
    assert not UploadFile.objects.exists()
    file.upload.refresh_from_db()
    with pytest.raises(receiving.OverError):
        receiving.append(file, 0, 1, [b"x"], None, NOW)
    with pytest.raises(receiving.OverError):
        receiving.offset_of(file, NOW)


def test_without_room_for_files_and_image_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one disk both lie side by side for a while; what other uploads have still to send is spoken for."""
    begin({"a.txt": b"x" * 1000})
    for free, shared, fits in ((7000, True, True), (6999, True, False), (4000, False, True), (3999, False, False)):
        monkeypatch.setattr(staging, "free_bytes", lambda free=free: free)
        monkeypatch.setattr(storage, "free_bytes", lambda: 3000)
        monkeypatch.setattr(staging, "shares_the_images_disk", lambda shared=shared: shared)
        if fits:
            upload = begin({"b": b"x" * 3000})
            receiving.give_up(upload, "", NOW)
        else:
            with pytest.raises(ArchiveError, match="make room on the server first"):
                begin({"b": b"x" * 3000})
    monkeypatch.setattr(staging, "free_bytes", lambda: 10**6)
    monkeypatch.setattr(storage, "free_bytes", lambda: 2999)
    with pytest.raises(ArchiveError, match=r"only 3\.0 kB are free"):
        begin({"b": b"x" * 3000})


def test_a_folder_whose_empty_files_can_not_be_made_is_refused_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    def full(part: staging.Part, modified: float | None) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(staging.Part, "finish", full)
        with pytest.raises(ArchiveError, match="can't be kept: No space left on device") as refused:
            begin(FILES)
    assert refused.value.field == "files"
    assert not Upload.objects.filter(state="receiving").exists()
    assert list(folders.iterdir()) == []
    assert begin(FILES).state == "receiving", "once there is room"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\0b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ArchiveError) as refused:
        begin(FILES, name)
    assert refused.value.field == "name"


def test_one_person_can_not_begin_without_end() -> None:
    for number in range(receiving.MOST_OPEN):
        begin({"a": b"x"}, f"number {number}")
    with pytest.raises(ArchiveError, match="20 uploads of yours are not finished"):
        begin({"a": b"x"}, "one more")
    assert begin({"a": b"x"}, "another's", by="user:2 bert")


def test_what_was_forgotten_is_removed_after_a_day_and_what_still_comes_is_not(folders: Path) -> None:
    forgotten, coming = begin(FILES), begin(FILES, "Others")
    send(coming, "a.txt", b"read", now=NOW + timedelta(hours=20))
    (folders / str(uuid4())).mkdir()  # of an upload that nobody knows
    (folders / "lost+found").mkdir()
    receiving.sweep(NOW + timedelta(hours=30))
    forgotten.refresh_from_db()
    coming.refresh_from_db()
    assert (forgotten.state, coming.state) == ("given-up", "receiving")
    assert {path.name for path in folders.iterdir()} == {str(coming.pk), "lost+found"}


def test_a_failed_upload_keeps_its_files_for_a_day(folders: Path) -> None:
    upload = sent_whole({"x.iso": b"no image"})
    assert lifecycle.claim(upload, "me", NOW)
    assert lifecycle.fail(upload, "me", "It is none.", NOW)
    receiving.sweep(NOW + timedelta(hours=23))
    assert (folders / str(upload.pk)).exists()
    receiving.sweep(NOW + timedelta(hours=25))
    upload.refresh_from_db()
    assert (upload.state, upload.reason, (folders / str(upload.pk)).exists()) == ("given-up", "It is none.", False)
    assert not lifecycle.retry(upload, NOW)


def test_bytes_never_leave_the_folder_of_their_upload_through_a_link(folders: Path, tmp_path: Path) -> None:
    upload = begin({"a.txt": b"read"})
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    folder = folders / str(upload.pk)
    folder.mkdir(parents=True)
    (folder / "a.txt").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        send(upload, "a.txt", b"read")
    assert outside.read_bytes() == b""
