"""What can be copied where, and the words beside what can't: one table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.formats import FORMATS
from fulfillment.console import fitting
from fulfillment.console.fitting import DriveFacts, ImageFacts, UnitFacts

D1: Final = DriveFacts("d1", frozenset({"cd", "dvd"}))
D2: Final = DriveFacts("d2", frozenset({"cd"}))
UNIT: Final = UnitFacts("Writer 1", copiers=(D1, D2), capacity=10_000_000_000, blanks={"cd": 5})
SONGS: Final = ImageFacts("ab" * 32, 600_000_000)
FILM: Final = ImageFacts("cd" * 32, 4_000_000_000)
UNREAD: Final = ImageFacts()


def unit(**values: Any) -> UnitFacts:
    return replace(UNIT, **values)


def with_d1(**values: Any) -> UnitFacts:
    return replace(UNIT, copiers=(replace(D1, **values), D2))


@pytest.mark.parametrize(
    ("unit", "image", "key", "drives", "copies", "field", "text"),
    [
        # the unit
        (unit(enabled=False), SONGS, "cd", ("d1",), 1, "unit", "Writer 1: It is switched off."),
        (unit(state="offline"), SONGS, "cd", ("d1",), 1, "unit", "Writer 1: It is offline."),
        (unit(blocking="Two agents report."), SONGS, "cd", ("d1",), 1, "unit", "Writer 1: Two agents report."),
        (
            unit(suspect=True),
            SONGS,
            "cd",
            ("d1",),
            1,
            "unit",
            "Writer 1: Nothing was heard of it for more than 30 seconds.",
        ),
        (unit(draining=True), SONGS, "cd", ("d1",), 1, "unit", "Writer 1: It is draining: it takes no new work."),
        (unit(maintenance=True), SONGS, "cd", ("d1",), 1, "unit", "Writer 1: It is in maintenance."),
        (unit(copiers=()), UNREAD, "cd", ("d1",), 1, "unit", "Writer 1: It has no drive that writes."),
        # the image
        (UNIT, replace(SONGS, waits="It is being mastered."), "cd", ("d1",), 1, "from", "It is being mastered."),
        (UNIT, replace(FILM, size=30 * 10**9), "dvd", ("d1",), 1, "from", "30.0 GB: no drive of Writer 1 takes a disc"),
        (
            unit(capacity=10**8),
            SONGS,
            "cd",
            ("d1",),
            1,
            "from",
            "600.0 MB don't fit on the disk of Writer 1: it holds 100",
        ),
        # the format
        (UNIT, SONGS, "", ("d1",), 1, "format", "Choose a kind of disc."),
        (UNIT, SONGS, "laser-disc", ("d1",), 1, "format", "Choose a kind of disc."),
        (UNIT, SONGS, "bd", ("d1",), 1, "format", "Blu-ray: No drive of Writer 1 takes it."),
        (UNIT, FILM, "cd", ("d1",), 1, "format", "CD: Too small for 4.0 GB."),
        (UNIT, replace(SONGS, layout="audio"), "dvd", ("d1",), 1, "format", "DVD: Audio goes on CDs only."),
        # the copies
        (UNIT, SONGS, "cd", ("d1",), 0, "copies", "Between 1 and 1000 copies."),
        (UNIT, SONGS, "cd", ("d1",), 1001, "copies", "Between 1 and 1000 copies."),
        (UNIT, SONGS, "cd", ("d1", "d2"), 1, "copies", "2 drives for 1 copy: choose fewer drives, or more copies."),
        (UNIT, SONGS, "cd", ("d1",), 6, "copies", "5 CD blanks left in Writer 1. Load some."),
        (unit(blanks={"cd": 0}), SONGS, "cd", ("d1",), 1, "copies", "No CD blanks left in Writer 1. Load some."),
        # the drives
        (UNIT, SONGS, "cd", (), 1, "drive", "Choose a drive."),
        (UNIT, SONGS, "cd", ("d9",), 1, "drive", "Writer 1 has no copier d9."),
        (UNIT, FILM, "dvd", ("d2",), 1, "drive", "Drive 2: It takes no DVD."),
        (with_d1(held_by="user:2 bert"), SONGS, "cd", ("d1",), 1, "drive", "Drive 1: Held for a copy by user:2 bert."),
        (with_d1(blocked="Service is due."), SONGS, "cd", ("d1",), 1, "drive", "Drive 1: Service is due."),
        (with_d1(state="busy"), SONGS, "cd", ("d1",), 1, "drive", "Drive 1: It is working now."),
        (
            with_d1(state="stopped", reasons=("door-open",)),
            SONGS,
            "cd",
            ("d1",),
            1,
            "drive",
            "Drive 1: It is stopped: it",
        ),
        (
            with_d1(wants="take-out"),
            SONGS,
            "cd",
            ("d1",),
            1,
            "drive",
            "Drive 1: A written disc is to",
        ),
    ],
)
def test_one_fault_is_told_at_its_field(
    unit: UnitFacts, image: ImageFacts, key: str, drives: tuple[str, ...], copies: int, field: str, text: str
) -> None:
    assert fitting.faults(unit, image, key, drives, copies)[field].startswith(text)


@pytest.mark.parametrize(
    ("unit", "image", "key", "drives", "copies"),
    [
        (UNIT, SONGS, "cd", ("d1", "d2"), 5),
        (UNIT, FILM, "dvd", ("d1",), 1000),  # nobody counts the DVD blanks
        (UNIT, UNREAD, "dvd", ("d1",), 1),
        (with_d1(wants="blank"), SONGS, "cd", ("d1",), 1),
        (with_d1(state="busy"), SONGS, "cd", ("d2",), 1),  # a neighbour's trouble is no fault of the one chosen
        (UNIT, replace(SONGS, layout="audio"), "cd", ("d1",), 1),
    ],
)
def test_what_fits_has_no_fault(
    unit: UnitFacts, image: ImageFacts, key: str, drives: tuple[str, ...], copies: int
) -> None:
    assert fitting.faults(unit, image, key, drives, copies) == {}


@given(size=st.integers(1, 60_000_000_000), keys=st.frozensets(st.sampled_from(sorted(FORMATS))))
def test_an_image_is_grey_exactly_when_every_format_is(size: int, keys: frozenset[str]) -> None:
    image, writer = ImageFacts("ab" * 32, size), UnitFacts("W", copiers=(DriveFacts("d1", keys),))
    all_grey = all(fitting.format_fault(key, image, writer) for key in FORMATS)
    assert bool(fitting.image_fault(image, writer)) == all_grey
