"""The door for uploads: begin one, take the next bytes of a file, give it up. What HTTP says of it is not known here.

Everything that can be known to be wrong is refused before a byte is sent.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from archive import storage
from archive.errors import ArchiveError
from archive.formats import format_bytes
from archive.models import Upload, UploadFile, UploadState
from archive.uploads import lifecycle, paths, staging
from archive.uploads.paths import Sent

MOST_OPEN: Final = 20  # uploads of one person that are coming at the same time


class OffsetError(Exception):
    """The bytes that were sent don't go on where the file ends; `offset` says where that is."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"The next byte is number {offset}.")
        self.offset = offset


class TooLongError(Exception):
    """More bytes than the file was said to have."""


class ChecksumError(Exception):
    """The bytes that came are not those that were sent; none of them is kept."""


class OverError(Exception):
    """The upload takes nothing any more: it is whole, or it was given up."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must give: `algorithm` as hashlib calls it."""

    algorithm: str
    digest: bytes


def begin(name: str, files: Sequence[Sent], *, by: str, now: datetime) -> Upload:
    """An upload that takes these files; the very same one while it is unfinished, so that it is resumed.

    Raises ArchiveError with the field (name or files).
    """
    name = name.strip()
    if not name or len(name) > 200 or any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise ArchiveError("name", "is no name: use 1 to 200 characters that can be printed.")
    paths.check(files)
    manifest = hashlib.sha256(json.dumps([name, sorted(map(astuple, files))]).encode()).hexdigest()
    coming = Upload.objects.filter(state=UploadState.RECEIVING, by=by)
    if known := coming.filter(manifest=manifest).first():
        lifecycle.touch(known, now)
        return known
    if coming.count() >= MOST_OPEN:
        raise ArchiveError("files", f"{MOST_OPEN} uploads of yours are not finished; finish or give up some of them.")
    try:
        _check_room(sum(file.size for file in files))
        return _create(name, manifest, files, by, now)
    except OSError as error:
        text = f"they can't be kept: {error.strerror or error}; mend the server's disk first."
        raise ArchiveError("files", text) from error


def _create(name: str, manifest: str, files: Sequence[Sent], by: str, now: datetime) -> Upload:
    with transaction.atomic():
        upload = Upload.objects.create(
            name=name,
            manifest=manifest,
            files_count=len(files),
            size=sum(file.size for file in files),
            by=by,
            created_at=now,
            expires_at=now + lifecycle.KEEP,
        )
        rows = [
            UploadFile(upload=upload, path=file.path, size=file.size, modified_at=_date(file.modified))
            for file in files
        ]
        UploadFile.objects.bulk_create(rows, batch_size=500)
    try:
        make_empty(rows)
    except OSError:
        give_up(upload, "Its empty files could not be made.", now)
        raise
    return upload


def make_empty(files: Iterable[UploadFile]) -> None:
    """Those of size 0, of which nothing will ever be sent. Again is no harm: a kill may have come between."""
    for file in files:
        if file.size == 0:
            with staging.opened(file) as part:
                part.finish(_seconds(file))


def _check_room(size: int) -> None:
    """For the files, and for the image that is made of them while they still lie there. Raises ArchiveError."""
    unfinished = Upload.objects.filter(state=UploadState.RECEIVING)
    promised = (unfinished.aggregate(size=Sum("size"))["size"] or 0) - (
        UploadFile.objects.filter(upload__in=unfinished).aggregate(received=Sum("received"))["received"] or 0
    )
    twice = staging.shares_the_images_disk()
    for needed, free in (
        (promised + size * (2 if twice else 1), staging.free_bytes()),
        (size, storage.free_bytes()),
    ):
        if needed > free:
            text = f"they and their image need {format_bytes(needed)}, but only {format_bytes(free)} are free"
            raise ArchiveError("files", f"{text}; make room on the server first.")


