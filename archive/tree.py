"""A source folder as it stands: what is in it, what of that can't go on a disc, and its digests.

Follows no symbolic link, and never changes anything in the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from archive.errors import ArchiveError
from archive.names import Spelling, spell_tree

MAX_FOLDERS: Final = 65_000  # a path table numbers parents in 16 bits (ECMA-119 9.4.4)
MAX_TIME: Final = 2**32 - 1  # Rock Ridge and UDF dates are fine until 2106


class EntryKind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the folder. `path` is relative with «/»; `time` in seconds since 1970, UTC, as a disc has it."""

    path: str
    kind: EntryKind
    time: int
    size: int = 0
    executable: bool = False
    target: str = ""
    changed_ns: int = 0  # by which a change is noticed; not on the disc


@dataclass(frozen=True)  # without slots: its spelling is kept
class Tree:
    """A folder's entries, parents before children, in the order of their names' bytes."""

    root: Path
    entries: tuple[Entry, ...]

    @property
    def files(self) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.kind is EntryKind.FILE)

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.files)

    @cached_property
    def spelt(self) -> dict[str, Spelling]:
        """How each file system on a disc spells each entry, by its path."""
        return spell_tree({entry.path: entry.kind is EntryKind.FOLDER for entry in self.entries})

    @property
    def newest(self) -> int:
        return max(entry.time for entry in self.entries)


def scan(root: Path) -> Tree:
    """List a folder. Raises ArchiveError naming the first entry that can't go on a disc."""
    real_root = root.resolve()
    found: list[Entry] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(real_root / prefix) as listing:
                for item in listing:
                    found.append(_entry(real_root, prefix, item))
                    if found[-1].kind is EntryKind.FOLDER:
                        waiting.append(f"{found[-1].path}/")
        except OSError as error:
            raise ArchiveError("source", f"{error.filename} can't be read: {error.strerror}.") from error
    found.sort(key=lambda entry: entry.path.encode().split(b"/"))
    if not any(entry.kind is EntryKind.FILE for entry in found):
        raise ArchiveError("source", f"{root} has no file in it; give a folder with the title's files.")
    if sum(entry.kind is EntryKind.FOLDER for entry in found) > MAX_FOLDERS:
        raise ArchiveError("source", f"{root} has more than {MAX_FOLDERS} folders; pack some of them.")
    return Tree(real_root, tuple(found))


def _entry(root: Path, prefix: str, item: os.DirEntry[str]) -> Entry:
    path = prefix + item.name
    try:
        item.name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise ArchiveError("source", f"the name of {shown} is not UTF-8; rename it.") from None
    status = item.stat(follow_symlinks=False)
    time = min(max(int(status.st_mtime), 1), MAX_TIME)
    if stat.S_ISREG(status.st_mode):
        executable = bool(status.st_mode & 0o111)
        return Entry(path, EntryKind.FILE, time, status.st_size, executable, changed_ns=status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return Entry(path, EntryKind.FOLDER, time)
    if stat.S_ISLNK(status.st_mode):
        return Entry(path, EntryKind.LINK, time, target=_inner_target(root, Path(item.path)))
    raise ArchiveError(
        "source", f"{item.path} is neither a file, a folder nor a link; a disc can't hold it: remove it."
    )


def _inner_target(root: Path, link: Path) -> str:
    target = os.readlink(link)  # noqa: PTH115 - Path.readlink would tidy the target up
    try:
        target.encode()
    except UnicodeEncodeError:
        raise ArchiveError("source", f"the link {link} points to a name that is not UTF-8.") from None
    # realpath also follows links in the middle, and takes a missing end as it is written.
    inside = Path(os.path.realpath(link)).is_relative_to(root)
    if target.startswith("/") or not inside:
        raise ArchiveError(
            "source",
            f"the link {link} points out of the folder (to {target}); "
            "put what it points to into the folder, or remove the link.",
        )
    return target


def changed(path: Path) -> ArchiveError:
    return ArchiveError("source", f"{path} changed while it was archived; leave it alone and add it again.")


def recipe_of(options: Mapping[str, object], tree: Tree, digests: Mapping[str, str]) -> str:
    """sha256 (hex) over everything that decides an image's bytes: options, then each entry in order.

    Canonical JSON, one line each, so that nothing has to be held in memory twice.
    """
    digest = hashlib.sha256()

    def take(value: object) -> None:
        digest.update(json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n")

    take(options)
    for entry in tree.entries:
        what = {EntryKind.FILE: digests.get(entry.path, ""), EntryKind.LINK: entry.target}.get(entry.kind, "")
        take([entry.path, entry.kind.value, entry.time, entry.size, entry.executable, what])
    return digest.hexdigest()
