"""What an upload may be called and hold: pure. A path comes from a browser, and ends in a folder and on a disc."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from archive.errors import ArchiveError
from archive.formats import FORMATS, SIZES, format_bytes, smallest_format

MOST_FILES: Final = 10_000
MOST_DEEP: Final = 32  # folders in one another
MOST_BYTES: Final = 255  # of one name, as file systems count
MOST_CHARACTERS: Final = 1000  # of a whole path
NAMED: Final = 5  # wrong paths that a message names


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that is to come. `modified`: its date there, in milliseconds since 1970; None if nobody says."""

    path: str
    size: int
    modified: int | None = None


def check(files: Sequence[Sent]) -> None:
    """Raises ArchiveError naming what is wrong with a list of files, before a byte of them is sent."""
    if not files:
        raise ArchiveError("files", "there is none; choose a file, several, or a folder with files in it.")
    if len(files) > MOST_FILES:
        raise ArchiveError("files", f"{len(files)} are too many; pack them so that there are {MOST_FILES} at most.")
    wrong = [f"{_shown(file.path)} {fault}" for file in files if (fault := path_fault(file.path))]
    wrong += collisions([file.path for file in files]) if not wrong else []
    if wrong:
        more = f", and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise ArchiveError("files", "; ".join(wrong[:NAMED]) + more + ". Rename them and choose them again.")
    total = sum(file.size for file in files)
    if any(file.size < 0 for file in files) or smallest_format(total) is None:
        largest = FORMATS[SIZES[-1]]
        raise ArchiveError("files", f"{format_bytes(total)} are too much even for {largest.label}; send less at once.")
    if total == 0:
        raise ArchiveError("files", "all of them are empty; choose files with something in them.")


def path_fault(path: str) -> str:
    """Why a file can't have this path; empty if it can."""
    if len(path) > MOST_CHARACTERS:
        return f"has more than {MOST_CHARACTERS} characters"
    names = path.split("/")
    if len(names) - 1 > MOST_DEEP:
        return f"lies more than {MOST_DEEP} folders deep"
    if path.startswith("/"):
        return "begins at a root"
    for name in names:
        if name in {"", ".", ".."}:
            return f"has a part {name!r}, which no file is called"
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
            return "has a character that can't be printed"
        if len(name.encode()) > MOST_BYTES:
            return f"has a name of more than {MOST_BYTES} bytes"
    return ""


def collisions(paths: Sequence[str]) -> list[str]:
    """Pairs that many readers of a disc take for one: they differ in case or in how an accent is spelt; and a file
    where another one needs a folder."""
    seen: dict[str, tuple[str, bool]] = {}
    found: list[str] = []
    for path in paths:
        names = path.split("/")
        for end in range(1, len(names) + 1):
            here = ("/".join(names[:end]), end == len(names))
            known = seen.setdefault(_folded(here[0]), here)
            if known is not here and (known != here or known[1]):  # the same folder again is no news
                found.append(f"{_shown(here[0])} and {_shown(known[0])} would be one")
                break
    return found


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _shown(path: str) -> str:
    printable = "".join(character if character.isprintable() else "�" for character in path)
    return f"«{printable if len(printable) <= 80 else '…' + printable[-79:]}»"
