"""A drive as it is shown: a ring with a word, and what it wants of a person. Pure: values in, values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from archive.formats import FORMATS
from devices.resource_file import DriveFile
from devices.serials import spoken
from devices.states import DiscState, DriveState
from devices.wear import Level
from devices.wording import drive_name, reasons_text

# What a person does, as the button says it, and the word that the button passes on to the drive.
_VERBS: Final = {"blank": ("loaded", "Blank is in"), "take-out": ("taken-out", "Taken out and marked")}
# A disc that nobody may ship, and what to do with it.
_APART: Final = {
    DiscState.BAD: "This disc is bad: mark it and put it to the bad ones.",
    DiscState.UNKNOWN: "Nobody knows whether this disc is good: mark it and put it aside for inspection.",
}
# The two reasons of hand-fed drives, which are said by what is asked.
_ASKED: Final = {"media-needed", "output-area-full"}
_PROGRAMS: Final = {"tick": "Spindle", "agent": "its agent"}
PAUSED: Final = "paused"
_WEAR: Final = {Level.WARN: "service due", Level.BLOCK: "service overdue"}


@dataclass(frozen=True, slots=True)
class DiscFact:
    """What is known here of a disc in a drive."""

    state: str
    format: str
    title: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What a drive waits for a person to do."""

    drive: str
    name: str  # Drive 2
    verb: str  # loaded or taken-out
    say: str  # insert a DVD
    kinds: str  # DVD-R or DVD+R
    serial: str  # of the disc that is meant; may be empty
    mark: str  # the serial in groups of four, where it is to be written on the disc
    care: str  # what is special about this disc
    button: str
    since: datetime | None

    @property
    def token(self) -> str:
        """Which waiting is meant: an answer to an earlier one must not count for this one."""
        return waiting_token(self.since)

    def of(self, writer: str = "") -> str:
        """One sentence that says it all; without a writer where its page says which one."""
        name = f"{self.name} of {writer}" if writer else self.name
        kinds = f"({self.kinds})" if self.kinds else ""
        return " ".join(part for part in (f"{name}: {self.say}", self.mark, kinds) if part)


@dataclass(frozen=True, slots=True)
class Ring:
    """`state` is a word of the stylesheet; `label` is all that a screen reader hears."""

    ident: str
    name: str
    state: str
    percent: int
    word: str
    serial: str
    held: str
    wear: str  # fine, warn or block
    label: str


def ring(drive: DriveFile, *, not_known_since: str) -> Ring:
    """not_known_since: «14:02» of a writer that was not heard since; then nothing that it said is shown as true."""
    name = drive_name(drive.ident)
    if not_known_since:
        word = f"not known since {not_known_since}"
        return Ring(drive.ident, name, "unknown", 0, word, "", _held(drive), drive.wear, f"{name}: {word}")
    state, percent, word = _standing(drive)
    serial = spoken(drive.serial) if drive.serial else ""
    parts = [word, f"disc {serial}" if serial else "", _held(drive), _WEAR.get(drive.wear, "")]
    label = f"{name}: {', '.join(part for part in parts if part)}"
    return Ring(drive.ident, name, state, percent, word, serial, _held(drive), drive.wear, label)


def ask(drive: DriveFile, discs: Mapping[str, DiscFact], blank_of: str) -> Ask | None:
    """What the drive wants of a person; blank_of: the format of its next disc, or empty where nobody knows it."""
    if drive.wants not in _VERBS:
        return None
    verb, button = _VERBS[drive.wants]
    disc = discs.get(drive.serial)
    if drive.wants == "blank":
        format_ = disc.format if disc else blank_of
        what, kinds = _blank(drive, format_)
        say, mark, care = f"insert {what}", "", ""
    else:
        say, mark, kinds = (
            ("take out, mark", spoken(drive.serial), "") if drive.serial else ("take out the disc", "", "")
        )
        care = _APART.get(DiscState(disc.state), "") if disc else ""
    since = drive.wants_since
    return Ask(drive.ident, drive_name(drive.ident), verb, say, kinds, drive.serial, mark, care, button, since)


def waiting_token(since: datetime | None) -> str:
    return f"{since.timestamp():.6f}" if since else ""


def reasons_of(drive: DriveFile) -> str:
    """Why it does not do what it should, for people."""
    return reasons_text(each for each in drive.reasons if each not in _ASKED)


def _standing(drive: DriveFile) -> tuple[str, int, str]:
    """State, percent and word of a drive that is known."""
    if drive.state == DriveState.OFFLINE:
        return "offline", 0, "offline"
    if drive.wants == "blank":
        return "wanted", 0, "wants a blank"
    if drive.wants == "take-out":
        return "wanted", 100, "take out"
    if drive.state == DriveState.STOPPED:
        return "stopped", 0, "drained" if PAUSED in drive.reasons else "stopped"
    if drive.state == DriveState.BUSY:
        percent = round(100 * (drive.progress or 0))
        verb = "reads" if drive.role == "source" else "writes"
        return "writing", percent, verb if drive.progress is None else f"{percent} %"
    return "idle", 0, "idle"


def _held(drive: DriveFile) -> str:
    return f"held by {person(drive.held_by) or 'the console'}" if drive.held_for else ""


def _blank(drive: DriveFile, format_: str) -> tuple[str, str]:
    """(«a DVD», «DVD-R or DVD+R»): what fits, and of which kinds, where it is one format."""
    known = FORMATS.get(format_)
    formats = [known] if known else [FORMATS[each] for each in drive.formats if each in FORMATS]
    # In a sentence: «a mini CD», though the shop's list says «Mini CD».
    labels = [re.sub(r"^(Mini|Double)", lambda found: found[0].lower(), each.label) for each in formats]
    if len(formats) != 1:
        return " or ".join(f"a {label}" for label in labels) or "a blank", ""
    kinds = [kind for kind in formats[0].kinds if kind in drive.kinds]
    return f"a {labels[0]}", " or ".join(kinds)


def person(actor: str) -> str:
    """«anna» of «user:17 anna», as events keep who it was; of our own programs what people call them."""
    found = re.fullmatch(r"user:\S+ (.+)", actor)
    return found[1] if found else _PROGRAMS.get(actor, actor)
