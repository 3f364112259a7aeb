"""From a folder to a version: what is taken, what is refused, and that nothing is half made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.utils import timezone
from pytest_django.fixtures import Settings

from archive import leases, lifecycle, making, storage
from archive.errors import ArchiveError
from archive.intake import add_version, find_title
from archive.mastering import FolderDisc, Written
from archive.models import Image, ImageState, Title, TitleVersion
from archive.progress import Watch, unwatched
from archive.sources import Made, Source
from archive.tasks import TIME_LIMIT
from archive.tree import Tree
from tests.archive.conftest import NOW, contents, extract_with_xorriso, fill, run, stored

# The lease is renewed from a thread of its own, which sees only what is committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def add(folder: Path, **changed: Any) -> TitleVersion:
    facts = {"part_number": "P-1001", "title": "A title", "kind": "software", "source": folder, "now": NOW}
    return add_version(**{**facts, **changed})


def test_a_folder_becomes_the_first_version(folder: Path, images: Path, tmp_path: Path) -> None:
    version = add(folder, who="Somebody", description="Long\ntext", note="first")

    title, image = version.title, version.image
    assert (version.number, version.files, version.note, version.created_at) == (1, 5, "first", NOW)
    assert (title.part_number, title.title, title.who, title.description) == (
        "P-1001",
        "A title",
        "Somebody",
        "Long\ntext",
    )
    path = storage.path_of(image)
    assert (image.state, image.layout, image.volume_name, image.size) == (
        "ready",
        "iso",
        "A_TITLE",
        path.stat().st_size,
    )
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [format_.key for format_ in version.formats][:2] == ["cd", "cd-mini"]
    assert stored(images) == [path]
    assert contents(extract_with_xorriso(path, tmp_path / "out")) == contents(folder)


def test_the_same_content_again_is_the_same_version(folder: Path, images: Path) -> None:
    first = add(folder)

    again = add(folder, who="Now known", now=NOW + timedelta(days=1))

    assert again == first
    assert (Title.objects.count(), TitleVersion.objects.count(), Image.objects.count()) == (1, 1, 1)
    assert Title.objects.get().who == "Now known"
    assert len(stored(images)) == 1


def test_other_content_is_the_next_version_and_old_content_the_one_after(folder: Path) -> None:
    first = add(folder)
    (folder / "news.txt").write_text("new")
    second = add(folder)
    (folder / "news.txt").unlink()
    third = add(folder)

    assert [version.number for version in (first, second, third)] == [1, 2, 3]
    assert second.image != first.image == third.image
    assert find_title("P-1001").newest == third


def test_two_titles_may_share_an_image(folder: Path) -> None:
    assert add(folder).image == add(folder, part_number="P-1002").image


def test_a_finished_image_is_taken_as_it_is(folder: Path, tmp_path: Path) -> None:
    iso = tmp_path / "given.iso"
    run("genisoimage", "-quiet", "-J", "-R", "-V", "Given", "-o", iso, folder)

    version = add(iso)

    assert storage.path_of(version.image).read_bytes() == iso.read_bytes()
    assert (version.image.volume_name, version.files) == ("Given", None)
    assert add(iso) == version


def test_our_own_image_given_back_is_the_same_image(folder: Path) -> None:
    version = add(folder)

    assert add(storage.path_of(version.image)) == version
    assert Image.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field", "text"),
    [
        ({"part_number": "p-1001"}, "part_number", "'p-1001' is not a part number; use up to 32 capital letters"),
        ({"part_number": ""}, "part_number", "'' is not a part number"),
        ({"part_number": "A" * 33}, "part_number", "is not a part number"),
        ({"part_number": "P-1\n"}, "part_number", "is not a part number"),
        ({"part_number": "../P"}, "part_number", "is not a part number"),
        ({"title": " "}, "title", "is empty"),
        ({"title": "x" * 201}, "title", "has 201 characters; shorten it to 200"),
        ({"title": "a\0b"}, "title", "has a control character"),
        ({"who": "x" * 201}, "who", "has 201 characters"),
        ({"note": "a\nb"}, "note", "has a control character"),
        ({"description": "a\0b"}, "description", "has a NUL character"),
        ({"kind": "book"}, "kind", "'book' is unknown; use one of software, music, film, data"),
        ({"disc_format": "floppy"}, "format", "'floppy' is unknown; use one of cd, cd-mini"),
        ({"source": Path("/not/there")}, "source", "/not/there can't be read: No such file or directory"),
        ({"source": Path("/dev/null")}, "source", "/dev/null is neither a folder nor a disc image"),
    ],
)
def test_wrong_input_is_refused_by_its_field(
    folder: Path, images: Path, wrong: dict[str, Any], field: str, text: str
) -> None:
    with pytest.raises(ArchiveError) as refused:
        add(folder, **wrong)

    assert refused.value.field == field
    assert text in refused.value.text
    assert_nothing_is_kept(images)


def test_an_empty_folder_and_an_empty_image_are_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "empty.iso").touch()
    for name, text in (("bare", "has no file in it"), ("empty.iso", "is empty")):
        with pytest.raises(ArchiveError, match=text):
            add(tmp_path / name)
    assert_nothing_is_kept(images)


@pytest.mark.parametrize(
    ("size", "disc_format", "field", "text"),
    [
        (800_000_000, "cd", "format", "too much for CD; the smallest that takes it is dvd (DVD)."),
        (200_000_000, "cd-mini", "format", "too much for Mini CD; the smallest that takes it is cd (CD)."),
        (60_000_000_000, "", "source", "too much even for Double-layer Blu-ray; make several titles of it."),
        (60_000_000_000, "bd", "source", "too much even for Double-layer Blu-ray"),
    ],
)
def test_what_is_too_big_is_refused_before_it_is_read(
    images: Path, tmp_path: Path, size: int, disc_format: str, field: str, text: str
) -> None:
    root = fill(tmp_path / "big", {"file": b""})
    os.truncate(root / "file", size)  # sparse

    def watch(stage: str, done: int, total: int) -> None:
        pytest.fail("was read")

    with pytest.raises(ArchiveError) as refused:
        add(root, disc_format=disc_format, watch=watch)

    assert refused.value.field == field
    assert text in refused.value.text
    assert_nothing_is_kept(images)


def test_a_full_disk_is_found_before_anything_is_kept(
    folder: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SPARE", 1 << 62)  # as much as no disk has

    with pytest.raises(ArchiveError, match=r"but only 0 B are free for images; make room first"):
        add(folder)

    assert_nothing_is_kept(images)


def test_a_source_that_changes_while_it_is_written_makes_nothing(folder: Path, images: Path) -> None:
    def change() -> None:
        (folder / "README.txt").write_bytes(b"changed\n")

    with at_stage("writing", change) as watch, pytest.raises(ArchiveError, match=r"README.txt changed while"):
        add(folder, watch=watch)

    assert_nothing_is_kept(images)
    assert add(folder).number == 1  # left alone, it goes in


def test_a_disc_image_that_changes_while_it_is_copied_makes_nothing(folder: Path, images: Path, tmp_path: Path) -> None:
    iso = tmp_path / "given.iso"
    run("genisoimage", "-quiet", "-o", iso, folder)

    def change() -> None:
        with iso.open("r+b") as file:
            file.write(b"boot")

    with at_stage("writing", change) as watch, pytest.raises(ArchiveError, match=r"given.iso changed while it was"):
        add(iso, watch=watch)

    assert_nothing_is_kept(images)


def test_being_told_to_stop_leaves_nothing(folder: Path, images: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with at_stage("writing", stop) as watch, pytest.raises(KeyboardInterrupt):
        add(folder, watch=watch)

    assert_nothing_is_kept(images)
    assert add(folder).number == 1


def test_of_two_who_write_the_same_at_once_one_keeps_it(folder: Path, images: Path) -> None:
    first: list[TitleVersion] = []

    with at_stage("writing", lambda: first.append(add(folder))) as watch:
        second = add(folder, watch=watch)

    assert [second] == first
    assert stored(images) == [storage.path_of(second.image)]


def test_an_image_that_another_holds_is_waited_for(folder: Path, images: Path) -> None:
    """The row is claimed by a process that falls silent; when its lease is over, ours goes in."""
    image = add(folder).image
    Image.objects.update(state=ImageState.WAITING, sha256=None, size=None)
    assert lifecycle.claim(image, "another", timezone.now())

    with at_stage("waiting", lambda: Image.objects.update(lease_until=NOW)) as watch:
        assert add(folder, watch=watch).image == image

    assert stored(images) == [storage.path_of(Image.objects.get())]


def test_a_holder_who_fell_silent_stops_quietly_when_he_wakes(
    folder: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is stopped while he writes; another makes the image; he writes no row."""
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    image = add(folder).image
    Image.objects.update(state=ImageState.WAITING, sha256=None, size=None)
    write = making._write

    def overtaken(source: Source, draft: storage.Draft, watch: Watch) -> Made:
        late = timezone.now() + lifecycle.LEASE * 2
        assert lifecycle.claim(image, "another", late)
        made = write(source, draft, unwatched)
        assert lifecycle.settle(image, "another", made.sha256, source.size)
        return made

    monkeypatch.setattr(making, "_write", overtaken)

    assert making.make_waiting() == 0
    assert Image.objects.get().state == ImageState.READY
    assert stored(images) == [storage.path_of(Image.objects.get())]


