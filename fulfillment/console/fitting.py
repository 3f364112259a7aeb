"""What can be copied where, and why not: pure. The page shows these words beside what is grey, and the door that
starts a copy asks the same functions. An empty text means that it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from archive.formats import FORMATS, fits, format_bytes
from devices.wording import drive_name, reasons_text

AUDIO_FORMATS: Final = ("cd", "cd-mini")
MOST_COPIES: Final = 1000  # discs of one copy


@dataclass(frozen=True, slots=True)
class DriveFacts:
    """A drive as far as this copy is concerned."""

    ident: str
    formats: frozenset[str]
    state: str = "idle"
    reasons: tuple[str, ...] = ()
    held_by: str = ""  # somebody who holds it for another copy
    blocked: str = ""  # why its counters keep it from working
    wants: str = ""  # what it waits for from a person


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A writer as far as copies are concerned."""

    name: str
    state: str = "idle"
    enabled: bool = True
    draining: bool = False
    maintenance: bool = False
    suspect: bool = False  # nothing was heard of it for longer than it should take
    blocking: str = ""  # the reason that only a person ends
    capacity: int | None = None  # bytes of its disk; room is made where there is none
    copiers: tuple[DriveFacts, ...] = ()
    blanks: Mapping[str, int] = field(default_factory=dict)  # per format, where they can be counted


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is to be copied. A disc that is still to be read has neither digest nor size."""

    sha256: str = ""
    size: int | None = None
    layout: str = "iso"
    waits: str = ""  # why it can't be had now


def unit_fault(unit: UnitFacts) -> str:
    """Why nothing can be copied with this writer now."""
    if not unit.enabled:
        return "It is switched off."
    if unit.state == "offline":
        return "It is offline."
    if unit.blocking:
        return unit.blocking
    if unit.suspect:
        return "Nothing was heard of it for more than 30 seconds."
    if unit.draining or unit.maintenance:
        return "It is draining: it takes no new work." if unit.draining else "It is in maintenance."
    if not unit.copiers:
        return "It has no drive that writes."
    return ""


def image_fault(image: ImageFacts, unit: UnitFacts) -> str:
    """Why this image can't be copied with this writer, whatever is chosen next."""
    if image.waits:
        return image.waits
    if not any(not format_fault(key, image, unit) for key in FORMATS):
        return _no_format(image, unit)
    if image.size is not None and unit.capacity is not None and image.size > unit.capacity:
        return (
            f"{format_bytes(image.size)} don't fit on the disk of {unit.name}: it holds {format_bytes(unit.capacity)}."
        )
    return ""


def _no_format(image: ImageFacts, unit: UnitFacts) -> str:
    if image.layout == "audio":
        return f"No drive of {unit.name} takes audio CDs."
    size = format_bytes(image.size) if image.size is not None else "It"
    return f"{size}: no drive of {unit.name} takes a disc of that size."


def format_fault(key: str, image: ImageFacts, unit: UnitFacts) -> str:
    """Why the image can't be copied to discs of this format there."""
    if not any(key in drive.formats for drive in unit.copiers):
        return f"No drive of {unit.name} takes it."
    if image.layout == "audio" and key not in AUDIO_FORMATS:
        return "Audio goes on CDs only."
    if image.size is not None and not fits(image.size, key):
        return f"Too small for {format_bytes(image.size)}."
    return ""


def blanks_fault(key: str, copies: int, unit: UnitFacts) -> str:
    left = unit.blanks.get(key)
    if left is None or left >= copies:
        return ""
    label = FORMATS[key].label
    return f"{left or 'No'} {label} blank{'' if left == 1 else 's'} left in {unit.name}. Load some."


def drive_fault(drive: DriveFacts, key: str) -> str:
    """Why this copier can't be taken for discs of this format; an empty key asks for none."""
    if drive.held_by:
        return f"Held for a copy by {drive.held_by}."
    if drive.blocked:
        return drive.blocked
    if drive.state in {"stopped", "offline"}:
        return f"It is {drive.state}{': ' + reasons_text(drive.reasons) if drive.reasons else ''}."
    if drive.wants == "take-out":
        return "A written disc is to be taken out first."
    if drive.state == "busy":
        return "It is working now."
    if key and key not in drive.formats:
        return f"It takes no {FORMATS[key].label}."
    return ""


def source_fault(unit: UnitFacts, drive: DriveFacts) -> str:
    """Why the disc in this source drive can't be read now. A writer that drains still reads."""
    if not unit.enabled or unit.state == "offline" or unit.blocking or unit.suspect:
        return unit_fault(unit)
    return drive_fault(drive, "")


def faults(unit: UnitFacts, image: ImageFacts, key: str, drives: tuple[str, ...], copies: int) -> dict[str, str]:
    """What is wrong with a whole choice, by the field that is to be changed; empty when it can be started."""
    fault = unit_fault(unit)
    found = {"unit": f"{unit.name}: {fault}" if fault else "", "from": image_fault(image, unit)}
    found["format"] = _format_choice(key, image, unit)
    found["copies"] = _copies_choice(key, drives, copies, unit)
    found["drive"] = _drives_choice(unit, key, drives)
    return {name: text for name, text in found.items() if text}


def _format_choice(key: str, image: ImageFacts, unit: UnitFacts) -> str:
    if key not in FORMATS:
        return "Choose a kind of disc."
    fault = format_fault(key, image, unit)
    return f"{FORMATS[key].label}: {fault}" if fault else ""


def _copies_choice(key: str, drives: tuple[str, ...], copies: int, unit: UnitFacts) -> str:
    if not 1 <= copies <= MOST_COPIES:
        return f"Between 1 and {MOST_COPIES} copies."
    if len(drives) > copies:
        wanted = f"{copies} cop{'y' if copies == 1 else 'ies'}"
        return f"{len(drives)} drives for {wanted}: choose fewer drives, or more copies."
    return blanks_fault(key, copies, unit) if key in FORMATS else ""


def _drives_choice(unit: UnitFacts, key: str, drives: tuple[str, ...]) -> str:
    if not drives:
        return "Choose a drive."
    copiers = {drive.ident: drive for drive in unit.copiers}
    for ident in drives:
        if ident not in copiers:
            return f"{unit.name} has no copier {ident}."
        if fault := drive_fault(copiers[ident], key if key in FORMATS else ""):
            return f"{drive_name(ident)}: {fault}"
    return ""
