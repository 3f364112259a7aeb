"""The layout `audio`: an uncompressed tar of `disc.cue`, then `disc.bin`, as it lies on the writer's disk.

Must never unpack by a name that the tar gives: it says where in the file the two parts lie.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CUE: Final = "disc.cue"
BIN: Final = "disc.bin"
AUDIO_SECTOR: Final = 2352


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes in the image's file."""

    name: str
    offset: int
    size: int


class AudioFaultError(Exception):
    """The image is no such tar: the text says why."""


def parts_of(image: Path) -> tuple[Part, Part]:
    """The cue sheet and the samples. Raises AudioFaultError, OSError."""
    try:
        with tarfile.open(image, "r:") as tar:
            members = tar.getmembers()
    except tarfile.TarError as fault:
        raise AudioFaultError(f"it is no uncompressed tar: {fault}") from fault
    names = [member.name for member in members]
    if names != [CUE, BIN] or not all(member.isreg() for member in members):
        raise AudioFaultError(f"it has to hold {CUE}, then {BIN}, and nothing else")
    cue, samples = (Part(member.name, member.offset_data, member.size) for member in members)
    if not samples.size or samples.size % AUDIO_SECTOR:
        raise AudioFaultError(f"{BIN} has {samples.size} bytes, no whole number of audio sectors")
    if samples.offset + samples.size > image.stat().st_size:
        raise AudioFaultError(f"it is cut off within {BIN}")
    return cue, samples
