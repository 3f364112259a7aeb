"""The console as values: three columns of choices, each with why it can't be taken, and what is chosen. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from archive.formats import FORMATS
from devices import resource_file
from devices.resource_file import WriterFile
from devices.wording import drive_name
from fulfillment.console import choices, fitting, origins
from fulfillment.console.fitting import UnitFacts
from fulfillment.console.origins import What


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an address or a form says is chosen; nothing in it is checked."""

    unit: str = ""
    what: str = ""
    query: str = ""
    format: str = ""
    drives: tuple[str, ...] = ()
    copies: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a column. With a `why_not` it is grey and can't be taken."""

    value: str
    name: str
    detail: str = ""
    why_not: str = ""
    chosen: bool = False
    more: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Choices under one heading; `empty` says what will be here."""

    key: str
    name: str
    choices: tuple[Choice, ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Console:
    chosen: Chosen
    units: tuple[Choice, ...]
    unit: WriterFile | None = None
    groups: tuple[Group, ...] = ()
    what: What | None = None
    formats: tuple[Choice, ...] = ()
    drives: tuple[Choice, ...] = ()
    format: str = ""
    copies: int = 1
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return address(self.unit) if self.unit else ""

    @property
    def format_label(self) -> str:
        return FORMATS[self.format].label if self.format else ""

    @property
    def startable(self) -> bool:
        return any(not drive.why_not for drive in self.drives)


def console(chosen: Chosen, now: datetime, wrong: dict[str, str] | None = None) -> Console:
    """wrong: by field, why what was asked for could not be started."""
    files = resource_file.of_all(now, images=False)
    # Those that can copy come first; a long row of grey ones hides none of them.
    units = tuple(sorted((_unit_choice(file, chosen.unit) for file in files), key=lambda unit: bool(unit.why_not)))
    taken = next((unit.value for unit in units if unit.chosen), None)
    unit = choices.with_images(files, taken, now)
    told = wrong or {}
    if unit is None:
        return Console(chosen, units, groups=_groups(None, chosen, files), wrong=told)
    what = origins.resolve(chosen.what, unit, files)
    groups = _groups(unit, chosen, files)
    facts = choices.unit_facts(unit)
    if what is None or fitting.image_fault(what.facts, facts):
        return Console(chosen, units, unit, groups, wrong=told)
    formats = _formats(what, facts, chosen.format)
    key = next((choice.value for choice in formats if choice.chosen), "")
    drives = _drives(facts, key, chosen.drives)
    return Console(
        chosen=chosen,
        units=units,
        unit=unit,
        groups=groups,
        what=what,
        formats=formats,
        drives=drives,
        format=key,
        copies=chosen.copies if chosen.copies is not None else 1,
        wrong=told,
    )


def address(file: WriterFile) -> str:
    """«10.0.0.7:9101»."""
    return file.address.partition("://")[2].rstrip("/")


def _unit_choice(file: WriterFile, chosen: str) -> Choice:
    counts = (
        (int(file.disk_capacity is not None), "disk"),
        (len(choices.drives_of(file, "source")), "source drive"),
        (len(choices.drives_of(file, "copier")), "copier"),
    )
    has = " · ".join(f"{number} {name}{'' if number == 1 else 's'}" for number, name in counts)
    fault = fitting.unit_fault(choices.unit_facts(file))
    value = str(file.uuid)
    return Choice(value, file.name, address(file), fault, chosen=not fault and value == chosen, more=has)


def _groups(unit: WriterFile | None, chosen: Chosen, files: Sequence[WriterFile]) -> tuple[Group, ...]:
    facts = choices.unit_facts(unit) if unit else None
    found = f"No title has «{chosen.query}» in it." if chosen.query else "Titles appear here once they are archived."
    groups = [
        ("titles", "Titles", origins.titles(chosen.query), found),
        ("uploads", "From your computer", origins.uploads(), "What you send appears here once it is an image."),
    ]
    if unit:
        groups.append(("disk", f"On the disk of {unit.name}", origins.on_disk(unit), "No image lies there yet."))
    drives = origins.in_drives(files)
    groups.append(("drives", "A disc in a source drive", drives, "No unit has a source drive."))
    return tuple(
        Group(key, name, tuple(_what_choice(what, facts, chosen.what) for what in whats), empty)
        for key, name, whats, empty in groups
    )


def _what_choice(what: What, facts: UnitFacts | None, chosen: str) -> Choice:
    fault = fitting.image_fault(what.facts, facts) if facts else what.facts.waits
    return Choice(what.value, what.name, what.detail, fault, not fault and what.value == chosen)


def _formats(what: What, facts: UnitFacts, chosen: str) -> tuple[Choice, ...]:
    """The kinds of disc that some drive there takes. The smallest one that fits is chosen until another is."""
    offered = [key for key in FORMATS if any(key in drive.formats for drive in facts.copiers)]
    whys = {key: fitting.format_fault(key, what.facts, facts) for key in offered}
    fit = [key for key in offered if not whys[key]]
    taken = chosen if chosen in fit else next((key for key in fit if not fitting.blanks_fault(key, 1, facts)), fit[0])
    left = {key: f"{count} blank{'' if count == 1 else 's'} left" for key, count in facts.blanks.items()}
    return tuple(Choice(key, FORMATS[key].label, left.get(key, ""), whys[key], key == taken) for key in offered)


def _drives(facts: UnitFacts, key: str, chosen: Iterable[str]) -> tuple[Choice, ...]:
    """Where only one drive can be taken, it is."""
    whys = {drive.ident: fitting.drive_fault(drive, key) for drive in facts.copiers}
    free = [ident for ident, why in whys.items() if not why]
    taken = set(chosen) or (set(free) if len(free) == 1 else set())
    return tuple(
        Choice(
            drive.ident,
            drive_name(drive.ident),
            ", ".join(FORMATS[each].label for each in FORMATS if each in drive.formats),
            whys[drive.ident],
            drive.ident in taken and not whys[drive.ident],
        )
        for drive in facts.copiers
    )
