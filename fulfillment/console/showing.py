"""A copy as its page shows it: the state in words, a ring for each disc, what it waits for. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from archive.formats import FORMATS, format_bytes
from devices.hand_waits import BLANK, TAKE_OUT
from devices.models import Disc, Drive
from devices.states import DEAF, DiscState
from devices.wording import drive_name
from fulfillment.console import failures, intake
from fulfillment.fleet import reading
from fulfillment.fleet.rings import Ask
from fulfillment.fleet.words import moment
from fulfillment.models import Copy, ImageFetch

RINGS: Final = 24  # discs shown one by one; more are shown as one bar
RECENT: Final = timedelta(hours=12)
S = Copy.State

WORDS: Final = {
    S.ASKED: "asked for",
    S.READING: "reading the disc",
    S.BRINGING: "bringing the image",
    S.SENDING: "sending the image",
    S.WRITING: "writing",
    S.DONE: "done",
    S.FAILED: "failed",
    S.UNKNOWN: "check the disc",
    S.CANCELLED: "cancelled",
}
LINES: Final = {
    S.ASKED: "It begins within seconds.",
    S.READING: "The disc in {source} is copied to the disk of its writer.",
    S.BRINGING: "The image of {size} comes from {source_writer} into the archive.",
    S.SENDING: "The image of {size} goes to the disk of {writer}. Writing begins when all of it is there.",
    S.WRITING: "Each disc is written, then read back.",
}
NEXT: Final = {S.DONE: "fine", S.FAILED: "bad", S.UNKNOWN: "watch", S.CANCELLED: ""}
_RING_STATES: Final = {DiscState.PLANNED: "waiting", DiscState.STARTED: "writing"}


@dataclass(frozen=True, slots=True)
class Ring:
    """One disc: waiting, writing, verifying, good, bad, unknown or cancelled; `percent` how far it got.

    «not-known» is one that was not over when its writer was heard last; «unknown» is an end.
    """

    state: str
    percent: int
    serial: str
    drive: str
    reason: str

    @property
    def word(self) -> str:
        return self.state.replace("-", " ")


@dataclass(frozen=True, slots=True)
class Shown:
    """`percent` is how much of the image has been read or brought; None where nobody says."""

    copy: Copy
    word: str
    line: str
    tone: str
    rings: tuple[Ring, ...]
    good: int
    percent: int | None
    may_give_up: bool
    silence: str = ""  # why nothing is known of now; then there is no percent
    wants: tuple[str, ...] = ()  # what its drives wait for a person to do

    @property
    def moving(self) -> bool:
        """Whether an image is on its way."""
        return self.copy.state in {S.READING, S.BRINGING, S.SENDING}

    @property
    def many(self) -> bool:
        return len(self.rings) > RINGS

    @property
    def told(self) -> str:
        """For those who hear the page: each step once, and each disc."""
        done = f" {self.good} of {self.copy.copies} good." if self.rings else ""
        return f"{self.copy.title}: {self.word}.{done}{f' {self.silence}' if self.silence else ''}"

    @property
    def label(self) -> str:
        return FORMATS[self.copy.format].label


def show(copy: Copy, now: datetime) -> Shown:
    silence = _silence(copy, now)
    drives = sorted(copy.writer.drives.all(), key=lambda drive: drive.ident)
    rings = _rings(_discs(copy), drives, heard=not silence)
    good = sum(ring.state == "good" for ring in rings)
    state = S(copy.state)
    word = "cancelling" if copy.cancelled_by and copy.is_open else WORDS[state]
    wants = () if silence or state != S.WRITING else _wants(copy, drives)
    if state == S.WRITING and word != "cancelling":
        word = "waits for a person" if wants else f"writing, {good} of {copy.copies} good"
    line = " ".join(filter(None, [silence, copy.reason])) or LINES.get(state, "").format(
        source=f"{drive_name(copy.source_drive)} of {copy.source_writer}",
        source_writer=copy.source_writer,
        writer=copy.writer,
        size=format_bytes(copy.image_size or 0),
    )
    tone = "watch" if silence else NEXT.get(state, "")
    percent = None if silence else _percent(copy)
    return Shown(copy, word, line, tone, rings, good, percent, intake.may_give_up(copy), silence, wants)


def _wants(copy: Copy, drives: Sequence[Drive]) -> tuple[str, ...]:
    """For the console, where nobody else says it; the copy's own page has the whole of it."""
    wanting = [drive for drive in drives if drive.ident in copy.drives and drive.wants and not drive.gone]
    say = {BLANK: f"insert a {FORMATS[copy.format].label}", TAKE_OUT: "take the disc out and mark it"}
    return tuple(f"{drive_name(drive.ident)}: {say[drive.wants]}" for drive in wanting)


