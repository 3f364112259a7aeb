"""Whatever files are called, every file system on the disc gets legal names, each its own."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archive.names import (
    iso_names,
    joliet_names,
    outgrows_joliet,
    spell_tree,
    udf_names,
    volume_name,
)

# What a Linux file may be called, as far as it is UTF-8: up to 255 bytes without «/» and NUL.
NAMES = (
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=255)
    .filter(lambda name: name not in {".", ".."})
    .filter(lambda name: len(name.encode()) <= 255)
)
NAME_LISTS = st.lists(NAMES, max_size=30, unique=True)

# Names that fall together when mangled.
CLASHES = ["a", "A", "a.", "á", "Á", "a_1", "日", "本", "日.本", "...", "x" * 255, "x" * 254, "x" * 254 + "y"]

ISO_FILE = re.compile(r"(?=.{2,31};1$)[A-Z0-9_]*\.[A-Z0-9_]*;1")
ISO_FOLDER = re.compile(r"[A-Z0-9_]{1,31}")


@given(NAME_LISTS, st.integers(min_value=1, max_value=4))
@example(CLASHES, 2)
def test_iso_names_are_legal_and_unique(names: list[str], step: int) -> None:
    folders = set(names[::step])
    files = [name for name in names if name not in folders]

    spelt = iso_names(files, folders, ["RR_MOVED"])

    assert spelt.keys() == set(names)
    assert all(ISO_FILE.fullmatch(spelt[name]) for name in files)
    assert all(ISO_FOLDER.fullmatch(spelt[name]) for name in folders)
    # Some readers show neither version nor a dot at the end.
    seen = [iso.removesuffix(";1").removesuffix(".") for iso in spelt.values()]
    assert len({*seen, "RR_MOVED"}) == len(seen) + 1


@given(NAME_LISTS)
@example(CLASHES)
def test_joliet_names_are_legal_and_unique(names: list[str]) -> None:
    spelt = joliet_names(names)

    assert spelt.keys() == set(names)
    assert len(set(spelt.values())) == len(names)
    for name, joliet in spelt.items():
        assert 1 <= len(joliet.encode("utf-16-be")) // 2 <= 64
        assert not re.search(r"[\x00-\x1f*/:;?\\]", joliet)
        assert not joliet.endswith(".")
        legal = len(name.encode()) <= 64 and not re.search(r"[\x00-\x1f*/:;?\\]|\.\Z", name)
        assert joliet == name or not legal


@given(NAME_LISTS)
@example(CLASHES)
def test_udf_names_fit_their_identifier_and_are_unique(names: list[str]) -> None:
    spelt = udf_names(names)

    assert spelt.keys() == set(names)
    assert len(set(spelt.values())) == len(names)
    for name, udf in spelt.items():
        one_byte = all(ord(character) < 256 for character in udf)
        assert len(udf.encode("latin-1" if one_byte else "utf-16-be")) <= 253
        assert udf == name or len(name.encode("utf-16-be")) > 252


@given(NAME_LISTS)
@example(CLASHES)
def test_the_order_of_the_names_changes_nothing(names: list[str]) -> None:
    shuffled = names[::2][::-1] + names[1::2]

    assert iso_names(names, []) == iso_names(shuffled, [])
    assert joliet_names(names) == joliet_names(shuffled)
    assert udf_names(names) == udf_names(shuffled)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("readme.txt", "README.TXT;1"),
        ("README", "README.;1"),
        ("é.jpeg", "E.JPEG;1"),
        (".bashrc", "_BASHRC.;1"),
        ("archive.tar.gz", "ARCHIVE_TAR.GZ;1"),
        ("日本.txt", "__.TXT;1"),
        ("a" * 40 + ".html", "A" * 26 + ".HTML;1"),
    ],
)
def test_iso_names_stay_readable(name: str, expected: str) -> None:
    assert iso_names([name], []) == {name: expected}


def test_a_legal_name_keeps_itself_against_a_mangled_one() -> None:
    assert iso_names(["é.TXT", "E.TXT"], []) == {"E.TXT": "E.TXT;1", "é.TXT": "E_1.TXT;1"}


def test_thousands_of_names_that_fall_together_are_told_apart() -> None:
    names = ["日" * 3 + chr(0x4E00 + number) for number in range(5000)]

    assert len(set(iso_names(names, []).values())) == 5000


def test_a_tree_is_spelt_along_its_paths() -> None:
    spelt = spell_tree({"Døcs": True, "Døcs/a:b.txt": False})

    assert spelt["Døcs"].iso == "/D_CS"
    assert spelt["Døcs/a:b.txt"].iso == "/D_CS/A_B.TXT;1"
    assert spelt["Døcs/a:b.txt"].joliet == "/Døcs/a_b.txt"
    assert spelt["Døcs/a:b.txt"].udf == "/Døcs/a:b.txt"


@pytest.mark.parametrize(
    ("path", "outgrown"),
    [
        ("plain.txt", False),
        ("日本.txt", False),
        ("a" * 64, False),
        ("a" * 65, True),
        ("what?.txt", True),
        ("and so on ...", True),
        ("/".join("abcdefgh"), False),
        ("/".join("abcdefghi"), True),
        ("/".join(["x" * 40] * 3), True),
    ],
)
def test_joliet_is_outgrown_by_what_it_cannot_hold(path: str, outgrown: bool) -> None:
    parts = path.split("/")
    entries = {"/".join(parts[: depth + 1]): depth + 1 < len(parts) for depth in range(len(parts))}

    assert outgrows_joliet(path, spell_tree(entries)[path]) is outgrown


@given(st.text(max_size=300), st.sampled_from(["P-1001", "-"]))
def test_volume_names_are_legal(title: str, part_number: str) -> None:
    assert re.fullmatch(r"[A-Z0-9_]{1,16}", volume_name(title, part_number))


@pytest.mark.parametrize(
    ("title", "expected"),
    [("Django 5.2: the documentation", "DJANGO_5_2_THE_D"), ("日本", "P_1001"), ("Édith", "EDITH")],
)
def test_volume_names_come_from_the_title(title: str, expected: str) -> None:
    assert volume_name(title, "P-1001") == expected
