"""Capacities are the field's, and nothing is sold on a disc it doesn't fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.formats import (
    CHOICES,
    FORMATS,
    RUN_OUT,
    SIZES,
    fits,
    fitting,
    format_bytes,
    sectors,
    smallest_format,
)
from devices.agent import wire


def test_formats_and_kinds_agree_with_the_wire() -> None:
    assert {key: format_.kinds for key, format_ in FORMATS.items()} == wire.KINDS
    assert [key for key, _ in CHOICES] == list(wire.FORMATS)


def test_capacity_is_the_smallest_of_the_kinds() -> None:
    assert {key: format_.capacity_sectors for key, format_ in FORMATS.items()} == {
        "cd": 359_844,
        "cd-mini": 94_500,
        "dvd": 2_236_704,
        "dvd-mini": 714_544,
        "dvd-dl": 4_171_712,
        "bd": 11_826_176,
        "bd-dl": 23_652_352,
    }


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 0), (1, 1), (2047, 1), (2048, 1), (2049, 2), (4096, 2), (5 * 2**30, 2_621_440)]
)
def test_a_started_sector_counts(size: int, expected: int) -> None:
    assert sectors(size) == expected


@pytest.mark.parametrize("key", FORMATS)
def test_the_run_out_needs_its_place(key: str) -> None:
    full = (FORMATS[key].capacity_sectors - RUN_OUT) * 2048

    assert fits(full, key)
    assert not fits(full + 1, key)


def test_smallest_format_goes_up_and_ends() -> None:
    found = [smallest_format(size * 10**6) for size in (1, 700, 740, 4_500, 4_700, 9_000, 25_000, 48_000)]

    assert [format_ and format_.key for format_ in found] == [
        "cd",
        "cd",
        "dvd",
        "dvd",
        "dvd-dl",
        "bd",
        "bd-dl",
        "bd-dl",
    ]
    assert smallest_format(50 * 10**9) is None


def test_minis_are_listed_but_never_chosen() -> None:
    assert [format_.key for format_ in fitting(10**6)] == list(FORMATS)
    assert not any("mini" in key for key in SIZES)


@given(st.integers(min_value=0, max_value=60 * 10**9))
def test_the_smallest_format_is_the_first_that_fits(size: int) -> None:
    smallest = smallest_format(size)

    assert (smallest.key if smallest else None) == next((key for key in SIZES if fits(size, key)), None)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (734_003_200, "734.0 MB"), (25 * 10**9, "25.0 GB")]
)
def test_sizes_read_as_on_the_box(size: int, text: str) -> None:
    assert format_bytes(size) == text
