"""Reads what the page of one writer shows beside its card. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from archive.formats import format_bytes
from archive.models import TitleVersion
from devices.agent import wire
from devices.models import BlankBin, BlankEntry, DeviceEvent, DriveOrder, ImageRequest, Write, Writer
from devices.resource_file import DriveFile, ImageFile, PrinterFile
from devices.states import WRITE_OPEN, DriveState, RequestState
from devices.wear import Level
from devices.wording import drive_name
from fulfillment.fleet import reading
from fulfillment.fleet.cards import Card
from fulfillment.fleet.rings import PAUSED, Ask, Ring, person, reasons_of
from fulfillment.fleet.words import moment

EVENTS: Final = 20
ENTRIES: Final = 20
IMAGES: Final = 100
OF_LATE: Final = timedelta(hours=1)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SAID: Final = {
    "drain": "take no more discs",
    "resume": "go on",
    "eject": "eject",
    "loaded": "go on with the blank",
    "taken-out": "go on, the disc is out",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The last word to a drive that its agent has not done, or will not do."""

    verb: str
    serial: str
    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class DriveRow:
    file: DriveFile
    ring: Ring
    ask: Ask | None
    standing: Standing | None

    @property
    def asked(self) -> bool:
        """Whether what it wants was said to be done already."""
        said, ask = self.standing, self.ask
        return bool(said and ask and not said.tone and (said.verb, said.serial) == (ask.verb, ask.serial))

    @property
    def why(self) -> str:
        return reasons_of(self.file)

    @property
    def wear_tone(self) -> str:
        return "bad" if self.file.wear is Level.BLOCK else "watch"

    @property
    def may_drain(self) -> bool:
        return PAUSED not in self.file.reasons

    @property
    def may_resume(self) -> bool:
        """A drive that stopped by itself is given another try by the same word."""
        return PAUSED in self.file.reasons or self.file.state == DriveState.STOPPED

    @property
    def counters(self) -> tuple[tuple[str, str, str, str, str], ...]:
        """(what, in its life, since the last service, warns from, stops from)"""
        life, since, warn, block = self.file, self.file.since_service, self.file.warn, self.file.block
        return (
            ("Discs begun", f"{life.discs:,}", f"{since.discs:,}", _limit(warn.discs), _limit(block.discs)),
            ("Failures", f"{life.failures:,}", f"{since.failures:,}", _limit(warn.failures), _limit(block.failures)),
            ("Hours", f"{life.hours:,.0f}", f"{since.hours:,.0f}", _limit(warn.hours), _limit(block.hours)),
        )


@dataclass(frozen=True, slots=True)
class ImageRow:
    sha256: str
    name: str
    size: str
    used: str
    state: str
    keeps: str  # why it can't be purged now; empty: it can
    asked: str  # what became of the wish to purge it
    waits: bool  # that wish is still to be carried out


@dataclass(frozen=True, slots=True)
class EventRow:
    at: datetime
    who: str
    what: str
    serial: str


@dataclass(frozen=True, slots=True)
class Page:
    card: Card
    drives: tuple[DriveRow, ...]
    printers: tuple[PrinterFile, ...]
    bins: tuple[BlankBin, ...]
    images: tuple[ImageRow, ...]
    more_images: int
    entries: tuple[BlankEntry, ...]
    events: tuple[EventRow, ...]

    @property
    def told(self) -> str:
        """What matters at this moment, to be read aloud."""
        return " ".join(f"{ask.of()}." for ask in self.card.asks)


def page(writer: Writer, now: datetime) -> Page:
    card = reading.one(writer, now)
    images = sorted(card.file.images, key=lambda each: (each.used_at is None, each.used_at, each.sha256))
    entries = BlankEntry.objects.filter(bin__writer=writer).select_related("bin")
    return Page(
        card=card,
        drives=tuple(_drive_rows(writer, card, now)),
        printers=card.file.printers,
        bins=tuple(writer.bins.all()),
        images=tuple(_image_rows(writer, images[:IMAGES], now)),
        more_images=max(0, len(images) - IMAGES),
        entries=tuple(entries[:ENTRIES]),
        events=tuple(_event_row(event) for event in writer.events.all()[:EVENTS]),
    )