def test_mastering_is_woken_up_on_a_queue_of_its_own_and_never_twice_by_one_message(settings: Settings) -> None:
    assert settings.CELERY_BEAT_SCHEDULE["archive.master_waiting"]["task"] == "archive.master_waiting"
    assert settings.CELERY_TASK_ROUTES["archive.*"]["queue"] == "mastering"
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] >= TIME_LIMIT * 4


def test_an_image_whose_file_is_gone_is_put_back(folder: Path, images: Path) -> None:
    version = add(folder)
    path = storage.path_of(version.image)
    path.unlink()

    assert add(folder) == version
    assert stored(images) == [path]


def test_a_tick_makes_what_waits_and_a_second_one_changes_nothing(folder: Path, images: Path) -> None:
    image = add(folder).image
    Image.objects.filter(pk=image.pk).update(state=ImageState.WAITING, sha256=None, size=None)
    storage.path_of(image).unlink()

    assert [making.make_waiting(), making.make_waiting()] == [1, 0]

    assert Image.objects.get() == image
    assert (Image.objects.get().sha256, stored(images)) == (image.sha256, [storage.path_of(image)])


@pytest.mark.parametrize("spoil", ["change", "remove"])
def test_a_tick_gives_up_what_is_not_there_any_more_and_goes_on(folder: Path, tmp_path: Path, spoil: str) -> None:
    lost = add(folder).image
    other = add(fill(tmp_path / "other", {"file": b"other"}), part_number="P-1002").image
    Image.objects.update(state=ImageState.WAITING, sha256=None, size=None)
    if spoil == "change":
        (folder / "README.txt").write_bytes(b"different")
    else:
        folder.rename(tmp_path / "elsewhere")

    making.make_waiting()

    lost.refresh_from_db()
    other.refresh_from_db()
    assert (lost.state, other.state) == (ImageState.FAILED, ImageState.READY)
    assert str(folder) in lost.reason


