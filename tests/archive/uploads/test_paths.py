"""What an upload may hold: every fault is told before a byte is sent."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import ArchiveError
from archive.uploads.paths import MOST_DEEP, MOST_FILES, Sent, check, collisions, path_fault


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("../etc/passwd", "has a part '..'"),
        ("a/../../b", "has a part '..'"),
        ("a/./b", "has a part '.'"),
        ("a//b", "has a part ''"),
        ("a/", "has a part ''"),
        ("", "has a part ''"),
        ("/etc/passwd", "begins at a root"),
        ("a\0b", "has a character that can't be printed"),
        ("a\nb", "has a character that can't be printed"),
        ("\ud800", "has a character that can't be printed"),
        ("ü" * 128, "has a name of more than 255 bytes"),
        ("a/" * (MOST_DEEP + 1) + "b", "lies more than 32 folders deep"),
        ("a" * 200 + "/" + "b" * 200 + "/" + "c" * 700, "has more than 1000 characters"),
    ],
)
def test_a_path_that_leads_elsewhere_or_nowhere_is_refused(path: str, fault: str) -> None:
    assert path_fault(path).startswith(fault)
    with pytest.raises(ArchiveError) as refused:
        check([Sent(path, 1)])
    assert refused.value.field == "files"


@pytest.mark.parametrize("path", ["a", "a/b.txt", "…/x", "..a/b..", "C:\\x", "a b/ü", "a/" * MOST_DEEP + "b", " "])
def test_what_a_file_may_be_called_is_taken(path: str) -> None:
    assert path_fault(path) == ""


@given(st.text(st.sampled_from("a./\\\0é\u0301\n"), max_size=20))
def test_no_path_that_is_taken_leaves_its_folder(path: str) -> None:
    if not path_fault(path):
        joined = PurePosixPath("/staging") / path
        assert joined.parts[:2] == ("/", "staging")
        assert ".." not in joined.parts
        assert str(joined) == f"/staging/{path}", "one spelling, one file"


@pytest.mark.parametrize(
    ("paths", "wrong"),
    [
        (["Readme", "README"], 1),
        (["café", "cafe\u0301"], 1),
        (["A/x", "a/y"], 1),
        (["a", "a/b"], 1),
        (["a/b", "a"], 1),
        (["a", "a"], 1),
        (["a/x", "a/y", "a/z/x", "b"], 0),
        (["straße", "STRASSE"], 1),
    ],
)
def test_names_that_many_readers_take_for_one_are_refused(paths: list[str], wrong: int) -> None:
    assert len(collisions(paths)) == wrong


def test_a_list_is_refused_for_what_it_is_as_a_whole() -> None:
    for files, text in (
        ([], "there is none"),
        ([Sent(f"{number}", 1) for number in range(MOST_FILES + 1)], "10001 are too many"),
        ([Sent("a", 60 * 10**9)], "60.0 GB are too much even for Double-layer Blu-ray"),
        ([Sent("a", 0), Sent("b", 0)], "all of them are empty"),
        ([Sent("a", -1), Sent("b", 5)], "too much"),
    ):
        with pytest.raises(ArchiveError, match=text):
            check(files)


def test_the_first_wrong_paths_are_named_and_the_others_counted() -> None:
    with pytest.raises(ArchiveError) as refused:
        check([Sent(f"../{number}", 1) for number in range(8)])
    assert "«../4»" in refused.value.text
    assert "«../5»" not in refused.value.text
    assert "and 3 more" in refused.value.text