def _drive_rows(writer: Writer, card: Card, now: datetime) -> Iterable[DriveRow]:
    standing = _standing(writer, now)
    ring_of = {ring.ident: ring for ring in card.rings}
    ask_of = {ask.drive: ask for ask in card.asks}
    for drive in card.file.drives:
        if not drive.gone:
            yield DriveRow(drive, ring_of[drive.ident], ask_of.get(drive.ident), standing.get(drive.ident))


def _standing(writer: Writer, now: datetime) -> dict[str, Standing]:
    """The newest word to each drive, unless it was done or is no longer wanted."""
    newest: dict[str, DriveOrder] = {}
    for order in writer.drive_orders.all()[:50]:
        newest.setdefault(order.drive, order)
    found = {}
    for drive, order in newest.items():
        if not _matters(order, now):
            continue
        who, at = person(order.asked_by), moment(order.asked_at, now)
        said = f"{who} told it to {_SAID[order.verb]} at {at}"
        if order.state == RequestState.OPEN:
            words = f"{said}. {order.reason or 'Its agent has not done it yet.'}"
            found[drive] = Standing(order.verb, order.serial, words, "")
        else:
            words = f"{said}, and its agent did not: {order.reason or 'it gave no reason'}"
            found[drive] = Standing(order.verb, order.serial, words, "bad")
    return found


def _matters(request: DriveOrder | ImageRequest, now: datetime) -> bool:
    """It waits, or failed of late: what failed long ago is in the events."""
    failed = request.state == RequestState.FAILED and now - (request.ended_at or request.asked_at) < OF_LATE
    return failed or request.state == RequestState.OPEN


def _image_rows(writer: Writer, images: Collection[ImageFile], now: datetime) -> Iterable[ImageRow]:
    digests = [image.sha256 for image in images]
    names = image_names(digests)
    open_writes = Write.objects.filter(writer=writer, image_sha256__in=digests, state__in=WRITE_OPEN)
    wanted = set(open_writes.values_list("image_sha256", flat=True))
    wishes = ImageRequest.objects.filter(writer=writer, sha256__in=digests, wish=ImageRequest.Wish.DROP)
    asked = {wish.sha256: wish for wish in wishes.order_by("id")}
    for image in images:
        yield ImageRow(
            sha256=image.sha256,
            name=names.get(image.sha256) or f"Image {image.sha256[:12]}",
            size=format_bytes(image.size),
            used=f"last used {moment(image.used_at, now)}" if image.used_at else "never used",
            state=image.state,
            keeps=_keeps(image, image.sha256 in wanted),
            asked=_wish(asked.get(image.sha256), now),
            waits=image.sha256 in asked and asked[image.sha256].state == RequestState.OPEN,
        )


def image_names(digests: Collection[str]) -> dict[str, str]:
    """The title of each image that is one of a title's."""
    versions = TitleVersion.objects.filter(image__sha256__in=digests).order_by("-id")
    return {digest: title for digest, title in versions.values_list("image__sha256", "title__title") if digest}


def _keeps(image: ImageFile, wanted: bool) -> str:
    if wanted:
        return "A write here wants it."
    if image.layout == wire.Layout.FACE:
        return "A face: it goes with its discs."
    return ""


def _wish(wish: ImageRequest | None, now: datetime) -> str:
    if wish is None or not _matters(wish, now):
        return ""
    said = f"{person(wish.asked_by)} had it purged at {moment(wish.asked_at, now)}"
    ended = "Its agent did not: " if wish.state == RequestState.FAILED else ""
    return f"{said}. {ended}{wish.reason or 'Its agent has not done it yet.'}"


def _event_row(event: DeviceEvent) -> EventRow:
    """What moved from where to where, and its text; the ids of boots, writes and copies mean nothing to people."""
    if event.kind == "reason":
        what = event.text or f"It is over: {(event.new or event.old).replace('-', ' ')}."
        return EventRow(event.at, person(event.actor), what, event.serial)
    if event.kind in {"hold", "release"}:
        verb = "is held for a copy" if event.kind == "hold" else "is free again"
        return EventRow(event.at, person(event.actor), f"{drive_name(event.new or event.old)} {verb}.", event.serial)
    move = " → ".join(each for each in (event.old, event.new) if each and not _UUID.fullmatch(each))
    what = " ".join(part for part in (event.kind.replace("-", " "), move) if part)
    return EventRow(event.at, person(event.actor), f"{what}. {event.text}".strip(), event.serial)


def _limit(limit: int | None) -> str:
    return "–" if limit is None else f"{limit:,}"
