"""What is in a folder, and what of it is refused by name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from archive.errors import ArchiveError
from archive.hashing import HashThread
from archive.sourcefile import SourceFile
from archive.tree import EntryKind, Tree, recipe_of, scan
from tests.archive.conftest import fill


def test_parents_come_first_and_names_in_the_order_of_their_bytes(folder: Path) -> None:
    tree = scan(folder)

    assert [entry.path for entry in tree.entries] == [
        ".hidden",
        "README.txt",
        "bin",
        "bin/run",
        "docs",
        "docs/deeper",
        "docs/deeper/page.html",
        "empty",
    ]
    assert tree.bytes == 6 + 8 + 21 + 11_000


def test_links_inside_are_kept_as_links(folder: Path) -> None:
    (folder / "docs/up").symlink_to("../README.txt")
    (folder / "dangling").symlink_to("not-there")
    (folder / "loop").symlink_to("loop")

    links = {entry.path: entry.target for entry in scan(folder).entries if entry.kind is EntryKind.LINK}

    assert links == {"docs/up": "../README.txt", "dangling": "not-there", "loop": "loop"}


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "docs/../../outside", "docs/link-to-parent/../x"])
def test_links_out_of_the_folder_are_refused_by_name(folder: Path, target: str) -> None:
    (folder / "docs/link-to-parent").symlink_to("..")
    (folder / "bad").symlink_to(target)

    with pytest.raises(ArchiveError) as refused:
        scan(folder)

    assert refused.value.field == "source"
    assert f"the link {folder}/bad points out of the folder (to {target})" in refused.value.text


def test_an_absolute_link_into_the_folder_is_refused_as_a_disc_is_mounted_elsewhere(folder: Path) -> None:
    (folder / "absolute").symlink_to(folder / "README.txt")

    with pytest.raises(ArchiveError, match="absolute points out of the folder"):
        scan(folder)


def test_a_folder_that_is_reached_by_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(folder)

    assert scan(tmp_path / "way").entries == scan(folder).entries


def test_pipes_and_sockets_are_refused_by_name(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ArchiveError, match=f"{folder}/pipe is neither a file, a folder nor a link"):
        scan(folder)

    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "door"))
        with pytest.raises(ArchiveError, match=f"{folder}/door is neither"):
            scan(folder)


def test_a_name_that_is_not_utf8_is_refused_by_name(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder / "docs") + b"/caf\xe9")).touch()

    with pytest.raises(ArchiveError) as refused:
        scan(folder)

    assert refused.value.text == r"the name of docs/caf\xe9 is not UTF-8; rename it."


@pytest.mark.parametrize("names", [[], ["one/two/"]])
def test_a_folder_without_a_file_is_refused(tmp_path: Path, names: list[str]) -> None:
    root = tmp_path / "bare"
    root.mkdir()
    for name in names:
        (root / name).mkdir(parents=True)

    with pytest.raises(ArchiveError, match="has no file in it"):
        scan(root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_named(folder: Path) -> None:
    tree = scan(folder)
    (folder / "README.txt").chmod(0)
    with pytest.raises(ArchiveError, match=r"README.txt can't be read: Permission denied"):
        read_all(tree)

    (folder / "docs").chmod(0)
    try:
        with pytest.raises(ArchiveError, match=r"docs/? can't be read: Permission denied"):
            scan(folder)
    finally:
        (folder / "docs").chmod(0o755)


@pytest.mark.parametrize("content", [b"longer than it was", b"short", b""])
def test_a_file_that_changes_its_size_meanwhile_is_named(folder: Path, content: bytes) -> None:
    tree = scan(folder)
    (folder / "README.txt").write_bytes(content)

    with pytest.raises(ArchiveError, match=r"README.txt changed while it was archived"):
        read_all(tree)


def test_a_file_that_becomes_a_link_meanwhile_is_not_followed(folder: Path) -> None:
    tree = scan(folder)
    (folder / "README.txt").unlink()
    (folder / "README.txt").symlink_to("/etc/hostname")

    with pytest.raises(ArchiveError, match=r"README.txt can't be read"):
        read_all(tree)


def test_the_recipe_changes_with_everything_that_shows_on_the_disc(tmp_path: Path) -> None:
    root = fill(tmp_path / "source", {"a": b"one", "b": b"two"})
    for name in ("a", "b"):
        os.utime(root / name, (1_700_000_000, 1_700_000_000))
    seen = [_recipe(root)]

    assert _recipe(root) == seen[0]
    (root / "a").write_bytes(b"eno")
    os.utime(root / "a", (1_700_000_000, 1_700_000_000))
    seen.append(_recipe(root))
    os.utime(root / "a", (1_700_000_001, 1_700_000_001))
    seen.append(_recipe(root))
    (root / "a").chmod(0o755)
    seen.append(_recipe(root))
    (root / "a").rename(root / "c")
    seen.append(_recipe(root))
    (root / "link").symlink_to("b")
    seen.append(_recipe(root))
    seen.append(_recipe(root, volume="OTHER"))

    assert len(set(seen)) == len(seen)


def test_owner_and_group_do_not_show_on_the_disc(folder: Path) -> None:
    before = _recipe(folder)
    (folder / "README.txt").chmod(0o600)

    assert _recipe(folder) == before


def _recipe(root: Path, volume: str = "TEST") -> str:
    tree = scan(root)
    return recipe_of({"volume": volume}, tree, read_all(tree))


def read_all(tree: Tree) -> dict[str, str]:
    """sha256 (hex) of each file, as mastering reads it."""
    digests: dict[str, str] = {}
    for entry in tree.files:
        with HashThread() as thread:
            source = SourceFile(tree.root, entry)
            source.hash_in(thread, at=lambda: 0)
            try:
                if entry.size:
                    source.read(entry.size)
            finally:
                source.close()
        digests[entry.path] = source.hexdigest()
    return digests
