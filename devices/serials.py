"""Serials of discs: 12 characters of Crockford's base 32, the last one a check character.

Responsible for making, checking and speaking them; must never touch the database.
"""

from __future__ import annotations

import secrets
from typing import Final

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 12

_VALUE: Final = {character: value for value, character in enumerate(CROCKFORD)}
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
# x^5 + x^2 + 1: with it 0..31 form the field GF(32), in which every number but 0 has an inverse.
_POLYNOMIAL: Final = 0b100101


def new_serial() -> str:
    """A random serial, e.g. `4K7P2M9XQR3T` (55 random bits; that it is unique is the database's word)."""
    body = "".join(secrets.choice(CROCKFORD) for _ in range(LENGTH - 1))
    return body + check_character(body)


def is_serial(text: str) -> bool:
    """Whether `text` is a serial as stored: upper case, no separators, its check character right."""
    if len(text) != LENGTH or any(character not in _VALUE for character in text):
        return False
    return check_character(text[:-1]) == text[-1]


def normalise(text: str) -> str:
    """What a person typed or a scanner read, as stored: O is 0, I and L are 1, separators are dropped."""
    bare = "".join(character for character in text if character not in "- \t")
    return bare.upper().translate(_READ_AS)


def spoken(serial: str) -> str:
    """The serial in groups of four, for labels and for reading aloud: `4K7P-2M9X-QR3T`."""
    return "-".join(serial[start : start + 4] for start in range(0, len(serial), 4))


def check_character(body: str) -> str:
    """The character that makes the weighted sum vanish.

    Character i counts 2^i in GF(32): all weights differ and none is 0, so that every single wrong
    character and every swap of two different neighbours changes the sum.
    """
    total = 0
    for character in body:  # Horner: after the loop character 0 has the highest weight
        total = _double(total ^ _VALUE[character])
    return CROCKFORD[total]


def _double(value: int) -> int:
    doubled = value << 1
    return doubled ^ _POLYNOMIAL if doubled & 0b100000 else doubled
