"""Disc formats as they are sold and planned, and what fits on them. Pure arithmetic in 2,048-byte sectors.

A format's capacity is the smallest of its kinds, so that whatever blank is loaded takes the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SECTOR: Final = 2048

# xorriso and most readers want 150 sectors after the data (two seconds, ECMA-130's post-gap): they count.
RUN_OUT: Final = 150

# User data sectors of a blank, per kind: the least that media of this kind report.
KIND_SECTORS: Final[dict[str, int]] = {
    "CD-R": 359_844,  # 79:57:74 in MSF, the 80-minute disc (Orange Book part II)
    "CD-RW": 359_844,  # the same length (Orange Book part III); real blanks vary by seconds
    "CD-R mini": 94_500,  # 21 minutes × 60 × 75, 8 cm
    "CD-RW mini": 94_500,
    "DVD-R": 2_298_496,  # ECMA-359, 12 cm
    "DVD+R": 2_295_104,  # ECMA-349
    "DVD-RW": 2_298_496,  # ECMA-338: as DVD-R
    "DVD+RW": 2_295_104,  # ECMA-337
    "DVD-RAM": 2_236_704,  # ECMA-330, with its spare areas taken off
    "DVD-R mini": 714_544,  # 8 cm
    "DVD+R mini": 714_544,
    "DVD-RW mini": 714_544,
    "DVD+RW mini": 714_544,
    "DVD+R DL": 4_173_824,  # ECMA-364
    "DVD-R DL": 4_171_712,  # ECMA-382
    "BD-R": 12_219_392,  # 25 GB layer without spare areas
    "BD-RE": 11_826_176,  # with the default spare areas, which a rewritable needs
    "BD-R DL": 24_438_784,
    "BD-RE DL": 23_652_352,
}


@dataclass(frozen=True, slots=True)
class Format:
    """What a customer chooses. `capacity_sectors` holds for every one of its kinds."""

    key: str
    label: str
    capacity_sectors: int
    kinds: tuple[str, ...]


def _format(key: str, label: str, *kinds: str) -> Format:
    return Format(key, label, min(KIND_SECTORS[kind] for kind in kinds), kinds)


FORMATS: Final[dict[str, Format]] = {
    format_.key: format_
    for format_ in (
        _format("cd", "CD", "CD-R", "CD-RW"),
        _format("cd-mini", "Mini CD", "CD-R mini", "CD-RW mini"),
        _format("dvd", "DVD", "DVD-R", "DVD+R", "DVD-RW", "DVD+RW", "DVD-RAM"),
        _format("dvd-mini", "Mini DVD", "DVD-R mini", "DVD+R mini", "DVD-RW mini", "DVD+RW mini"),
        _format("dvd-dl", "Double-layer DVD", "DVD+R DL", "DVD-R DL"),
        _format("bd", "Blu-ray", "BD-R", "BD-RE"),
        _format("bd-dl", "Double-layer Blu-ray", "BD-R DL", "BD-RE DL"),
    )
}

# Minis cost more than full discs and jam slot drives: they are chosen only when somebody asks for one.
SIZES: Final = ("cd", "dvd", "dvd-dl", "bd", "bd-dl")

CHOICES: Final[list[tuple[str, str]]] = [(format_.key, format_.label) for format_ in FORMATS.values()]


def sectors(size: int) -> int:
    """Sectors that `size` bytes take, the last one filled up."""
    return -(-size // SECTOR)


def fits(size: int, key: str) -> bool:
    """Whether an image of `size` bytes, run-out included, fits every kind of the format `key`."""
    return sectors(size) + RUN_OUT <= FORMATS[key].capacity_sectors


def fitting(size: int) -> tuple[Format, ...]:
    """Every format, minis too, that takes an image of `size` bytes; in the order of `FORMATS`."""
    return tuple(format_ for key, format_ in FORMATS.items() if fits(size, key))


def smallest_format(size: int) -> Format | None:
    """The smallest full-size format that takes an image of `size` bytes; None when not even the largest does."""
    return next((FORMATS[key] for key in SIZES if fits(size, key)), None)


def format_bytes(size: int) -> str:
    """«734.0 MB»: for people, in powers of ten as media are sold."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
