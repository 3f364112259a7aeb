"""The steps of a copy: each looks at what devices and the archive say, and moves the copy to it. Calls no agent.

Every step may run twice, or twice at once. Whoever loses a race raises NotTried, so that what it read stays unread.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from archive import storage
from archive.formats import FORMATS, fits, format_bytes
from archive.models import Image, ImageState
from devices import trouble
from devices.intake import ImageRef, NotAccepted, cancel_write, queue_write
from devices.models import Disc, Write
from devices.reading import cancel_read, queue_read
from devices.states import READ_FINAL, ReadState, RequestState
from devices.wishes import have_image, withdraw
from devices.wording import drive_name
from fulfillment import disks
from fulfillment.console import failures, lifecycle
from fulfillment.console.verdict import DiscEnd, judge
from fulfillment.models import Copy, CopyWrite, ImageFetch

ACTOR: Final = "tick"
# What is dropped for a disc that is to be read is gone by then. After that it is read with what room there is: it may
# be a small one.
ROOM_WITHIN: Final = dt.timedelta(seconds=30)
S = Copy.State


def step(copy: Copy, now: dt.datetime) -> None:
    """Moves the copy on as far as the rows allow. Raises NotTried when somebody else moves it at this moment."""
    before = None
    while copy.is_open and copy.state != before:
        before = copy.state
        if copy.cancelled_by:
            _cancel(copy, now)
        if copy.is_open:
            try:
                STEPS[S(copy.state)](copy, now)
            except NotAccepted as refused:
                _move(copy, S.FAILED, now, reason=refused.text)


def _move(copy: Copy, new: Copy.State, now: dt.datetime, reason: str = "", **also: Any) -> None:
    if not lifecycle.move_copy(copy, new, actor=ACTOR, now=now, reason=reason, **also):
        raise trouble.NotTried


def _note(copy: Copy, reason: str) -> None:
    if not lifecycle.note_on_copy(copy, failures.in_words(reason)):
        raise trouble.NotTried


# --- The steps, in their order --------------------------------------------------------------------


def _begin(copy: Copy, now: dt.datetime) -> None:
    if copy.source_writer is None:
        _send(copy, now)
        return
    free, most = copy.source_writer.disk_free, disks.most_bytes(copy.source_writer, copy.source_drive)
    if free is not None and free < most and copy.asked_at > now - ROOM_WITHIN:
        _note(copy, f"Room is being made on the disk of {copy.source_writer}.")
        return
    with transaction.atomic():
        read = queue_read(
            uuid=copy.pk, writer=copy.source_writer, drive=copy.source_drive, actor=copy.asked_by, now=now
        )
        _move(copy, S.READING, now, read=read)


def _follow_read(copy: Copy, now: dt.datetime) -> None:
    if (read := copy.read) is None:
        raise NotAccepted("read", "Nobody knows any more what was to be read. Start the copy again.")
    disc = f"The disc in {drive_name(read.drive)} of {read.writer}"
    if read.state not in READ_FINAL:
        _note(copy, read.reason)
    elif copy.cancelled_by or read.state == ReadState.CANCELLED:
        ended = (
            (S.CANCELLED, "Cancelled.")
            if copy.cancelled_by
            else (S.FAILED, f"{disc} was not read: the read was given up. Start the copy again.")
        )
        _move(copy, ended[0], now, reason=ended[1])
    elif read.state == ReadState.FAILED:
        _move(copy, S.FAILED, now, reason=failures.not_read(disc, str(read.writer), read.reason))
    elif read.size is not None and not fits(read.size, copy.format):
        text = f"{disc} has {format_bytes(read.size)}, too much for {FORMATS[copy.format].label}."
        _move(copy, S.FAILED, now, reason=f"{text} Choose a larger format and blanks.")
    else:
        image: dict[str, Any] = {"image_sha256": read.sha256, "image_size": read.size, "layout": read.layout}
        if read.writer_id == copy.writer_id or _in_archive(read.sha256):
            _send(copy, now, **image)
        else:
            _move(copy, S.BRINGING, now, **image)


def _follow_fetch(copy: Copy, now: dt.datetime) -> None:
    if _in_archive(copy.image_sha256):
        _send(copy, now)
        return
    mine = Q(state__in=ImageFetch.OPEN) | Q(created_at__gte=copy.asked_at)
    fetches = ImageFetch.objects.filter(mine, sha256=copy.image_sha256).exclude(state=ImageFetch.State.CANCELLED)
    fetch = fetches.order_by("-id").first()
    if fetch is None or fetch.state == ImageFetch.State.READY:  # ready, and yet its file is gone
        fetch = _ask_for_fetch(copy, now)
    if fetch.state == ImageFetch.State.FAILED:
        _move(copy, S.FAILED, now, reason=failures.not_brought(str(fetch.writer), fetch.reason))
    else:
        _note(copy, fetch.reason)


def _ask_for_fetch(copy: Copy, now: dt.datetime) -> ImageFetch:
    if copy.source_writer is None or copy.image_size is None:
        raise NotAccepted("image", "Nobody knows any more where its image lies. Start the copy again.")
    try:
        with transaction.atomic():
            return ImageFetch.objects.create(
                writer=copy.source_writer,
                sha256=copy.image_sha256,
                size=copy.image_size,
                layout=copy.layout,
                next_try_at=now,
                created_at=now,
            )
    except IntegrityError:  # another copy asked for the same image
        raise trouble.NotTried from None


def _send(copy: Copy, now: dt.datetime, **image: Any) -> None:
    for column, value in image.items():
        setattr(copy, column, value)
    with transaction.atomic():
        request = have_image(copy.writer, _image(copy), title=copy.title, actor=copy.asked_by, now=now)
        _move(copy, S.SENDING, now, request=request, **image)


def _follow_request(copy: Copy, now: dt.datetime) -> None:
    request = copy.request
    if request is None or request.state == RequestState.DROPPED:
        why = request.reason if request else "nobody asks for it any more"
        _move(copy, S.FAILED, now, reason=failures.not_asked(str(copy.writer), why))
    elif request.state == RequestState.FAILED:
        _move(copy, S.FAILED, now, reason=failures.not_sent(str(copy.writer), request.reason))
    elif request.state == RequestState.DONE:
        _write(copy, now)
    else:
        _note(copy, request.reason)


def _write(copy: Copy, now: dt.datetime) -> None:
    """One write for each drive. Their uuids follow from the copy's, so that none is ever queued twice."""
    with transaction.atomic():
        for drive, discs in shares(copy.drives, copy.copies):
            write = queue_write(
                uuid=uuid.uuid5(copy.pk, drive),
                writer=copy.writer,
                image=_image(copy),
                format=copy.format,
                title=copy.title,
                copies=discs,
                drive=drive,
                reference=copy.reference,
                actor=copy.asked_by,
                now=now,
            )
            CopyWrite.objects.get_or_create(copy=copy, write=write)
        _move(copy, S.WRITING, now)


