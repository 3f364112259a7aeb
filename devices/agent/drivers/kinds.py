"""Kinds of discs: how much each holds, and which can be written again. Pure.

The capacities are those of `archive/formats.py`, which the agent can't import; a test says that they agree.
"""

from __future__ import annotations

from typing import Final

from devices.agent.wire import SECTOR

# Linux reads ahead over the end of a CD's track: xorriso writes so many sectors behind it, and refuses without room.
RUN_OUT: Final = 150

# User data sectors of a blank: the least that media of this kind report.
SECTORS: Final[dict[str, int]] = {
    "CD-R": 359_844,
    "CD-RW": 359_844,
    "CD-R mini": 94_500,
    "CD-RW mini": 94_500,
    "DVD-R": 2_298_496,
    "DVD+R": 2_295_104,
    "DVD-RW": 2_298_496,
    "DVD+RW": 2_295_104,
    "DVD-RAM": 2_236_704,
    "DVD-R mini": 714_544,
    "DVD+R mini": 714_544,
    "DVD-RW mini": 714_544,
    "DVD+RW mini": 714_544,
    "DVD+R DL": 4_173_824,
    "DVD-R DL": 4_171_712,
    "BD-R": 12_219_392,
    "BD-RE": 11_826_176,
    "BD-R DL": 24_438_784,
    "BD-RE DL": 23_652_352,
}


def is_rewritable(kind: str) -> bool:
    return "RW" in kind or "RAM" in kind or "-RE" in kind


def sectors_of(size: int) -> int:
    """Sectors that `size` bytes take, the last one filled up."""
    return -(-size // SECTOR)


def has_run_out(format_: str) -> bool:
    return format_ in ("cd", "cd-mini")
