"""File names as each file system on a disc can hold them. Pure; the same names in always give the same names out.

Rock Ridge keeps every name as it is. ISO 9660, Joliet and UDF get legal names, unique within their folder.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

ISO_LENGTH: Final = 30  # d-characters of name and extension together, without the dot (ECMA-119 7.5.1)
ISO_FOLDER_LENGTH: Final = 28  # of 31, because a folder that is moved to RR_MOVED may get three digits more
ISO_EXTENSION_LENGTH: Final = 8

# Joliet allows 64 UTF-16 units; pycdlib counts 64 bytes of UTF-8, which is never more.
JOLIET_BYTES: Final = 64
JOLIET_PATH_UNITS: Final = 120  # 240 bytes for a whole path (Joliet specification, 1995)
JOLIET_DEPTH: Final = 8
UDF_BYTES: Final = 253  # of 254 (UDF 2.60 2.3.4.2), one says whether a character takes one byte or two

NOT_JOLIET = re.compile(r"[\x00-\x1f*/:;?\\]")
LAST_DOTS = re.compile(r"\.(?=\.*\Z)")  # many readers drop them, and then take two files for one
NOT_D_CHARACTER = re.compile(r"[^A-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Spelling:
    """Whole paths of one entry, each starting with «/»."""

    iso: str
    joliet: str
    udf: str


def _d_characters(text: str) -> str:
    if text.isascii():  # nearly all are, and nothing in them can be taken apart
        return NOT_D_CHARACTER.sub("_", text.upper())
    plain = unicodedata.normalize("NFKD", text)
    kept = "".join(character for character in plain if not unicodedata.combining(character))
    return NOT_D_CHARACTER.sub("_", kept.upper())


def volume_name(title: str, otherwise: str) -> str:
    """A legal volume name of at most 16 characters (what Joliet takes), from the title or else from `otherwise`."""
    for text in (title, otherwise):
        name = re.sub("_+", "_", _d_characters(text)).strip("_")[:16].rstrip("_")
        if name:
            return name
    return "DISC"


def _numbered(names: Iterable[str], spell: Callable[[str, str], str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Give each name a spelling of its own: `spell(name, suffix)` with suffixes "", "_1", "_2" … until it is free.

    Names that need no change come first, so that a legal name always keeps itself.
    """
    used = set(taken)
    tried: dict[str, int] = {}
    spelt: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (spell(name, "") != name, name)):
        plain = candidate = spell(name, "")
        number = tried.get(plain, 0)
        while candidate in used:
            number += 1
            candidate = spell(name, f"_{number}")
        tried[plain] = number
        used.add(candidate)
        spelt[name] = candidate
    return spelt


def _spell_iso_file(name: str, suffix: str) -> str:
    stem, _, extension = name.rpartition(".") if "." in name[1:] else (name, "", "")
    extension = _d_characters(extension)[:ISO_EXTENSION_LENGTH]
    stem = _d_characters(stem) or "_"
    return f"{stem[: ISO_LENGTH - len(extension) - len(suffix)]}{suffix}.{extension}"


def _spell_iso_folder(name: str, suffix: str) -> str:
    return (_d_characters(name) or "_")[: ISO_FOLDER_LENGTH - len(suffix)] + suffix


def iso_names(files: Iterable[str], folders: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """ISO 9660 level 3 names of one folder's entries; files as «NAME.EXT;1», folders without a dot."""
    named = _numbered(folders, _spell_iso_folder, taken)
    # «FOO.» and the folder «FOO» differ on the disc, but many readers drop the dot.
    dotted = {f"{name}." for name in (*named.values(), *taken)}
    spelt = _numbered(files, _spell_iso_file, dotted)
    return named | {name: f"{iso};1" for name, iso in spelt.items()}


def _shorten(name: str, suffix: str, length: Callable[[str], int], limit: int) -> str:
    """Cut the stem, keep a short extension, until stem, suffix and extension fit the limit."""
    stem, dot, extension = name.rpartition(".") if "." in name[1:] else (name, "", "")
    if not suffix and length(name) <= limit:
        return name
    tail = suffix + dot + extension
    if length(tail) > limit // 2:
        stem, tail = name, suffix
    while length(stem + tail) > limit:
        stem = stem[:-1]
    return stem + tail


def _joliet_length(text: str) -> int:
    return len(text.encode())


def _udf_length(text: str) -> int:
    try:
        return len(text.encode("latin-1"))
    except UnicodeEncodeError:
        return len(text.encode("utf-16-be"))


def joliet_names(names: Iterable[str]) -> dict[str, str]:
    """Joliet names of one folder's entries.

    As they are, save `*/:;?\\`, control characters, dots at the end, and the length.
    """

    def spell(name: str, suffix: str) -> str:
        return LAST_DOTS.sub("_", _shorten(NOT_JOLIET.sub("_", name), suffix, _joliet_length, JOLIET_BYTES))

    return _numbered(names, spell)


def udf_names(names: Iterable[str]) -> dict[str, str]:
    """UDF names of one folder's entries: as they are, save the length."""
    return _numbered(names, lambda name, suffix: _shorten(name, suffix, _udf_length, UDF_BYTES))


def spell_tree(entries: Mapping[str, bool], moved: str = "RR_MOVED") -> dict[str, Spelling]:
    """Spell a whole tree. `entries` maps each path («a/b.txt», parents first) to whether it is a folder.

    `moved` is the folder at the root that Rock Ridge needs for deep trees, and which no entry may be called.
    """
    children: dict[str, list[str]] = {}
    for path in entries:
        parent, _, name = path.rpartition("/")
        children.setdefault(parent, []).append(name)
    spelt = {"": Spelling("", "", "")}
    for parent, names in children.items():
        above, prefix = spelt[parent], f"{parent}/" if parent else ""
        folders = [name for name in names if entries[prefix + name]]
        files = [name for name in names if not entries[prefix + name]]
        iso = iso_names(files, folders, () if parent else (moved,))
        joliet, udf = joliet_names(names), udf_names(names)
        for name in names:
            spelt[prefix + name] = Spelling(
                f"{above.iso}/{iso[name]}", f"{above.joliet}/{joliet[name]}", f"{above.udf}/{udf[name]}"
            )
    del spelt[""]
    return spelt


def outgrows_joliet(path: str, spelling: Spelling) -> bool:
    """Whether Joliet can't hold this path as it is, so that the disc needs UDF as well."""
    joliet = spelling.joliet
    return (
        joliet != f"/{path}"
        or joliet.count("/") > JOLIET_DEPTH
        or len(joliet.encode("utf-16-be")) // 2 > JOLIET_PATH_UNITS
    )
