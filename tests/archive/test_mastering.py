"""Images of real folders, read back by the tools that other people use."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from archive.errors import ArchiveError
from archive.mastering import BIG_FILE, Written, master_folder
from archive.progress import WRITING, unwatched
from archive.readback import check_image
from archive.tree import scan
from tests.archive.conftest import contents, extract_with_7z, extract_with_xorriso, fill, listed, run

HARD_NAMES: Mapping[str, bytes] = {
    "é.txt": b"precomposed",
    "e\u0301.txt": b"decomposed",
    "日本/語.txt": b"nihongo",
    "🎵 songs/🐍.mp3": b"emoji",
    "case/readme": b"lower",
    "case/README": b"upper",
    "case/ReadMe": b"mixed",
    "dots/trailing.": b"one",
    "dots/trailing..": b"two",
    "dots/trailing": b"none",
    "dots/...": b"three dots",
    ".hidden/.file": b"hidden",
    "a b  c/ leading and trailing ": b"blanks",
    'quote\'s "and" $dollar;1': b"shell",
    "empty": b"",
    "a" * 64: b"64",
}
LONG_NAMES: Mapping[str, bytes] = {
    "x" * 255: b"255 bytes",
    "x" * 254 + "y": b"another 255 bytes",
    "é" * 127: b"254 bytes",
    "日" * 85: b"255 bytes",
    "🐍" * 63: b"252 bytes",
    "what? is: this* \\": b"not for Joliet",
}


def master(folder: Path, target: Path) -> Written:
    """The written image's digests and places, which are true."""
    tree = scan(folder)
    disc = master_folder(tree, "TEST_DISC")
    size = disc.size
    with target.open("w+b") as file:
        written = disc.write(file, unwatched)
    assert target.stat().st_size == size
    assert written.sha256 == digest(target)
    assert written.digests == {entry.path: digest(folder / entry.path, blake3) for entry in tree.files}
    check_image(target, tree, written.places)
    return written


def digest(path: Path, algorithm: Callable[[], Any] = hashlib.sha256) -> str:
    with path.open("rb") as file:
        return str(hashlib.file_digest(file, algorithm).hexdigest())


def test_every_name_and_byte_comes_out_again(tmp_path: Path) -> None:
    folder = fill(tmp_path / "source", HARD_NAMES)

    master(folder, tmp_path / "disc.iso")

    assert contents(extract_with_xorriso(tmp_path / "disc.iso", tmp_path / "rr")) == HARD_NAMES
    files = {f"/{name}" for name in HARD_NAMES}
    assert files <= listed(tmp_path / "disc.iso", "-R")


def test_joliet_readers_get_every_byte_and_every_legal_name(tmp_path: Path) -> None:
    legal = {name: content for name, content in HARD_NAMES.items() if not re.search(r"[*/:;?\\]|\.$", name)}
    master(fill(tmp_path / "source", legal), tmp_path / "disc.iso")

    assert contents(extract_with_7z(tmp_path / "disc.iso", tmp_path / "joliet")) == legal
    assert "Type = Iso" in run("7z", "t", tmp_path / "disc.iso")


def test_names_that_joliet_cannot_hold_bring_udf(tmp_path: Path) -> None:
    names = {**HARD_NAMES, **LONG_NAMES}
    master(fill(tmp_path / "source", names), tmp_path / "disc.iso")

    assert "Type = Udf" in run("7z", "t", tmp_path / "disc.iso")
    assert contents(extract_with_xorriso(tmp_path / "disc.iso", tmp_path / "rr")) == names
    through_udf = contents(extract_with_7z(tmp_path / "disc.iso", tmp_path / "udf"))
    # UDF's identifiers end at 253 bytes: of two names of 255 each loses its last characters.
    cut = {"x" * 255, "x" * 254 + "y"}
    assert {name: through_udf.get(name) for name in names if name not in cut} == {
        name: content for name, content in names.items() if name not in cut
    }
    assert sorted(through_udf.values()) == sorted(names.values())


