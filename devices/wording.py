"""What people read of a drive: its name, and why it does not do what it should. Pure; decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# What agents say in keywords. A user's own driver may say it in words: these stay as they are.
_REASONS: Final = {
    "paused": "drained by an operator",
    "media-empty": "its blanks are used up",
    "media-jam": "a disc is stuck",
    "media-used": "the disc in it is not blank",
    "writer-failure": "it failed several discs in a row",
    "orphan-burner": "a burner of an earlier agent still holds it",
    "door-open": "its door is open",
    "output-area-full": "a written disc is in its way",
    "media-needed": "it wants a blank",
}


def drive_name(ident: str) -> str:
    """«Drive 2» of d2, «Source 1» of s1; any other name as its owner gave it."""
    number = re.fullmatch(r"([ds])0*([0-9]+)", ident)
    return f"{'Drive' if number[1] == 'd' else 'Source'} {number[2]}" if number else f"Drive {ident}"


def bin_name(name: str) -> str:
    """A drive's own bin has the drive's name; others are called as their machine calls them."""
    return drive_name(name) if re.fullmatch(r"[ds][0-9]+", name) else name


def reasons_text(reasons: Iterable[str]) -> str:
    """«its door is open, a disc is stuck»; empty without a reason."""
    return ", ".join(_REASONS.get(each, each.replace("-", " ")) for each in reasons)


def format_name(key: str) -> str:
    """«CD», «DVD DL»: short, as it stands on a bin."""
    return key.upper().replace("-", " ")


def blanks_text(left: dict[str, int]) -> str:
    """«1 CD and 3 DVD blanks» of a count per format; at least one format."""
    counts = " and ".join(f"{count} {format_name(key)}" for key, count in left.items())
    return f"{counts} blank{'' if sum(left.values()) == 1 else 's'}"
