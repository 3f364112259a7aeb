"""Makes one image under a lease: source → draft → read back → storage → ready.

Any number of processes may try; one makes it, the others wait for it or take over when it falls silent.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Final

from django.db import connection
from django.utils import timezone

from archive import lifecycle, storage
from archive.errors import ArchiveError, LeaseLostError
from archive.models import Image, ImageState
from archive.progress import WAITING, Watch, unwatched
from archive.sources import Source, read_source
from archive.tree import changed

log = logging.getLogger(__name__)

RENEWAL_SECONDS: Final = 5.0
LOOK_AGAIN_SECONDS: Final = 0.3


def make(image: Image, source: Source, watch: Watch) -> Image:
    """Return the ready image, made here or by another process meanwhile.

    Raises ArchiveError when it can't be made, Image.DoesNotExist when it turned out to be the same as another.
    """
    owner = _new_owner()
    while True:
        image.refresh_from_db()
        if image.state == ImageState.READY:
            return image if storage.has_image(image) else _restore(image, source, watch)
        lifecycle.retry(image)
        if lifecycle.claim(image, owner, timezone.now()):
            with suppress(LeaseLostError), _held(image, owner, watch) as guarded:
                sha256 = _master(source, guarded)
                if made := lifecycle.settle(image, owner, sha256, source.size):
                    return made
        watch(WAITING, 0, 0)
        time.sleep(LOOK_AGAIN_SECONDS)


def make_waiting() -> int:
    """Make every image that waits or was left half-way, one after another. Returns how many were made here."""
    made = 0
    storage.sweep()
    for image in lifecycle.to_make(timezone.now()):
        owner = _new_owner()
        if not lifecycle.claim(image, owner, timezone.now()):
            continue  # somebody was first
        try:
            with _held(image, owner, unwatched) as guarded:
                made += _make_again(image, owner, guarded)
        except ArchiveError as error:
            log.warning("Image %s was given up: %s", image.pk, error.text)
        except LeaseLostError:
            log.info("Image %s was taken over by another process.", image.pk)
    return made


def _make_again(image: Image, owner: str, watch: Watch) -> bool:
    """Make an image from where its row says it came from, if that is still what it was."""
    with closing(read_source(Path(image.source), image.volume_name)) as source:
        if source.recipe(watch) != image.recipe:
            raise changed(source.path)
        return lifecycle.settle(image, owner, _master(source, watch), source.size) is not None


def _new_owner() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


def _restore(image: Image, source: Source, watch: Watch) -> Image:
    """Put back a ready image whose file is gone. The same recipe gives the same bytes, so no lease is needed."""
    if _master(source, watch) != image.sha256:
        raise ArchiveError(
            "source",
            f"the stored file of image {image.sha256} is gone and making it again gives other bytes; "
            "put it back from a backup.",
        )
    return image


def _master(source: Source, watch: Watch) -> str:
    """Write, read back and store. Returns the sha256 (hex) of the stored image."""
    with storage.draft() as draft:
        source.write(draft.file, watch)
        draft.file.flush()
        if os.fstat(draft.file.fileno()).st_size != source.size:
            raise changed(source.path)
        # Three things that wait for the disk, or hash without the interpreter's lock, at the same time.
        with ThreadPoolExecutor(2) as beside:
            synced = beside.submit(os.fsync, draft.file.fileno())
            digest = beside.submit(_digest, draft.path)
            source.check(draft.path, watch)
            sha256 = digest.result()
            synced.result()
        if source.sha256 and sha256 != source.sha256:
            raise changed(source.path)
        draft.keep(sha256)
    return sha256


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def _held(image: Image, owner: str, watch: Watch) -> Iterator[Watch]:
    """Work under a claimed lease. Yields a watch that stops the work when the lease is lost.

    Failing inside gives the image up, so that what breaks its maker doesn't break the next one for ever;
    being told to stop releases it. Raises ArchiveError, or LeaseLostError.
    """
    try:
        with _renewed(image, owner) as lost:

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
    except OSError as error:
        text = f"the image can't be written: {error.strerror or error}."
        lifecycle.give_up(image, owner, text)
        raise ArchiveError("source", text) from error
    except Exception as error:
        lifecycle.give_up(image, owner, f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        lifecycle.release(image, owner)
        raise


@contextmanager
def _renewed(image: Image, owner: str) -> Iterator[threading.Event]:
    """Renew the lease beside the work, which may wait for the disk for minutes. Yields «the lease is lost»."""
    lost, finished = threading.Event(), threading.Event()

    def renew() -> None:
        try:
            while not finished.wait(RENEWAL_SECONDS) and not lost.is_set():
                if not lifecycle.renew(image, owner, timezone.now()):
                    lost.set()
        finally:
            connection.close()  # of this thread

    thread = threading.Thread(target=renew, name=f"lease of image {image.pk}", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        finished.set()
        thread.join()