def test_links_do_not_hide_udf_from_its_readers(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to("README.txt")
    (folder / "what?").write_bytes(b"needs UDF")
    master(folder, tmp_path / "disc.iso")

    assert contents(extract_with_7z(tmp_path / "disc.iso", tmp_path / "udf")) == contents(folder)
    assert (extract_with_xorriso(tmp_path / "disc.iso", tmp_path / "rr") / "link").readlink() == Path("README.txt")


@pytest.mark.parametrize("moved", ["rr_moved", "RR_MOVED"])
def test_deep_folders_come_out_as_deep(tmp_path: Path, moved: str) -> None:
    files = {"/".join(f"{side}{depth}" for depth in range(20)) + "/file": side.encode() for side in ("l", "r")}
    files |= {"/".join("abcdefgh"[:depth]) + "/file": b"%d" % depth for depth in range(1, 9)}
    files[f"{moved}/own"] = b"the source has such a folder itself"
    master(fill(tmp_path / "source", files), tmp_path / "disc.iso")

    assert contents(extract_with_xorriso(tmp_path / "disc.iso", tmp_path / "rr")) == files
    assert contents(extract_with_7z(tmp_path / "disc.iso", tmp_path / "udf")) == files


def test_five_thousand_files_in_one_folder_come_out(tmp_path: Path) -> None:
    files = {f"日本 {number:05}.txt": b"%d" % number * 50 for number in range(5000)}
    master(fill(tmp_path / "source", files), tmp_path / "disc.iso")

    assert contents(extract_with_xorriso(tmp_path / "disc.iso", tmp_path / "rr")) == files
    assert contents(extract_with_7z(tmp_path / "disc.iso", tmp_path / "joliet")) == files
    assert len(listed(tmp_path / "disc.iso", "-R")) == 5000


def test_links_empty_folders_modes_and_dates_are_kept(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to("docs/deeper/page.html")
    (folder / "nothing in here").mkdir()
    (folder / "bin/run").chmod(0o700)
    (folder / "README.txt").chmod(0o600)
    os.utime(folder / "README.txt", (1_234_567_890, 1_234_567_890))
    master(folder, tmp_path / "disc.iso")

    out = tmp_path / "rr"
    run("xorriso", "-osirrox", "on", "-indev", tmp_path / "disc.iso", "-extract", "/", out)
    assert (out / "link").readlink() == Path("docs/deeper/page.html")
    assert list((out / "nothing in here").iterdir()) == []
    assert (out / "README.txt").stat().st_mtime == 1_234_567_890
    assert (out / "README.txt").stat().st_mode & 0o7777 == 0o444
    assert (out / "bin/run").stat().st_mode & 0o7777 == 0o555
    run("chmod", "-R", "u+w", out)


def test_the_same_folder_gives_the_same_bytes_everywhere(folder: Path, tmp_path: Path) -> None:
    (folder / "needs: udf").write_bytes(b"as well")
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (1_700_000_000, 1_700_000_000))
    run("cp", "-a", folder, tmp_path / "copy")
    script = (
        "import sys; from pathlib import Path; from archive.mastering import master_folder;"
        "from archive.tree import scan; disc = master_folder(scan(Path(sys.argv[1])), 'TEST_DISC');"
        "disc.write(open(sys.argv[2], 'w+b'), lambda *_: None)"
    )
    master(folder, tmp_path / "one.iso")
    # Another process, at another moment, in another zone.
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "copy", tmp_path / "two.iso"],
        check=True,
        env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
    )

    assert (tmp_path / "one.iso").read_bytes() == (tmp_path / "two.iso").read_bytes()


def test_xorriso_finds_the_image_readable_to_its_end(folder: Path, tmp_path: Path) -> None:
    master(folder, tmp_path / "disc.iso")

    checked = run("xorriso", "-indev", tmp_path / "disc.iso", "-check_media", "--")
    assert re.search(rf"Media region :\s+0 ,\s+{(tmp_path / 'disc.iso').stat().st_size // 2048} , \+ good", checked)
    assert "Volume id: TEST_DISC" in run("isoinfo", "-d", "-i", tmp_path / "disc.iso")


@pytest.mark.parametrize("content", [b"REA", b"READ ME\n", b"read me, and more than before\n", b""])
def test_a_source_that_changes_before_it_is_written_is_found_out(folder: Path, tmp_path: Path, content: bytes) -> None:
    disc = master_folder(scan(folder), "TEST")
    (folder / "README.txt").write_bytes(content)

    with (
        (tmp_path / "disc.iso").open("w+b") as file,
        pytest.raises(ArchiveError, match=r"README.txt changed while it was archived"),
    ):
        disc.write(file, unwatched)
    disc.close()


