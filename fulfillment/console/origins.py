"""What can be copied: titles, uploads, images on a writer's disk, discs in source drives. Reads only.

Each has a value that an address or a form carries: `title:12`, `upload:<uuid>`, `disk:<sha256>`,
`drive:<writer's uuid>/<ident>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Max, Q

from archive.formats import format_bytes
from archive.models import Image, ImageState, Title, TitleVersion, Upload, UploadState
from devices.intake import ImageRef
from devices.models import Writer
from devices.resource_file import WriterFile
from devices.wording import drive_name
from fulfillment.console import choices, fitting
from fulfillment.console.fitting import ImageFacts
from fulfillment.models import Copy

MOST: Final = 12  # of one kind; a search finds the others
MOST_ON_DISK: Final = 30
FACE: Final = "face"


@dataclass(frozen=True, slots=True)
class What:
    """Something to copy. `facts` are for `fitting`; `source` is the writer (by uuid) and drive of a disc to be read."""

    value: str
    name: str
    detail: str
    origin: Copy.Origin
    facts: ImageFacts
    source: tuple[UUID, str] | None = None

    @property
    def image(self) -> ImageRef | None:
        facts = self.facts
        return ImageRef(facts.sha256, facts.size or 0, facts.layout) if facts.sha256 else None


def titles(query: str) -> list[What]:
    """The newest version of each title that the words are found in."""
    rows = Title.objects.all()
    for word in query.split():
        rows = rows.filter(Q(part_number__icontains=word) | Q(title__icontains=word) | Q(who__icontains=word))
    newest = rows.annotate(number=Max("versions__number")).exclude(number=None).order_by("part_number")[:MOST]
    wanted = Q()
    for pk, number in newest.values_list("pk", "number"):
        wanted |= Q(title=pk, number=number)
    versions = TitleVersion.objects.filter(wanted) if wanted else TitleVersion.objects.none()
    return [of_version(version) for version in versions.select_related("title", "image").order_by("title__part_number")]


def of_version(version: TitleVersion) -> What:
    title, image = version.title, version.image
    about = [title.part_number, title.who, f"version {version.number}" if version.number > 1 else "", _size(image.size)]
    return What(f"title:{version.pk}", title.title, _joined(about), Copy.Origin.TITLE, _facts(image))


def uploads() -> list[What]:
    """Those that are images, the newest first."""
    rows = Upload.objects.filter(state=UploadState.READY).select_related("image")
    return [found for upload in rows[:MOST] if (found := of_upload(upload))]


def of_upload(upload: Upload) -> What | None:
    if upload.image is None:
        return None
    files = "" if upload.files_count == 1 else f"{upload.files_count} files"
    about = _joined([_size(upload.image.size), files])
    return What(f"upload:{upload.pk}", upload.name, about, Copy.Origin.UPLOAD, _facts(upload.image))


def on_disk(file: WriterFile) -> list[What]:
    """Images that lie whole on that writer's disk, the one used last first."""
    images = [image for image in file.images if image.state == "ready" and image.layout != FACE]
    images.sort(key=lambda image: (image.used_at is None, -(image.used_at.timestamp() if image.used_at else 0)))
    images = images[:MOST_ON_DISK]
    names = names_of([image.sha256 for image in images])
    return [
        What(
            f"disk:{image.sha256}",
            names.get(image.sha256, f"Image {image.sha256[:12]}"),
            _joined([_size(image.size), image.sha256[:12] if image.sha256 in names else ""]),
            Copy.Origin.DISK,
            ImageFacts(image.sha256, image.size, image.layout),
        )
        for image in images
    ]


def in_drives(files: Iterable[WriterFile]) -> list[What]:
    """The disc in every source drive of every unit; what is on it nobody knows before it was read."""
    found = []
    for file in files:
        unit = choices.unit_facts(file)
        for drive in choices.drives_of(file, "source"):
            fault = fitting.source_fault(unit, choices.drive_facts(drive))
            found.append(
                What(
                    f"drive:{file.uuid}/{drive.ident}",
                    f"Disc in {drive_name(drive.ident)}",
                    file.name,
                    Copy.Origin.DRIVE,
                    ImageFacts(waits=fault),
                    (file.uuid, drive.ident),
                )
            )
    return found


def resolve(value: str, unit: WriterFile, files: Sequence[WriterFile]) -> What | None:
    """What a value names; None where there is no such thing any more."""
    kind, _, key = value.partition(":")
    match kind:
        case "title" if key.isascii() and key.isdecimal() and len(key) < 18:
            version = TitleVersion.objects.select_related("title", "image").filter(pk=int(key)).first()
            return of_version(version) if version else None
        case "upload":
            upload = Upload.objects.select_related("image").filter(pk=key).first() if _is_uuid(key) else None
            return of_upload(upload) if upload else None
        case "disk":
            return next((what for what in on_disk(unit) if what.value == value), None)
        case "drive":
            return next((what for what in in_drives(files) if what.value == value), None)
    return None


def names_of(digests: Sequence[str]) -> Mapping[str, str]:
    """By digest, what an image is called: by its title, the upload it came by, or an earlier copy."""
    copies = Copy.objects.filter(image_sha256__in=digests).order_by("asked_at").values_list("image_sha256", "title")
    uploads = Upload.objects.filter(image__sha256__in=digests).values_list("image__sha256", "name")
    versions = TitleVersion.objects.filter(image__sha256__in=digests).order_by("number")
    titles = versions.values_list("image__sha256", "title__title")
    return {sha256: name for sha256, name in (*copies, *uploads, *titles) if sha256}


def writer_of(what: What) -> tuple[Writer, str] | None:
    """The row of the writer whose source drive the disc lies in."""
    if what.source is None:
        return None
    return Writer.objects.get(uuid=what.source[0]), what.source[1]


def _facts(image: Image) -> ImageFacts:
    if image.state == ImageState.READY:
        return ImageFacts(image.sha256 or "", image.size, image.layout)
    failed = image.state == ImageState.FAILED
    return ImageFacts(layout=image.layout, waits="Its image can't be made." if failed else "Its image is being made.")


def _size(size: int | None) -> str:
    return format_bytes(size) if size is not None else ""


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
