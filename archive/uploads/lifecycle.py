"""The only module that writes an upload's state: each edge of `UPLOAD_TRANSITIONS` is one compare-and-set.

Whoever gets False was too late and stops quietly. Does no file work.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from archive.lifecycle import LEASE, TRIES
from archive.models import Image, Upload, UploadFile, UploadState

KEEP: Final = timedelta(days=1)  # how long files are kept of which nobody sends more, or which can't be made
NO_LEASE: Final[dict[str, Any]] = {"lease_owner": "", "lease_until": None, "tries": 0}
ENDED_ITS_PROCESS: Final = (
    "Making its image took its process down or all its time, three times: mind memory and disk. Then try again."
)
S = UploadState


def to_make(now: datetime) -> QuerySet[Upload]:
    """Uploads that somebody should make now: whole, or left by a holder who fell silent."""
    return Upload.objects.filter(Q(state=S.WAITING) | Q(state=S.MAKING, lease_until__lt=now)).order_by("created_at")


def touch(upload: Upload, now: datetime) -> bool:
    """receiving → receiving: something came, so its files are kept for another while."""
    return bool(Upload.objects.filter(pk=upload.pk, state=S.RECEIVING).update(expires_at=now + KEEP))


def complete(upload: Upload) -> bool:
    """receiving → waiting: every file of it is here."""
    missing = UploadFile.objects.filter(upload=upload, received__lt=F("size"))
    receiving = Upload.objects.filter(pk=upload.pk, state=S.RECEIVING)
    return not missing.exists() and bool(receiving.update(state=S.WAITING))


def claim(upload: Upload, owner: str, now: datetime) -> bool:
    """waiting → making, or take over a lease that ran out. The try is counted before it is made."""
    free = to_make(now).order_by().filter(pk=upload.pk)
    failed = {"state": S.FAILED, "reason": ENDED_ITS_PROCESS, "expires_at": now + KEEP}
    if free.filter(tries__gte=TRIES).update(**failed, **NO_LEASE):
        return False
    mine = {"state": S.MAKING, "lease_owner": owner, "lease_until": now + LEASE}
    return bool(free.update(**mine, tries=F("tries") + 1, reason="", made=0))


def renew(upload: Upload, owner: str, now: datetime, made: int) -> bool:
    """making → making, for another while; False: it was taken over, or given up."""
    return bool(_held(upload, owner).update(lease_until=now + LEASE, made=made))


def settle(upload: Upload, owner: str, image: Image, now: datetime) -> bool:
    """making → ready. Its files are no longer needed, nor the rows that name them."""
    with transaction.atomic():
        values = {"state": S.READY, "image": image, "ended_at": now, "made": image.size or 0}
        if not _held(upload, owner).update(**values, **NO_LEASE):
            return False
        UploadFile.objects.filter(upload=upload).delete()
    return True


def fail(upload: Upload, owner: str, reason: str, now: datetime) -> bool:
    """making → failed: making it again would fail again, unless somebody mends what the reason names."""
    return bool(_held(upload, owner).update(state=S.FAILED, reason=reason, expires_at=now + KEEP, **NO_LEASE))


def release(upload: Upload, owner: str) -> bool:
    """making → waiting: the holder was told to stop. Its try stays counted."""
    return bool(_held(upload, owner).update(state=S.WAITING, **(NO_LEASE | {"tries": F("tries")})))


def retry(upload: Upload, now: datetime) -> bool:
    """failed → waiting: somebody said «try again» while its files were kept."""
    failed = Upload.objects.filter(pk=upload.pk, state=S.FAILED, expires_at__gt=now)
    return bool(failed.update(state=S.WAITING, reason=""))


def give_up(upload: Upload, reason: str, now: datetime) -> bool:
    """→ given up, by a person or because its time was over; who makes it notices with the next renewal."""
    with transaction.atomic():
        unfinished = Upload.objects.filter(pk=upload.pk).exclude(state__in=[S.READY, S.GIVEN_UP])
        if not unfinished.update(state=S.GIVEN_UP, reason=reason, ended_at=now, **NO_LEASE):
            return False
        UploadFile.objects.filter(upload=upload).delete()
    return True


def _held(upload: Upload, owner: str) -> QuerySet[Upload]:
    return Upload.objects.filter(pk=upload.pk, state=S.MAKING, lease_owner=owner)
