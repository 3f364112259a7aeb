"""The head of the queue as a turn reads it: plain columns, because a turn has no time for a thousand objects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q, QuerySet

from archive.formats import FORMATS
from archive.models import Image
from devices import copiers
from devices.compiled import Compiled, given, padded, places
from devices.copiers import Copier
from devices.intake import ImageRef
from fulfillment.models import Job
from fulfillment.planning.model import Wait
from fulfillment.planning.planner import LEAST_HEAD

HEAD: Final = LEAST_HEAD  # jobs of each format
FAR: Final = 2000  # … that are followed to their end, and that a policy looks at which minds no order
PLANNERS_HOLDS: Final = (Wait.BLANKS, Wait.WRITER, Wait.ROOM)  # holds that end by themselves when the plant can go on


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job's row, under the row's own names, as far as planning it and carrying the plan out want it."""

    image: OpenImage
    pk: UUID
    reference: str
    title: str
    format: str
    copies: int
    priority: int
    due: dt.datetime | None
    received_at: dt.datetime
    rank: str
    work_seconds: float | None
    put_first_at: dt.datetime | None
    state: str
    reason: str
    revision: int
    covered: int
    lost: int

    def __str__(self) -> str:
        return f"{self.reference} · {self.copies} × {self.title}"

    @property
    def wanting(self) -> int:
        """Discs that are neither made nor under way."""
        return self.copies - self.covered


@dataclass(frozen=True, slots=True)
class OpenImage:
    recipe: str
    sha256: str | None
    size: int | None
    layout: str

    @property
    def ref(self) -> ImageRef:
        return ImageRef(self.sha256 or "", self.size or 0, self.layout)


OF_THE_IMAGE: Final = ("recipe", "sha256", "size", "layout")
OF_THE_JOB: Final = (
    "pk", "reference", "title", "format", "copies", "priority", "due", "received_at", "rank", "work_seconds",
    "put_first_at", "state", "reason", "revision", "covered", "lost",
)  # fmt: skip


def head(
    most: int = HEAD, without: Collection[str] = (), drives: Mapping[int, Sequence[Copier]] | None = None
) -> list[OpenJob]:
    """Jobs that want discs, in rank order: those of which some are being written, and of each format the first `most`
    that wait.

    What the planner itself holds waits as well. So do those whose image is not made, but they are counted apart:
    however many they are, no drive stands idle for them. Formats that no drive takes are looked at together, and no
    more once their jobs are held for it. without: keys of jobs to leave alone. drives: if they have been read already.
    """
    written, unmade = copiers.formats(drives), [pk for (pk,) in _unmade()]
    shape = most, tuple(sorted(written)), places(unmade), places(without)
    rows = _head(*shape, **padded(unmade), **padded(without, "left_out"))
    # Apart from the jobs: joined, each part of the head would have the database look through all images there are.
    images = {pk: OpenImage(*image) for pk, *image in _images.of({image for image, *_ in rows})}
    return sorted((OpenJob(images[image], *job) for image, *job in rows), key=lambda job: job.rank)


@Compiled
def _head(most: int, written: Sequence[str], unmade: int, left_out: int) -> list[QuerySet[Job, Any]]:
    """In one statement, and so at one instant: none is read twice, or not at all, that moves meanwhile."""
    jobs = Job.objects.filter(covered__lt=F("copies")).exclude(pk__in=given(left_out, Job._meta.pk, "left_out"))
    jobs = jobs.order_by("rank").values_list("image", *OF_THE_JOB)
    waiting = jobs.filter(state=Job.State.WAITING)
    parts = [jobs.filter(state=Job.State.WRITING)]
    made = Q()
    if unmade:
        of_unmade = Q(image__pk__in=given(unmade, Job.image.field))
        parts.append(waiting.filter(of_unmade)[:most])
        made = ~of_unmade
    if others := FORMATS.keys() - set(written):
        parts.append(waiting.filter(made, format__in=others)[:most])
    held = jobs.filter(state=Job.State.HELD, reason__in=PLANNERS_HOLDS)
    for format_ in written:
        parts += [waiting.filter(made, format=format_)[:most], held.filter(made, format=format_)[:most]]
    return parts


@Compiled
def _unmade() -> QuerySet[Image, Any]:
    return Image.objects.filter(sha256=None).order_by().values_list("pk")


@Compiled
def _images(images: int) -> QuerySet[Image, Any]:
    return Image.objects.filter(pk__in=given(images, Image._meta.pk)).order_by().values_list("pk", *OF_THE_IMAGE)
