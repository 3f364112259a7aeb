"""The only module that writes the state of a copy or of an image's fetch.

Each change is a compare-and-set with its event in the same transaction; False means somebody was first: stop quietly.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from devices.drives import release_drive
from devices.models import Drive
from fulfillment.lifecycle import ImpossibleMove
from fulfillment.models import Copy, CopyEvent, ImageFetch

log = logging.getLogger(__name__)

S = Copy.State
COPY_TRANSITIONS: Final = {
    S.ASKED: {S.READING, S.SENDING, S.FAILED, S.CANCELLED},
    # read at another writer: brought; read at its own, or the archive has just these bytes: sent
    S.READING: {S.BRINGING, S.SENDING, S.FAILED, S.CANCELLED},
    S.BRINGING: {S.SENDING, S.FAILED, S.CANCELLED},
    S.SENDING: {S.WRITING, S.FAILED, S.CANCELLED},
    S.WRITING: {S.DONE, S.FAILED, S.UNKNOWN, S.CANCELLED},
    S.DONE: set[Copy.State](),
    S.FAILED: set[Copy.State](),
    S.UNKNOWN: set[Copy.State](),
    S.CANCELLED: set[Copy.State](),
}


def move_copy(
    copy: Copy, new: Copy.State, *, actor: str, now: dt.datetime, reason: str = "", text: str = "", **also: Any
) -> bool:
    """Moves a copy on from the state and revision it was read with; `also` are columns set in the same breath.

    What it holds and no longer needs is released in the same transaction: its source drive once that was read, all
    its drives at the end.
    """
    old = Copy.State(copy.state)
    if new not in COPY_TRANSITIONS[old]:
        raise ImpossibleMove(f"copy {copy.pk}: {old} → {new}")
    values: dict[str, Any] = {"state": new, "reason": reason, **also}
    if new in Copy.ENDED:
        values["ended_at"] = now
    with transaction.atomic():
        as_read = Copy.objects.filter(pk=copy.pk, state=old, revision=copy.revision)
        if not as_read.update(revision=F("revision") + 1, **values):
            return False
        CopyEvent.objects.create(copy=copy, at=now, actor=actor[:80], old=old, new=new, text=(text or reason)[:300])
        if new in Copy.ENDED:
            _release(held_by(copy), copy, actor, now)
        elif old == S.READING:
            _release(held_by(copy).filter(writer=copy.source_writer_id, ident=copy.source_drive), copy, actor, now)
        about = copy.about | {"old": old, "new": new, "reason": reason}
        transaction.on_commit(lambda: log.info("copy %s", new, extra=about), robust=True)
    for column, value in {**values, "revision": copy.revision + 1}.items():
        setattr(copy, column, value)
    return True


def note_on_copy(copy: Copy, reason: str, **also: Any) -> bool:
    """Says what an open copy waits for, without moving it. An unchanged text changes nothing."""
    if reason == copy.reason and not also:
        return True
    as_read = Copy.objects.filter(pk=copy.pk, state=copy.state, revision=copy.revision)
    if not as_read.update(revision=F("revision") + 1, reason=reason, **also):
        return False
    for column, value in {"reason": reason, **also, "revision": copy.revision + 1}.items():
        setattr(copy, column, value)
    return True


def ask_to_cancel(copy: Copy, *, actor: str, now: dt.datetime) -> bool:
    """Notes who wants it cancelled; False: somebody has, or it is over."""
    with transaction.atomic():
        rows = Copy.objects.filter(pk=copy.pk, state__in=Copy.OPEN, cancelled_by="")
        if not rows.update(cancelled_by=actor, revision=F("revision") + 1):
            return False
        copy.refresh_from_db()
        CopyEvent.objects.create(copy=copy, at=now, actor=actor[:80], new=copy.state, text="cancellation asked for")
    return True


def acknowledge(copy: Copy, *, actor: str, now: dt.datetime) -> bool:
    """Somebody has seen how it ended; False: it is not over, or somebody was first."""
    with transaction.atomic():
        rows = Copy.objects.filter(pk=copy.pk, state__in=Copy.ENDED, seen_at=None)
        if not rows.update(seen_by=actor, seen_at=now, revision=F("revision") + 1):
            return False
        copy.refresh_from_db()
        CopyEvent.objects.create(copy=copy, at=now, actor=actor[:80], new=copy.state, text="seen")
    return True


def held_by(copy: Copy) -> QuerySet[Drive]:
    return Drive.objects.filter(held_for=str(copy.pk))


def _release(drives: QuerySet[Drive], copy: Copy, actor: str, now: dt.datetime) -> None:
    for drive in drives.order_by("writer", "pk"):  # in one order everywhere: their writers' rows are locked
        release_drive(drive, str(copy.pk), who=actor, now=now)


# --- Fetches --------------------------------------------------------------------------------------

LEASE: Final = dt.timedelta(seconds=12)  # of a fetch; renewed every few seconds
TRIES: Final = 3  # that ended without a word: then somebody has to look
BACK_OFF: Final = (5, 10, 20, 40, 60)  # seconds between calls that fail; the last one repeats
NO_LEASE: Final[dict[str, Any]] = {"lease_owner": "", "lease_until": None}
ENDED_ITS_PROCESS: Final = "Bringing the image ended its process three times: mind memory and disk."
F_ = ImageFetch.State


def fetches_due(now: dt.datetime) -> QuerySet[ImageFetch]:
    """Fetches that somebody should do now: waiting, or left by a holder who fell silent."""
    left = Q(state=F_.FETCHING, lease_until__lt=now)
    return ImageFetch.objects.filter(Q(state=F_.WAITING, next_try_at__lte=now) | left)


def claim_fetch(fetch: ImageFetch, owner: str, now: dt.datetime) -> bool:
    """waiting → fetching, or take over a lease that ran out. The try is counted before it is made."""
    free = fetches_due(now).filter(pk=fetch.pk)
    if free.filter(tries__gte=TRIES).update(state=F_.FAILED, reason=ENDED_ITS_PROCESS, **NO_LEASE):
        return False
    mine = {"state": F_.FETCHING, "lease_owner": owner, "lease_until": now + LEASE}
    return bool(free.update(**mine, tries=F("tries") + 1))


def renew_fetch(fetch: ImageFetch, owner: str, now: dt.datetime, received: int) -> bool:
    """fetching → fetching, for another while; False: another process took it over, or nobody wants it any more."""
    return bool(_leased(fetch, owner).update(lease_until=now + LEASE, received=received))


def settle_fetch(fetch: ImageFetch, owner: str) -> bool:
    """fetching → ready: the archive has it."""
    return bool(_leased(fetch, owner).update(state=F_.READY, reason="", received=F("size"), **NO_LEASE))


def postpone_fetch(fetch: ImageFetch, owner: str, *, reason: str, received: int, now: dt.datetime) -> bool:
    """fetching → waiting: a call failed. What has come stays here, and the next call goes on behind it."""
    failures = 1 if received > fetch.received else fetch.failures + 1
    pause = dt.timedelta(seconds=BACK_OFF[min(failures, len(BACK_OFF)) - 1])
    values = {"reason": reason, "received": received, "failures": failures, "next_try_at": now + pause, "tries": 0}
    return bool(_leased(fetch, owner).update(state=F_.WAITING, **values, **NO_LEASE))


def release_fetch(fetch: ImageFetch, owner: str, *, received: int) -> bool:
    """fetching → waiting: the holder was told to stop."""
    return bool(_leased(fetch, owner).update(state=F_.WAITING, received=received, tries=0, **NO_LEASE))


def fail_fetch(fetch: ImageFetch, owner: str, reason: str) -> bool:
    """fetching → failed: trying again would fail again."""
    return bool(_leased(fetch, owner).update(state=F_.FAILED, reason=reason, **NO_LEASE))


def drop_fetch(fetch: ImageFetch) -> bool:
    """→ cancelled: no copy wants it; whoever fetches notices with the next renewal."""
    rows = ImageFetch.objects.filter(pk=fetch.pk, state__in=ImageFetch.OPEN)
    return bool(rows.update(state=F_.CANCELLED, reason="No copy wants it any more.", **NO_LEASE))


def _leased(fetch: ImageFetch, owner: str) -> QuerySet[ImageFetch]:
    return ImageFetch.objects.filter(pk=fetch.pk, state=F_.FETCHING, lease_owner=owner)
