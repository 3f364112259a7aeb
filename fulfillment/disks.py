"""What is wanted on the writers' disks, what lies there, and what is on its way: rows in, values out.

The number of queries is fixed, and only what is asked for is read: a fleet's disks hold many thousand images.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from archive.formats import FORMATS, SECTOR
from archive.models import Image, ImageState
from devices import wishes
from devices.agent import wire
from devices.compiled import Compiled, given, padded, places
from devices.fleet import WillingWriter
from devices.intake import ImageRef
from devices.models import CachedImage, Drive, ImageRequest, Write, Writer
from devices.states import WRITE_OPEN, Keyword, RequestState
from fulfillment.models import Copy, ImageDemand
from fulfillment.open_jobs import OpenJob
from fulfillment.planning.demand import NEVER
from fulfillment.planning.eviction import StoredImage
from fulfillment.planning.model import Plan

BY_PLAN: Final = wishes.TICK  # who asks for what the plan wants ahead; other people's wishes are theirs
UNNAMED: Final = "dvd-dl"  # the largest that a source drive is reckoned with which names no formats
STUBBORN: Final = dt.timedelta(minutes=1)  # a report later, at the most, an agent's figures agree with its refusals

Wish = ImageRequest.Wish
OnDisk = tuple[StoredImage, ImageRef]


@dataclass(frozen=True, slots=True)
class Need:
    """An image that is to lie on a writer's disk. `since`: when it was asked for; `start`: when it is first needed."""

    image: ImageRef
    title: str
    since: dt.datetime
    start: float = 0.0


@dataclass(slots=True)
class DiskView:
    """A writer's disk. `needs` are of its unfinished writes, of those it is about to get, and of people's wishes;
    `ahead` of what is planned after them. Both by sha256, nearest first."""

    writer: WillingWriter
    needs: dict[str, Need] = field(default_factory=dict)
    ahead: dict[str, Need] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    """Those of them that lie there or are being fetched."""
    requests: list[ImageRequest] = field(default_factory=list)
    """What its agent was asked for and has not done yet."""
    kept: set[str] = field(default_factory=set)
    """What a copy by hand is to be made of: it stays, though no write wants it yet. It may lie nowhere else."""
    reads: list[Need] = field(default_factory=list)
    """Discs that are about to be read in there: as large as they can be, since nobody knows how large they are."""

    leaving: dict[str, int] = field(default_factory=dict)
    """Bytes of what is being dropped, or was since the agent last told its free bytes."""
    freed: int | None = None
    """Bytes that were dropped since its agent says that its disk is full, though by its own figures it is not."""

    @property
    def free(self) -> int:
        """Bytes, as far as the agent can be believed."""
        free = self.writer.disk_free or 0
        return free if self.freed is None else min(free, self.freed)

    def missing(self) -> list[Need]:
        return [need for sha256, need in self.needs.items() if sha256 not in self.present]

    def asked(self, wish: Wish) -> dict[str, ImageRequest]:
        return {request.sha256: request for request in self.requests if request.wish == wish}


def read(plan: Plan, jobs: Sequence[OpenJob], working: Sequence[WillingWriter], now: dt.datetime) -> list[DiskView]:
    """The disks of the writers at work. plan: what is about to be sent, and what comes after it."""
    views = {writer.pk: DiskView(writer) for writer in working}
    _read_writes(views)
    _read_plan(views, plan, jobs, now)
    _read_requests(views)
    _read_copies(views)
    wanted = {sha256 for view in views.values() for sha256 in (*view.needs, *view.ahead, *view.asked(Wish.HAVE))}
    for writer_pk, sha256 in _lying_or_coming(views, wanted):
        views[writer_pk].present.add(sha256)
    _read_stubborn(views, now)
    return list(views.values())


def _lying_or_coming(writers: Collection[int], images: Collection[str]) -> list[tuple[int, str]]:
    if not writers or not images:
        return []
    return _here(places(writers), places(images), **padded(writers), **padded(images, "image"))


@Compiled
def _here(writers: int, images: int) -> QuerySet[CachedImage, Any]:
    of_these = given(images, CachedImage._meta.get_field("sha256"), "image")
    rows = CachedImage.objects.filter(writer__pk__in=given(writers, CachedImage.writer.field), sha256__in=of_these)
    return rows.exclude(state=wire.ImageState.FAILED).values_list("writer", "sha256")


def _read_writes(views: Mapping[int, DiskView]) -> None:
    for writer, sha256, size, layout, title, queued_at in _open_writes.of(views):
        views[writer].needs.setdefault(sha256, Need(ImageRef(sha256, size, layout), title, queued_at))


@Compiled
def _open_writes(writers: int) -> QuerySet[Write, Any]:
    rows = Write.objects.filter(writer__pk__in=given(writers, Write.writer.field), state__in=WRITE_OPEN)
    columns = "writer", "image_sha256", "image_size", "layout", "title", "queued_at"
    return rows.order_by("queued_at", "id").values_list(*columns)


def _read_plan(views: Mapping[int, DiskView], plan: Plan, jobs: Sequence[OpenJob], now: dt.datetime) -> None:
    by_id = {str(job.pk): job for job in jobs}
    for assignment in plan.assignments:
        if view := views.get(int(assignment.writer)):
            need = _need_of(by_id[assignment.shares[0].job], now)
            view.needs.setdefault(need.image.sha256, need)
    for next_ in plan.ahead:
        if view := views.get(int(next_.writer)):
            need = _need_of(by_id[next_.job], now, next_.start)
            view.ahead.setdefault(need.image.sha256, need)


