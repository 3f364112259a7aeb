"""Makes one image: source → draft → looked at → storage → ready. A row that waits is made under a lease.

Any number of processes may try; each draft is its own, and one of them becomes the image.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from archive import lifecycle, storage
from archive.errors import ArchiveError, LeaseLostError
from archive.leases import new_owner, renewed
from archive.models import Image, ImageState, Layout
from archive.progress import WAITING, Watch, unwatched
from archive.sources import Made, Source, read_source
from archive.storage import Draft
from archive.tree import changed

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Finished:
    """A draft that is whole and on the disk: what it was made of, and what its row says where there is none yet."""

    made: Made
    size: int
    source: str
    volume: str
    layout: Layout = Layout.ISO


def obtain(source: Source, now: datetime, watch: Watch) -> Image:
    """The ready image of a source, made here unless it is there already.

    A source is read once, and only then is it known what it is: so the image is written first, as a draft that
    nobody sees, and its row is found or made after. Raises ArchiveError when it can't be made.
    """
    with storage.draft() as draft:
        made = _write(source, draft, watch)
        return keep(draft, Finished(made, source.size, str(source.path), source.volume), now, watch)


def keep(draft: Draft, finished: Finished, now: datetime, watch: Watch) -> Image:
    """The ready image with a finished draft's bytes; the draft becomes its file unless that is there already.

    Raises ArchiveError if the same recipe has given other bytes before.
    """
    owner, stored, sha256 = new_owner(), False, finished.made.sha256
    while True:
        image = _row(finished, now)
        if image.state == ImageState.READY:
            if image.sha256 != sha256:
                raise ArchiveError("source", f"image {image.sha256} was made of just this, with other bytes.")
            if not stored and not storage.has_image(image):
                draft.keep(sha256)  # its file was gone
            return image
        lifecycle.retry(image)
        if lifecycle.claim(image, owner, timezone.now()):
            if not stored:
                draft.keep(sha256)
                stored = True
            if settled := lifecycle.settle(image, owner, sha256, finished.size):
                return settled
        watch(WAITING, 0, 0)
        time.sleep(LOOK_AGAIN_SECONDS)


def _row(finished: Finished, now: datetime) -> Image:
    """The row with these bytes, or else with this recipe; a new one if there is none."""
    if known := Image.objects.filter(sha256=finished.made.sha256).first():
        return known
    image, _ = Image.objects.get_or_create(
        recipe=finished.made.recipe,
        defaults={
            "source": finished.source,
            "volume_name": finished.volume,
            "layout": finished.layout,
            "created_at": now,
        },
    )
    return image


def make_waiting() -> int:
    """Make every image that waits or was left half-way, one after another. Returns how many were made here."""
    made = 0
    storage.sweep()
    for image in lifecycle.to_make(timezone.now()):
        owner = new_owner()
        if not lifecycle.claim(image, owner, timezone.now()):
            continue  # somebody was first
        try:
            with _held(image, owner, unwatched) as guarded:
                made += _make_again(image, owner, guarded)
        except ArchiveError as error:
            log.warning("Image %s was given up: %s", image.pk, error.text)
        except LeaseLostError:
            log.info("Image %s was taken over by another process.", image.pk)
        except SoftTimeLimitExceeded:  # it was released, and the next run begins with it
            raise
        except Exception:  # it was given up with its reason; the other images are made
            log.exception("Image %s was given up.", image.pk)
    return made


def _make_again(image: Image, owner: str, watch: Watch) -> bool:
    """Make an image from where its row says it came from, if that is still what it was."""
    with closing(read_source(Path(image.source), image.volume_name)) as source, storage.draft() as draft:
        made = _write(source, draft, watch)
        if made.recipe != image.recipe:
            raise changed(source.path)
        draft.keep(made.sha256)
        return lifecycle.settle(image, owner, made.sha256, source.size) is not None


def _write(source: Source, draft: Draft, watch: Watch) -> Made:
    """Write a source's image and look at it. Raises ArchiveError; the draft is on the disk afterwards."""
    try:
        made = source.write(draft.file, watch)
        if os.fstat(draft.file.fileno()).st_size != source.size:
            text = f"the image of {source.path} has another size than was laid out: its maker is at fault."
            raise ArchiveError("source", text)
        with ThreadPoolExecutor(1) as beside:  # the disk needs its time; the folders are looked at meanwhile
            synced = beside.submit(os.fsync, draft.file.fileno())
            source.check(draft.path)
            synced.result()
    except OSError as error:
        raise ArchiveError("source", f"the image can't be written: {error.strerror or error}.") from error
    return made


@contextmanager
def _held(image: Image, owner: str, watch: Watch) -> Iterator[Watch]:
    """Work under a claimed lease. Yields a watch that stops the work when the lease is lost.

    Failing inside gives the image up, so that what breaks its maker doesn't break the next one for ever;
    being told to stop releases it. Raises ArchiveError, or LeaseLostError.
    """
    try:
        with renewed(f"image {image.pk}", lambda: lifecycle.renew(image, owner, timezone.now())) as lost:

            def guarded(stage: str, done: int, total: int) -> None:
                if lost.is_set():
                    raise LeaseLostError
                watch(stage, done, total)

            yield guarded
    except LeaseLostError:
        raise
    except ArchiveError as error:
        lifecycle.give_up(image, owner, error.text)
        raise
    except SoftTimeLimitExceeded:  # perhaps those before it took the time: its try stays counted, three are too many
        lifecycle.release(image, owner, tried=True)
        raise
    except Exception as error:
        lifecycle.give_up(image, owner, f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        lifecycle.release(image, owner)
        raise
