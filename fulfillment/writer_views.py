"""A writer as planning sees it: rows in, frozen values out. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, QuerySet

from devices import copiers, hand_waits
from devices.agent import wire
from devices.compiled import Compiled, given
from devices.copiers import Copier
from devices.fleet import Fleet, WillingWriter
from devices.models import BlankBin, CachedImage, ImageRequest
from devices.states import DiscState, RequestState
from fulfillment import learning
from fulfillment.drive_times import DiscUnderWay, lay_out
from fulfillment.planning.cost import fetch_seconds, narrowed
from fulfillment.planning.model import DriveView, WriterView


class Bin(NamedTuple):
    """What lies in one bin of blanks."""

    format: str
    remaining: int
    counted: bool


def views(
    there: Fleet,
    discs: Mapping[int, Sequence[DiscUnderWay]],
    now: dt.datetime,
    images: Collection[str] = (),
    drives: Mapping[int, Sequence[Copier]] | None = None,
) -> tuple[WriterView, ...]:
    """The writers that take work, by name. discs: those of each writer that are not finished.

    images: digests of what is to be made. Of the many thousand images on the fleet's disks, only these are looked for.
    drives: by writer, its copiers, if they have been read already.
    Writers that have just fallen silent keep the work that is planned for them, and get no other.
    """
    quiet = {writer.pk for writer in there.suspects}
    writers = [*there.working, *there.suspects]
    keys = [writer.pk for writer in writers]
    drives, bins = copiers.read() if drives is None else drives, _bins(keys)
    cached = _cached({*images, *(disc.image for held in discs.values() for disc in held)})
    rates = learning.rates_of(keys)
    views = (
        _view(
            writer,
            drives.get(writer.pk, ()),
            bins[writer.pk],
            cached[writer.pk],
            discs.get(writer.pk, ()),
            rates[writer.pk],
            now,
            silent=writer.pk in quiet,
        )
        for writer in sorted(writers, key=lambda writer: writer.name)
    )
    return tuple(view for view in views if view.drives)


def _bins(writers: Collection[int]) -> dict[int, list[Bin]]:
    found: dict[int, list[Bin]] = defaultdict(list)
    wanted = set(writers)
    for writer, *bin_ in _bins_of_all():
        if writer in wanted:
            found[writer].append(Bin(*bin_))
    return found


@Compiled
def _bins_of_all() -> QuerySet[BlankBin, Any]:
    left = F("loaded") + F("adjusted") - F("started")  # what `BlankBin.remaining` says
    return BlankBin.objects.order_by("pk").values_list("writer", "format", left, "counted")


def _cached(images: Collection[str]) -> dict[int, set[str]]:
    """Which of them lie whole on each writer's disk, and are not about to be dropped."""
    cached: dict[int, set[str]] = defaultdict(set)
    for writer_pk, sha256 in _lying_whole.of(images):
        cached[writer_pk].add(sha256)
    return cached


@Compiled
def _lying_whole(images: int) -> QuerySet[CachedImage, Any]:
    leaving = ImageRequest.objects.filter(
        writer=OuterRef("writer"), sha256=OuterRef("sha256"), wish=ImageRequest.Wish.DROP, state=RequestState.OPEN
    )
    wanted = given(images, CachedImage._meta.get_field("sha256"))
    ready = CachedImage.objects.filter(~Exists(leaving), sha256__in=wanted, state=wire.ImageState.READY)
    return ready.values_list("writer", "sha256")


def _view(
    writer: WillingWriter,
    there: Sequence[Copier],
    bins: Sequence[Bin],
    cached: Collection[str],
    discs: Sequence[DiscUnderWay],
    rates: learning.WriterRates,
    now: dt.datetime,
    *,
    silent: bool,
) -> WriterView:
    drives = {drive.ident: drive for drive in there if drive.takes_work}
    images = {disc.image: disc.size for disc in discs}
    coming = sum(fetch_seconds(rates.typical, size) for sha256, size in images.items() if sha256 not in cached)
    link_free_at = now.timestamp() + coming
    waits = hand_waits.expected(writer)
    ours = [disc for disc in discs if _is_for(disc, drives)]
    image_at = {sha256: link_free_at for sha256 in images if sha256 not in cached}
    laid = lay_out(drives, ours, {ident: rates.of(ident) for ident in drives}, waits, image_at, now.timestamp())
    return WriterView(
        id=str(writer.pk),
        drives=tuple(
            DriveView(
                ident,
                frozenset(drive.formats),
                laid.free_at[ident],
                waits.per_disc if drive.is_hand_fed else 0.0,
                narrowed(rates.drives[ident], drive.formats) if ident in rates.drives else None,
            )
            for ident, drive in sorted(drives.items())
        ),
        rates=rates.typical,
        cached=frozenset(cached) | frozenset(images),
        blanks=_blanks(bins, discs),
        link_free_at=link_free_at,
        outstanding=len(ours),
        last_blank_at=laid.last_blank_at,
        disk=writer.disk_capacity,
        names_drives=_not_ours(drive for drive in there if drive.ident not in drives),
        silent=silent,
    )


def _is_for(disc: DiscUnderWay, drives: Collection[str]) -> bool:
    """Whether it occupies a drive that is the planner's; a copy by hand in its own drive does not."""
    drive = disc.named or (disc.drive if disc.state == DiscState.STARTED else "")
    return not drive or drive in drives


def _not_ours(others: Iterable[Copier]) -> frozenset[str]:
    """Formats that the agent might put into a drive of which the planner must keep off."""
    kept = (drive for drive in others if drive.held_for or drive.is_usable)
    return frozenset(format_ for drive in kept for format_ in drive.formats)


def _blanks(bins: Iterable[Bin], discs: Iterable[DiscUnderWay]) -> dict[str, int]:
    """Blanks left per format after those that are spoken for; a format with a bin that can't count has no entry."""
    left: dict[str, int] = defaultdict(int)
    uncounted: set[str] = set()
    for format_, remaining, counted in bins:
        left[format_] += remaining
        if not counted:
            uncounted.add(format_)
    for disc in discs:
        if disc.state == DiscState.PLANNED and disc.format in left:
            left[disc.format] -= 1
    return {format_: max(0, count) for format_, count in left.items() if format_ not in uncounted}
