"""What stands on a paper, as plain values: all that a template may know."""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass
from typing import Final

# They make a line read differently from what it says, which an address or a title never needs.
_BIDI_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """One line of text as it can be printed: white space is single spaces, control characters are gone."""
    kept = (
        character
        for character in text
        if character.isspace() or (unicodedata.category(character) != "Cc" and character not in _BIDI_CONTROLS)
    )
    return " ".join("".join(kept).split())


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address in the order its country writes it; `country` is empty at home."""

    name: str
    organisation: str
    lines: tuple[str, ...]
    country: str


@dataclass(frozen=True, slots=True)
class LabelContent:
    reference: str
    sender: str
    carrier: str
    service: str
    recipient: Recipient


@dataclass(frozen=True, slots=True)
class SlipLine:
    """One line of a slip; `serials` are those of the discs in the parcel, in groups of four."""

    part_number: str
    title: str
    format: str
    copies: int
    serials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlipContent:
    shop: str
    reference: str
    ordered_on: dt.date
    service: str
    promised_on: dt.date | None
    recipient: Recipient
    lines: tuple[SlipLine, ...]

    @property
    def discs(self) -> int:
        return sum(line.copies for line in self.lines)


@dataclass(frozen=True, slots=True)
class FaceContent:
    """The face of one disc; `mini` is a disc of 8 cm. `serial` is bare, as stored."""

    title: str
    who: str
    part_number: str
    format: str
    mini: bool
    serial: str
