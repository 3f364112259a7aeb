"""Makes uploads into images: a disc image is taken as it is, all else is mastered. Under a lease, like all mastering.

Safe to kill at any point: the files stay until the image is in the archive, and making it again gives the same one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from billiard.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from archive.discimage import is_disc_image
from archive.errors import ArchiveError, LeaseLostError
from archive.intake import check_room, check_size
from archive.leases import new_owner, renewed
from archive.making import obtain
from archive.models import Image, Upload, UploadFile
from archive.names import volume_name
from archive.progress import Watch
from archive.sources import read_source
from archive.uploads import lifecycle, receiving, staging

log = logging.getLogger(__name__)


def make_waiting() -> int:
    """Makes every upload that is whole or was left half-way, one after another. Returns how many became images."""
    receiving.sweep(timezone.now())
    made = 0
    for upload in lifecycle.to_make(timezone.now()):
        owner = new_owner()
        if lifecycle.claim(upload, owner, timezone.now()):
            made += _make(upload, owner)
    return made


def _make(upload: Upload, owner: str) -> bool:
    """One upload under its lease; False: it was given up, or taken over."""
    done = 0

    def renew() -> bool:
        return lifecycle.renew(upload, owner, timezone.now(), done)

    try:
        with renewed(f"upload {upload.pk}", renew) as lost:

            def watch(stage: str, so_far: int, total: int) -> None:
                nonlocal done
                done = so_far
                if lost.is_set():
                    raise LeaseLostError

            image = _image_of(upload, timezone.now(), watch)
    except LeaseLostError:
        log.info("Upload %s was taken over, or given up.", upload.pk)
        return False
    except SoftTimeLimitExceeded:
        lifecycle.release(upload, owner)
        raise
    except ArchiveError as error:
        lifecycle.fail(upload, owner, _without_folder(error.text, upload), timezone.now())
        log.warning("Upload %s was given up: %s", upload.pk, error.text)
        return False
    except Exception as error:  # the others are made
        lifecycle.fail(upload, owner, f"{type(error).__name__}: {error}", timezone.now())
        log.exception("Upload %s was given up.", upload.pk)
        return False
    except BaseException:
        lifecycle.release(upload, owner)
        raise
    if not lifecycle.settle(upload, owner, image, timezone.now()):
        return False
    staging.remove(upload.pk)
    return True


def _image_of(upload: Upload, now: datetime, watch: Watch) -> Image:
    with closing(read_source(_source_of(upload), volume_name(upload.name, "UPLOAD"))) as source:
        check_size(source, "")
        check_room(source)
        return obtain(source, now, watch)


def _source_of(upload: Upload) -> Path:
    """The disc image itself where one was sent alone; else the folder of what was sent."""
    folder = staging.folder_of(upload)
    files = list(upload.files.select_related("upload"))
    receiving.make_empty(files)  # begin may have died between its rows and these
    _check_sizes(files)
    if len(files) == 1:
        only = staging.path_of(files[0])
        claims = only.suffix.lower() == ".iso"  # called one: then a broken one is said to be broken
        if claims or is_disc_image(only):
            return only
    staging.date_folders(folder)
    return folder


def _check_sizes(files: Iterable[UploadFile]) -> None:
    """An image that lacks a part of what was sent would be written to discs, and nobody would know."""
    for file in files:
        if (here := staging.size_of(file)) != file.size:
            text = f"{file.path} has {here} bytes here, not {file.size}. Give it up, and send its files again."
            raise ArchiveError("files", text)


def _without_folder(text: str, upload: Upload) -> str:
    """The names that its owner knows, not where it lies here."""
    folder = str(staging.folder_of(upload))
    return text.replace(f"{folder}/", "").replace(folder, upload.name)