def shares(drives: Collection[str], copies: int) -> list[tuple[str, int]]:
    """How many discs each drive writes: as evenly as it goes, the first ones more. A drive without any has no share."""
    each, more = divmod(copies, len(drives))
    split = [(drive, each + (number < more)) for number, drive in enumerate(drives)]
    return [(drive, discs) for drive, discs in split if discs]


def _follow_writes(copy: Copy, now: dt.datetime) -> None:
    writes = list(Write.objects.filter(copy_part__copy=copy).order_by("pk"))
    if not all(write.final for write in writes):
        _note(copy, next((write.reason for write in writes if not write.final and write.reason), ""))
        return
    rows = Disc.objects.filter(write__in=writes).order_by("pk")
    discs = [DiscEnd(disc.serial, disc.state, disc.drive, disc.reason) for disc in rows]
    refusals = [write.reason for write in writes if write.problem]
    verdict = judge(discs, copies=copy.copies, refusals=refusals, cancelled_by=copy.cancelled_by)
    _move(copy, verdict.state, now, reason=verdict.reason)


STEPS: Final = {
    S.ASKED: _begin,
    S.READING: _follow_read,
    S.BRINGING: _follow_fetch,
    S.SENDING: _follow_request,
    S.WRITING: _follow_writes,
}


def _cancel(copy: Copy, now: dt.datetime) -> None:
    """Takes back what is not begun. A read or write that an agent may have ends with the agent's word alone."""
    if copy.state == S.READING and copy.read:
        cancel_read(copy.read, copy.cancelled_by, now)
    elif copy.state == S.WRITING:
        for write in Write.objects.filter(copy_part__copy=copy, cancel_requested=False).order_by("pk"):
            cancel_write(write, copy.cancelled_by, now)
    else:
        with transaction.atomic():
            wanted = Copy.objects.filter(request=copy.request_id, state=S.SENDING).exclude(pk=copy.pk)
            if copy.request and not wanted.exists():
                withdraw(copy.request, why="The copy was cancelled.", actor=copy.cancelled_by, now=now)
            _move(copy, S.CANCELLED, now, reason="Cancelled before a disc was begun.")


def _image(copy: Copy) -> ImageRef:
    return ImageRef(copy.image_sha256, copy.image_size or 0, copy.layout)


def _in_archive(sha256: str) -> bool:
    image = Image.objects.filter(sha256=sha256, state=ImageState.READY).first()
    return image is not None and storage.has_image(image)
