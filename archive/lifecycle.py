"""The only module that writes an image's state: each edge of `TRANSITIONS` is one compare-and-set.

Whoever gets False or None was too late and stops quietly. Does no file work.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from archive.models import Image, ImageState

# How long a holder may be silent. Renewed every few seconds, so only a dead or stopped process lets it run out.
LEASE: Final = timedelta(seconds=12)
TRIES: Final = 3  # that ended without a word or with the task's time: then somebody has to look

NO_LEASE: Final[dict[str, object]] = {"lease_owner": "", "lease_until": None, "tries": 0}
ENDED_ITS_PROCESS: Final = (
    "Making it took its process down or all its time, three times: mind memory and disk. Then try again."
)


def to_make(now: datetime) -> QuerySet[Image]:
    """Images that somebody should make now: waiting, or left by a holder who fell silent."""
    return Image.objects.filter(
        Q(state=ImageState.WAITING) | Q(state=ImageState.MASTERING, lease_until__lt=now)
    ).order_by("created_at", "pk")


def claim(image: Image, owner: str, now: datetime) -> bool:
    """waiting → mastering, or take over a lease that ran out. The try is counted before it is made."""
    free = to_make(now).order_by().filter(pk=image.pk)
    if free.filter(tries__gte=TRIES).update(state=ImageState.FAILED, reason=ENDED_ITS_PROCESS, **NO_LEASE):
        return False
    mine = {"state": ImageState.MASTERING, "lease_owner": owner, "lease_until": now + LEASE}
    return bool(free.update(**mine, tries=F("tries") + 1, reason=""))


def renew(image: Image, owner: str, now: datetime) -> bool:
    """mastering → mastering, for another while."""
    return bool(_held(image, owner).update(lease_until=now + LEASE))


def settle(image: Image, owner: str, sha256: str, size: int) -> Image | None:
    """mastering → ready. Returns the image that has these bytes, which is another one when its recipe gave the same.

    None when the lease was lost.
    """
    try:
        with transaction.atomic():
            settled = _held(image, owner).update(
                state=ImageState.READY, sha256=sha256, size=size, reason="", **NO_LEASE
            )
    except IntegrityError:
        # Another recipe has given these bytes: this row has no version yet, and two would be one image twice.
        twin = Image.objects.get(sha256=sha256)
        _held(image, owner).delete()
        return twin
    return Image.objects.get(pk=image.pk) if settled else None


def give_up(image: Image, owner: str, reason: str) -> bool:
    """mastering → failed: making it again would fail again."""
    return bool(_held(image, owner).update(state=ImageState.FAILED, reason=reason, **NO_LEASE))


def release(image: Image, owner: str, *, tried: bool = False) -> bool:
    """mastering → waiting: the holder was told to stop. tried: that was a try, which stays counted."""
    tries = {"tries": F("tries")} if tried else {}
    return bool(_held(image, owner).update(state=ImageState.WAITING, **(NO_LEASE | tries)))


def retry(image: Image) -> bool:
    """failed → waiting: somebody added it again, or said «try again»."""
    failed = Image.objects.filter(pk=image.pk, state=ImageState.FAILED)
    return bool(failed.update(state=ImageState.WAITING, reason=""))


def _held(image: Image, owner: str) -> QuerySet[Image]:
    return Image.objects.filter(pk=image.pk, state=ImageState.MASTERING, lease_owner=owner)
