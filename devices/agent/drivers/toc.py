"""Reads what `xorriso -outdev DEV -toc` says of the medium in a drive.

Pure: a text in, a Medium out. Must never guess a kind that the text doesn't show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.agent.drivers.kinds import is_rewritable

# The MMC profiles by libburn's names. Media of one profile are told apart by their size: each kind begins at so many
# sectors. None is no kind of ours (a DVD-RAM of 8 cm, a BD of 8 cm or of three layers).
Steps = tuple[tuple[int, str | None], ...]
DVD_DL: Final = 3_000_000
PROFILES: Final[Mapping[str, Steps]] = {
    "CD-R": ((1, "CD-R mini"), (200_000, "CD-R"), (460_000, None)),
    "CD-RW": ((1, "CD-RW mini"), (200_000, "CD-RW"), (460_000, None)),
    "DVD-R sequential recording": ((1, "DVD-R mini"), (1_000_000, "DVD-R")),
    "DVD-RW sequential recording": ((1, "DVD-RW mini"), (1_000_000, "DVD-RW")),
    "DVD-RW restricted overwrite": ((1, "DVD-RW mini"), (1_000_000, "DVD-RW")),
    "DVD+R": ((1, "DVD+R mini"), (1_000_000, "DVD+R")),
    "DVD+RW": ((1, "DVD+RW mini"), (1_000_000, "DVD+RW")),
    "DVD-RAM": ((1, None), (1_000_000, "DVD-RAM")),
    "DVD-R/DL sequential recording": ((1, None), (DVD_DL, "DVD-R DL")),
    "DVD-R/DL layer jump recording": ((1, None), (DVD_DL, "DVD-R DL")),
    "DVD+R/DL": ((1, None), (DVD_DL, "DVD+R DL")),
    "BD-R sequential recording": ((1, None), (10_000_000, "BD-R"), (14_000_000, "BD-R DL"), (30_000_000, None)),
    "BD-R random recording": ((1, None), (10_000_000, "BD-R"), (14_000_000, "BD-R DL"), (30_000_000, None)),
    "BD-RE": ((1, None), (10_000_000, "BD-RE"), (14_000_000, "BD-RE DL"), (30_000_000, None)),
}

CURRENT: Final = re.compile(r"^Media current: *(.+?) *$", re.MULTILINE)
STATUS: Final = re.compile(r"^Media status : *(.+?) *$", re.MULTILINE)
BLOCKS: Final = re.compile(r"^Media blocks : (\d+) readable , (\d+) writable , (\d+) overall", re.MULTILINE)
SUMMARY: Final = re.compile(r"^Media summary: (\d+) sessions?, (\d+) data blocks", re.MULTILINE)
VOLUME: Final = re.compile(r"^ISO (?:session|track) *: *\d+ , *(\d+) , *(\d+)s ,", re.MULTILINE)
UNKNOWN: Final = "is not recognizable"
# "is blank , but will need -close on" is fine: one session, closed, is all that is ever written here.
UNFIT: Final = ("next track is damaged", "no writable address")


@dataclass(frozen=True, slots=True)
class Medium:
    """What lies in the drive. `sectors`: what it takes once it is blank; zero where that can't be known."""

    name: str
    kind: str | None
    is_blank: bool
    is_damaged: bool
    sectors: int
    # What can be read from it: up to the end of its last ISO 9660 volume, else all that is readable.
    readable: int
    has_data: bool

    @property
    def is_rewritable(self) -> bool:
        return self.kind is not None and is_rewritable(self.kind)


def is_toc(text: str) -> bool:
    """Could the drive be opened at all?"""
    return CURRENT.search(text) is not None


def read_toc(text: str) -> Medium | None:
    """The medium, or None where the drive is empty or can't tell what lies in it."""
    current, status = CURRENT.search(text), STATUS.search(text)
    if current is None or status is None or current[1] == UNKNOWN or status[1] in ("is not present", UNKNOWN):
        return None
    blocks, summary = BLOCKS.search(text), SUMMARY.search(text)
    readable, writable, overall = (int(count) for count in blocks.groups()) if blocks else (0, 0, 0)
    is_blank = status[1].startswith("is blank")
    # A written one says how much is left; of a rewritable the whole counts.
    sectors = writable if is_blank else overall
    volumes = [int(first) + int(size) for first, size in VOLUME.findall(text)]
    return Medium(
        name=current[1],
        kind=kind_of(current[1], sectors),
        is_blank=is_blank,
        is_damaged=any(fault in status[1] for fault in UNFIT),
        sectors=sectors,
        readable=max(volumes, default=readable),
        has_data=bool(volumes) or (summary is not None and int(summary[2]) > 0),
    )


def kind_of(profile: str, sectors: int) -> str | None:
    """Our kind of a medium of this profile and size; None where it is none of ours."""
    found = None
    for least, kind in PROFILES.get(profile, ()):
        if sectors >= least:
            found = kind
    return found
