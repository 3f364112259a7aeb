"""The door from above: a folder or disc image becomes a version of a title. Checks what it is given, field by field.

Nothing is kept of what is refused. Prices are none of its business.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from archive import storage
from archive.errors import ArchiveError
from archive.formats import FORMATS, SIZES, fits, format_bytes, smallest_format
from archive.making import obtain
from archive.models import PART_NUMBER_PATTERN, Image, Kind, Title, TitleVersion
from archive.names import volume_name
from archive.progress import Watch, unwatched
from archive.sources import Source, read_source

__all__ = ["ArchiveError", "add_version", "find_title"]


@dataclass(frozen=True, slots=True)
class TitleFacts:
    """What a person says of a title, checked."""

    part_number: str
    title: str
    kind: str
    who: str
    description: str


def add_version(
    *,
    part_number: str,
    title: str,
    kind: str,
    source: Path,
    who: str = "",
    description: str = "",
    note: str = "",
    disc_format: str = "",
    now: datetime,
    watch: Watch = unwatched,
) -> TitleVersion:
    """Make the image of `source` and put it behind `part_number` as its newest version.

    Content that is the newest version already gives that version back and changes only the title's facts. With
    `disc_format` the image must fit that format. Safe to repeat after a crash, and from several processes at once.
    Raises ArchiveError(field, text); the fields are the parameters' names, «format» for `disc_format`.
    """
    facts = check_facts(part_number, title, kind, who, description)
    _check_line("note", note)
    if disc_format and disc_format not in FORMATS:
        raise ArchiveError("format", f"{disc_format!r} is unknown; use one of {', '.join(FORMATS)}.")
    with closing(read_source(source, volume_name(facts.title, facts.part_number))) as found:
        check_size(found, disc_format)
        check_room(found)
        image = obtain(found, now, watch)
        return _keep_version(facts, image, found.files, note, now)


def find_title(part_number: str) -> Title:
    """The title with this part number. Raises ArchiveError naming the remedy."""
    try:
        return Title.objects.get(part_number=part_number)
    except Title.DoesNotExist:
        raise ArchiveError(
            "part_number", f"{part_number!r} is unknown; `manage.py archive list` prints the ones there are."
        ) from None


def check_facts(part_number: str, title: str, kind: str, who: str = "", description: str = "") -> TitleFacts:
    """Check what is said of a title. Raises ArchiveError naming the first wrong field."""
    if not re.fullmatch(PART_NUMBER_PATTERN, part_number):
        raise ArchiveError(
            "part_number",
            f"{part_number!r} is not a part number; use up to 32 capital letters, digits and hyphens, like P-1001.",
        )
    if not title.strip():
        raise ArchiveError("title", "is empty; say what customers shall read.")
    _check_line("title", title)
    _check_line("who", who)
    if kind not in Kind.values:
        raise ArchiveError("kind", f"{kind!r} is unknown; use one of {', '.join(Kind.values)}.")
    if "\0" in description:
        raise ArchiveError("description", "has a NUL character in it; remove it.")
    return TitleFacts(part_number, title.strip(), kind, who.strip(), description.strip())


def _check_line(field: str, text: str, limit: int = 200) -> None:
    if len(text.strip()) > limit:
        raise ArchiveError(field, f"has {len(text.strip())} characters; shorten it to {limit}.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ArchiveError(field, "has a control character in it; write it in one plain line.")


def check_size(source: Source, disc_format: str) -> None:
    """Raises ArchiveError for what no disc, or not the one wanted, can hold."""
    smallest = smallest_format(source.size)
    size = format_bytes(source.size)
    if smallest is None:
        largest = FORMATS[SIZES[-1]]
        raise ArchiveError(
            "source", f"the image would have {size}, too much even for {largest.label}; make several titles of it."
        )
    if disc_format and not fits(source.size, disc_format):
        raise ArchiveError(
            "format",
            f"the image has {size}, too much for {FORMATS[disc_format].label}; "
            f"the smallest that takes it is {smallest.key} ({smallest.label}).",
        )


def check_room(source: Source) -> None:
    """Raises ArchiveError when there is no room for the image."""
    free = storage.free_bytes()
    if source.size > free:
        raise ArchiveError(
            "source",
            f"the image needs {format_bytes(source.size)}, but only {format_bytes(free)} are free for images; "
            "make room first.",
        )


def _keep_version(facts: TitleFacts, image: Image, files: int | None, note: str, now: datetime) -> TitleVersion:
    said = {"title": facts.title, "kind": facts.kind}
    said |= {name: value for name, value in {"who": facts.who, "description": facts.description}.items() if value}
    with transaction.atomic():
        title, _ = Title.objects.get_or_create(part_number=facts.part_number, defaults={**said, "created_at": now})
        # Written even if nothing changed: the row's lock lets two who add at once follow one another.
        Title.objects.filter(pk=title.pk).update(**said)
        title.refresh_from_db()
        newest = title.newest
        if newest is not None and newest.image_id == image.pk:
            return newest
        number = newest.number + 1 if newest else 1
        return TitleVersion.objects.create(
            title=title, number=number, image=image, files=files, note=note, created_at=now
        )