def test_an_empty_file_that_is_filled_before_it_is_written_is_found_out(folder: Path, tmp_path: Path) -> None:
    disc = master_folder(scan(folder), "TEST")
    (folder / "empty").write_bytes(b"its copy has just ended")

    with (
        (tmp_path / "disc.iso").open("w+b") as file,
        pytest.raises(ArchiveError, match=r"empty changed while it was archived"),
    ):
        disc.write(file, unwatched)
    disc.close()


def test_a_source_that_the_system_can_not_read_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disc = master_folder(scan(folder), "TEST")

    def fails(descriptor: int, count: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("archive.sourcefile.os.read", fails)
    with (tmp_path / "disc.iso").open("w+b") as file, pytest.raises(ArchiveError, match=r"source/.* can't be read"):
        disc.write(file, unwatched)
    monkeypatch.undo()
    disc.close()


def test_a_source_that_changes_while_it_is_read_is_found_out(folder: Path, tmp_path: Path) -> None:
    (folder / "README.txt").write_bytes(b"x" * 5_000_000)
    disc = master_folder(scan(folder), "TEST")

    def watch(stage: str, done: int, total: int) -> None:
        if done > 3_000_000:
            os.utime(folder / "README.txt", (1_700_000_000, 1_700_000_000))

    with (
        (tmp_path / "disc.iso").open("w+b") as file,
        pytest.raises(ArchiveError, match=r"README.txt changed while it was archived"),
    ):
        disc.write(file, watch)
    disc.close()


def test_an_image_that_is_cut_short_does_not_read_back(folder: Path, tmp_path: Path) -> None:
    written = master(folder, tmp_path / "disc.iso")
    os.truncate(tmp_path / "disc.iso", 40_000)

    with pytest.raises(ArchiveError, match="doesn't read back"):
        check_image(tmp_path / "disc.iso", scan(folder), written.places)


@pytest.mark.parametrize("system", ["Rock Ridge", "Joliet"])
def test_folders_that_point_elsewhere_are_found_out(folder: Path, tmp_path: Path, system: str) -> None:
    """The place of README.txt, as its record in one file system has it, is moved by a sector."""
    written = master(folder, tmp_path / "disc.iso")
    name = {"Rock Ridge": b"README.TXT;1", "Joliet": "README.txt".encode("utf-16-be")}[system]
    image = bytearray((tmp_path / "disc.iso").read_bytes())
    record = image.index(name) - 33
    image[record + 2 : record + 6] = (int.from_bytes(image[record + 2 : record + 6], "little") + 1).to_bytes(
        4, "little"
    )
    (tmp_path / "disc.iso").write_bytes(image)

    with pytest.raises(ArchiveError, match=f"README.txt lies elsewhere on the made disc than {system} says"):
        check_image(tmp_path / "disc.iso", scan(folder), written.places)


def test_a_file_that_the_disc_does_not_name_is_found_out(folder: Path, tmp_path: Path) -> None:
    written = master(folder, tmp_path / "disc.iso")
    (folder / "later").write_bytes(b"")

    with pytest.raises(ArchiveError, match=r"later is not on the made disc \(Rock Ridge\)"):
        check_image(tmp_path / "disc.iso", scan(folder), written.places)


def test_progress_ends_at_its_total(folder: Path, tmp_path: Path) -> None:
    last: dict[str, tuple[int, int]] = {}

    def watch(stage: str, done: int, total: int) -> None:
        assert done <= total
        last[stage] = (done, total)

    disc = master_folder(scan(folder), "TEST")
    size = disc.size
    with (tmp_path / "disc.iso").open("w+b") as file:
        disc.write(file, watch)

    assert last == {WRITING: (size,) * 2}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_file_over_4_gib_comes_out_in_little_memory(tmp_path: Path) -> None:
    """About 14 GB of disk and a minute: `make test-long`."""
    root = fill(tmp_path / "source", {"small.txt": b"small"})
    size = BIG_FILE + 300 * 1024 * 1024 + 17
    with (root / "big.bin").open("wb") as file:
        for offset in range(0, size, 97 * 1024 * 1024):  # sparse, but not the same everywhere
            file.seek(offset)
            file.write(offset.to_bytes(8, "big") * 512)
        file.truncate(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    master(root, tmp_path / "disc.iso")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024
    assert "Type = Udf" in run("7z", "l", tmp_path / "disc.iso")
    for extract in (extract_with_xorriso, extract_with_7z):
        out = extract(tmp_path / "disc.iso", tmp_path / "out")
        run("cmp", root / "big.bin", out / "big.bin")
        run("rm", "-r", out)