def _need_of(job: OpenJob, now: dt.datetime, start: float = 0.0) -> Need:
    return Need(job.image.ref, job.title, now, start)


def _read_requests(views: Mapping[int, DiskView]) -> None:
    for request in _requests.of(views):
        view = views[request.writer_id]
        if request.state == RequestState.OPEN:
            view.requests.append(request)
        if request.wish == Wish.DROP:
            view.leaving[request.sha256] = request.size
        elif request.asked_by != BY_PLAN:
            image = ImageRef(request.sha256, request.size, request.layout)
            view.needs.setdefault(image.sha256, Need(image, request.title, request.asked_at))
    for view in views.values():  # what is wanted again stays, if it is there still
        view.leaving = {sha256: size for sha256, size in view.leaving.items() if sha256 not in view.needs | view.ahead}


@Compiled
def _requests(writers: int) -> QuerySet[ImageRequest]:
    unreported = Q(wish=Wish.DROP, state=RequestState.DONE, ended_at__gte=F("writer__last_seen"))
    rows = ImageRequest.objects.filter(Q(state=RequestState.OPEN) | unreported)
    return rows.filter(writer__pk__in=given(writers, ImageRequest.writer.field)).order_by("id")


@Compiled
def _open_copies() -> QuerySet[Copy]:
    return Copy.objects.filter(state__in=Copy.OPEN).order_by("asked_at", "id")


def _read_copies(views: Mapping[int, DiskView]) -> None:
    for copy in _open_copies():
        source = views.get(copy.source_writer_id or 0)
        for view in (views.get(copy.writer_id), source):
            if copy.image_sha256 and view:
                view.kept.add(copy.image_sha256)
        if copy.state == Copy.State.ASKED and source:
            size = most_bytes(source.writer, copy.source_drive)
            source.reads.append(Need(ImageRef("", size, wire.Layout.ISO), copy.title, copy.asked_at))


def most_bytes(writer: Writer | WillingWriter, drive: str) -> int:
    """How large the disc in this source drive can be, as far as its writer's disk could hold it."""
    known = Drive.objects.filter(writer=writer.pk, ident=drive).first()
    formats = [format_ for format_ in (known.formats if known else ()) if format_ in FORMATS] or [UNNAMED]
    largest = max(FORMATS[format_].capacity_sectors for format_ in formats) * SECTOR
    return min(largest, writer.disk_capacity or 0)


def _read_stubborn(views: Mapping[int, DiskView], now: dt.datetime) -> None:
    """Where an agent refuses an image for want of room that it reports to have, its refusal counts."""
    full = {pk: _full_since(view.writer) for pk, view in views.items() if view.missing()}
    stubborn = {pk: since for pk, since in full.items() if since is not None and since <= now - STUBBORN}
    if not stubborn:
        return
    drops = ImageRequest.objects.filter(writer__in=stubborn, wish=Wish.DROP, asked_at__gte=min(stubborn.values()))
    for pk in stubborn:
        views[pk].freed = 0
    for request in drops.filter(state=RequestState.DONE):
        if request.asked_at >= stubborn[request.writer_id]:
            views[request.writer_id].freed = (views[request.writer_id].freed or 0) + request.size


def _full_since(writer: WillingWriter) -> dt.datetime | None:
    for reason in writer.reasons:
        if reason["keyword"] == Keyword.SPOOL_AREA_FULL:
            return dt.datetime.fromisoformat(reason["since"])
    return None


def wished_on() -> set[int]:
    """Writers (by key) where a person wishes an image to lie, or waits for a copy."""
    return {writer for (writer,) in _wished_on() if writer is not None}


@Compiled
def _wished_on() -> QuerySet[Any, Any]:
    wishes = ImageRequest.objects.filter(state=RequestState.OPEN).exclude(asked_by=BY_PLAN).order_by()
    copies = Copy.objects.filter(state__in=Copy.OPEN).order_by()
    return wishes.values_list("writer").union(copies.values_list("writer"), copies.values_list("source_writer"))


def stored_on(writers: Collection[int]) -> dict[int, list[OnDisk]]:
    """All images on these writers' disks, as eviction sees them. Faces are small, and go with their write."""
    rows = CachedImage.objects.filter(writer__in=writers).exclude(layout=wire.Layout.FACE)
    rows = rows.exclude(state=wire.ImageState.FAILED)  # what failed occupies nothing
    again = Exists(Image.objects.filter(sha256=OuterRef("sha256"), state=ImageState.READY))
    level = ImageDemand.objects.filter(sha256=OuterRef("sha256")).values("level")
    stored: dict[int, list[OnDisk]] = defaultdict(list)
    for row in rows.annotate(again=again, level=Subquery(level)):
        seen = StoredImage(
            row.sha256,
            row.size,
            used_at=row.used_at.timestamp() if row.used_at else None,
            whole=row.state == wire.ImageState.READY,
            elsewhere=row.again,
            demand=NEVER if row.level is None else row.level,
        )
        stored[row.writer_id].append((seen, ImageRef(row.sha256, row.size, row.layout)))
    return stored


def receiving(writers: Collection[int]) -> int:
    """How many fetches run over the fleet."""
    return CachedImage.objects.filter(writer__in=writers, state=wire.ImageState.RECEIVING).count()