def _silence(copy: Copy, now: datetime) -> str:
    """Why what is known of an open copy is old: its writer is silent, or not believed. What ended stays as it ended."""
    asked = {S.READING: copy.source_writer, S.SENDING: copy.writer, S.WRITING: copy.writer}
    writer = asked.get(S(copy.state))
    if writer is None or writer.is_fresh(now):
        return ""
    if deaf := next((reason["text"] for reason in writer.reasons if reason["keyword"] in DEAF), ""):
        return f"{writer}: {deaf}"
    since = moment(writer.last_seen, now)
    return f"{writer} was not heard since {since}." if since else f"{writer} was never heard."


def asks(copy: Copy, now: datetime) -> list[Ask]:
    """What its drives wait for a person to do: blanks while it goes on, and its own discs to be taken out."""
    serials = set(Disc.objects.filter(write__copy_part__copy=copy).values_list("serial", flat=True))
    if not serials:
        return []
    found = [ask for ask in reading.one(copy.writer, now).asks if ask.drive in copy.drives]
    return [ask for ask in found if ask.serial in serials or (copy.is_open and not ask.serial)]


def _discs(copy: Copy) -> list[Disc]:
    """In the order of their drives; no query where they were fetched with it."""
    parts = sorted(copy.parts.all(), key=lambda part: part.pk)
    return [disc for part in parts for disc in part.write.discs.all()]


def _rings(discs: Sequence[Disc], drives: Sequence[Drive], *, heard: bool) -> tuple[Ring, ...]:
    progress = {drive.serial: drive.progress or 0.0 for drive in drives if drive.serial}
    rings = []
    for disc in discs:
        known = heard and disc.state == DiscState.STARTED
        percent = int(100 * progress.get(disc.serial, 0.0)) if known else 0
        state = _RING_STATES.get(DiscState(disc.state), disc.state)
        if state == "writing" and percent >= 100:
            state = "verifying"
        if not heard and disc.state in _RING_STATES:
            state = "not-known"
        full = disc.state in {DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN}
        drive, reason = disc.drive or disc.write.drive, failures.in_words(disc.reason)
        rings.append(Ring(state, 100 if full else percent, disc.serial, drive, reason))
    return tuple(rings)


def _percent(copy: Copy) -> int | None:
    if copy.state == S.READING:
        drive = Drive.objects.filter(writer=copy.source_writer_id, ident=copy.source_drive).first()
        return int(100 * drive.progress) if drive and drive.progress is not None else None
    if copy.state == S.BRINGING and copy.image_size:
        fetch = ImageFetch.objects.filter(sha256=copy.image_sha256, state__in=ImageFetch.OPEN).first()
        return 100 * fetch.received // copy.image_size if fetch else None
    return None


def unseen() -> QuerySet[Copy]:
    """Copies that ended and whose end nobody has confirmed."""
    return Copy.objects.filter(ended_at__isnull=False, seen_at=None)


def on_top(now: datetime) -> list[Shown]:
    """What the console shows above its columns: what is going on, and what ended and nobody has confirmed."""
    going = Copy.objects.filter(state__in=Copy.OPEN) | unseen()
    rows = going.select_related("writer", "source_writer").order_by("-asked_at")
    rows = rows.prefetch_related("parts__write__discs", "writer__drives")
    return [show(copy, now) for copy in rows[:50]]


def earlier() -> list[Copy]:
    """Ends that were confirmed within the last hours."""
    since = timezone.now() - RECENT
    rows = Copy.objects.filter(seen_at__isnull=False, ended_at__gt=since).select_related("writer")
    return list(rows.order_by("-ended_at")[:10])
