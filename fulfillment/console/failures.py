"""Why something failed, in a person's words, and what to do about it in one sentence: pure.

Agents say «keyword: words», or words alone; nobody at a drive reads keywords.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

# A keyword has a dash, save for some that agents refuse with.
_WORD: Final = r"(?:[a-z]+(?:-[a-z]+)+|cancelled|invalid|unauthorized)"
_KEYWORDS: Final = re.compile(rf"(?:{_WORD}:\s+)+")
_ALONE: Final = re.compile(rf"{_WORD}:?")
_AGAIN: Final = "Start the copy again."
# Of a read: what it says, and then what is the matter and what to do. The first that fits.
_UNREAD: Final = (
    (
        re.compile(r"^spool-area-full|No space left"),
        "was not read: it doesn't fit on the disk of {writer}. Remove images there, then start the copy again.",
    ),
    (
        re.compile(r"writer's disk"),
        "was not read: {why}. Look after the disk of {writer}, then start the copy again.",
    ),
    (
        re.compile(r"^media-needed"),
        "was not read: there is none in the drive. Put it in, close the tray, then start the copy again.",
    ),
    (re.compile(r"\bagent\b", re.IGNORECASE), "was not read: {why}. " + _AGAIN),
    (re.compile(r"^the driver\b"), "was not read: {why}. Try another drive."),
    (re.compile(rf"^{_WORD}:"), "was not read: {why}. Mend that, then start the copy again."),
)
_UNREADABLE: Final = "can't be read: {why}. Clean it, or try another drive."
# What agents and devices add for whoever asked them; the copy's page says it for itself.
_SAID_TO_ASK: Final = re.compile(r"(: ask for it again|\. Read the disc again)$")


def in_words(reason: str) -> str:
    """Without keywords; one that stands alone is at least written as words."""
    reason = reason.strip()
    if _ALONE.fullmatch(reason):
        return reason.rstrip(":").replace("-", " ")
    return _KEYWORDS.sub("", reason, count=1) if _KEYWORDS.match(reason) else reason


def not_read(disc: str, writer: str, reason: str) -> str:
    """disc: «The disc in Drive s1 of Writer 2». Cleaning is for a disc that can't be read, and for nothing else."""
    why = _SAID_TO_ASK.sub("", _said(reason))
    found = next((text for pattern, text in _UNREAD if pattern.search(reason)), _UNREADABLE)
    return f"{disc} {found.format(writer=writer, why=why)}"


def not_sent(writer: str, reason: str) -> str:
    if "spool-area-full" in reason:
        remedy = f"Remove images from the disk of {writer}, then start the copy again."
    elif "image-hash-mismatch" in reason:
        remedy = "Start the copy again; if it ends so again, archive the image anew."
    else:
        remedy = "Mend that, then start the copy again."
    return f"{writer} can't get the image: {_said(reason)}. {remedy}"


def not_asked(writer: str, reason: str) -> str:
    """Somebody withdrew the image that was to be sent."""
    return f"The image is not sent to {writer}: {_said(reason)}. {_AGAIN}"


def not_brought(writer: str, reason: str) -> str:
    """Some of what the fetch says is a whole sentence with its own remedy, which for a copy is to start it again."""
    return f"The image can't be brought from {writer}: {_SAID_TO_ASK.sub('', _said(reason))}. {_AGAIN}"


def refused(reasons: Sequence[str]) -> str:
    """Of writes: some may have been done, so that only what is missing is to be copied."""
    if not reasons:
        return "Its writer gave up the discs that were not begun. Look at the writer, and copy what is missing."
    why = "; ".join(dict.fromkeys(map(_said, reasons)))
    full = any("spool-area-full" in reason for reason in reasons)
    remedy = "Remove images from the writer's disk" if full else "Mend that"
    return f"Refused: {why}. {remedy}, and copy what is missing."


def _said(reason: str) -> str:
    return in_words(reason).rstrip(". ") or "no reason given"