def test_a_backlog_that_takes_all_the_time_costs_no_image(folder: Path, tmp_path: Path, settings: Settings) -> None:
    first = add(folder).image
    second = add(fill(tmp_path / "other", {"file": b"other"}), part_number="P-1002").image
    Image.objects.update(state=ImageState.WAITING, sha256=None, size=None)
    settings.SPINDLE_IMAGE_MAKER = f"{__name__}.out_of_time"

    for tries in range(1, lifecycle.TRIES + 1):
        with pytest.raises(SoftTimeLimitExceeded):
            making.make_waiting()
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, first.tries, second.state, second.tries) == (ImageState.WAITING, tries, first.state, 0)

    settings.SPINDLE_IMAGE_MAKER = "archive.mastering.master_folder"
    assert making.make_waiting() == 1
    first.refresh_from_db()
    assert (first.state, first.reason) == (ImageState.FAILED, lifecycle.ENDED_ITS_PROCESS)


def out_of_time(tree: Tree, volume: str) -> FolderDisc:
    raise SoftTimeLimitExceeded


class BrokenDisc(FolderDisc):
    def write(self, target: BinaryIO, watch: Watch) -> Written:
        target.write(b"half an image")
        raise OSError(28, "No space left on device")


def break_at_once(tree: Tree, volume: str) -> BrokenDisc:
    return BrokenDisc(tree, volume)


def test_a_disk_that_fills_up_leaves_nothing_and_says_so(folder: Path, images: Path, settings: Settings) -> None:
    settings.SPINDLE_IMAGE_MAKER = f"{__name__}.break_at_once"

    with pytest.raises(ArchiveError, match="No space left on device"):
        add(folder)

    assert_nothing_is_kept(images)


def assert_nothing_is_kept(images: Path) -> None:
    assert (Title.objects.count(), TitleVersion.objects.count(), Image.objects.count()) == (0, 0, 0)
    assert stored(images) == []


@contextmanager
def at_stage(stage: str, action: Callable[[], object]) -> Iterator[Watch]:
    """A watch that does something at the first word of a stage."""
    done = False

    def watch(seen: str, _done: int, _total: int) -> None:
        nonlocal done
        if seen == stage and not done:
            done = True
            action()

    yield watch
    assert done, f"never got to {stage}"