def append(
    file: UploadFile, offset: int, length: int, blocks: Iterable[bytes], checksum: Checksum | None, now: datetime
) -> int:
    """Takes the next `length` bytes of a file; where it ends now. What came is kept even if it is less.

    Raises OffsetError, TooLongError, ChecksumError, OverError, staging.BusyError, and OSError for a full disk.
    """
    if file.upload.state != UploadState.RECEIVING:
        raise OverError
    with staging.opened(file) as part:
        if part.size != offset:
            raise OffsetError(part.size)
        if offset + length > file.size:
            raise TooLongError
        try:
            _take(part, blocks, offset, length, checksum)
            if part.size == file.size:
                part.finish(_seconds(file))
        finally:
            part.file.flush()
            UploadFile.objects.filter(pk=file.pk).update(received=part.size)
    lifecycle.touch(file.upload, now)
    if part.size == file.size:
        lifecycle.complete(file.upload)
    return part.size


def _take(part: staging.Part, blocks: Iterable[bytes], offset: int, length: int, checksum: Checksum | None) -> None:
    digest = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
    left = length
    try:
        for block in blocks:
            kept = block[:left]
            part.write(kept)
            left -= len(kept)
            if digest:
                digest.update(kept)
        if checksum and digest and (left or digest.digest() != checksum.digest):
            raise ChecksumError
    except Exception:
        if checksum:
            part.cut(offset)  # of a part nobody knows whether it is right
        raise


def offset_of(file: UploadFile, now: datetime) -> int:
    """The number of the next byte. Raises OverError once nothing is taken any more, staging.BusyError."""
    if file.upload.state != UploadState.RECEIVING:
        if file.received == file.size:
            return file.size
        raise OverError
    here = staging.size_of(file)
    if here == file.size != file.received:  # its last piece came, and the process was killed before it said so
        return append(file, here, 0, (), None, now)
    return here


def end_of(file: UploadFile) -> int:
    """Where a file ends whose row is gone: its upload is an image. Raises OverError if it was given up instead."""
    if not Upload.objects.filter(pk=file.upload_id, state=UploadState.READY).exists():
        raise OverError
    return file.size


def offsets(upload: Upload, now: datetime) -> Iterator[tuple[UploadFile, int]]:
    """Every file of an upload that is coming, with the number of its next byte."""
    for file in upload.files.select_related("upload"):
        try:
            yield file, offset_of(file, now)
        except staging.BusyError:  # somebody sends it at this moment
            yield file, staging.size_of(file)


def give_up(upload: Upload, reason: str, now: datetime) -> bool:
    """Nobody wants it any more; its files are removed. False: it is over."""
    if not lifecycle.give_up(upload, reason, now):
        return False
    staging.remove(upload.pk)
    return True


def sweep(now: datetime) -> None:
    """Gives up what was forgotten, finishes what was killed before its last step, removes what nobody needs."""
    for upload in Upload.objects.filter(state=UploadState.RECEIVING, expires_at__lt=now):
        give_up(upload, "Nothing came for a day. Choose the same files again.", now)
    for upload in Upload.objects.filter(state=UploadState.FAILED, expires_at__lt=now):
        give_up(upload, upload.reason, now)
    for upload in Upload.objects.filter(state=UploadState.RECEIVING):
        lifecycle.complete(upload)
    there = staging.folders()  # before the rows are asked: a row stands before its folder does
    kept = Upload.objects.filter(pk__in=there).exclude(state__in=[UploadState.READY, UploadState.GIVEN_UP])
    for pk in there - set(kept.values_list("pk", flat=True)):
        staging.remove(pk)


def file_by_id(pk: UUID) -> UploadFile | None:
    return UploadFile.objects.filter(pk=pk).select_related("upload").first()


def _seconds(file: UploadFile) -> float | None:
    return file.modified_at.timestamp() if file.modified_at else None


def _date(milliseconds: int | None) -> datetime | None:
    """A browser's date; one that no disc can hold is none."""
    seconds = (milliseconds or 0) // 1000
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 2**32 else None
