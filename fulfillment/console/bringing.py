"""Brings images that were read at a writer into the archive: under a lease, resumed where they broke off.

Its place is the mastering queue: it may take an hour. Calls agents; never inside a transaction.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from archive import arrivals
from archive.arrivals import Arrival
from archive.errors import ArchiveError, LeaseLostError
from archive.leases import new_owner, renewed
from devices.addresses import AddressRefused
from devices.client import AgentError, AgentRefused, AgentUnreachable
from devices.content import image_bytes
from fulfillment.console import lifecycle
from fulfillment.models import ImageFetch

log = logging.getLogger(__name__)

NOT_FOUND: Final = 404


def bring_waiting() -> int:
    """Brings every image that waits or was left half-way, one after another. Returns how many came whole."""
    wanted = ImageFetch.objects.filter(state__in=ImageFetch.OPEN)
    arrivals.sweep(set(wanted.values_list("sha256", flat=True)))
    whole = 0
    for fetch in lifecycle.fetches_due(timezone.now()).select_related("writer").order_by("created_at"):
        owner = new_owner()
        if lifecycle.claim_fetch(fetch, owner, timezone.now()):
            whole += _bring(fetch, owner)
    return whole


def _bring(fetch: ImageFetch, owner: str) -> bool:
    """One fetch under its lease; False: it goes on another time, or never."""
    with arrivals.arriving(fetch.sha256) as arrival:
        if arrival is None:  # a process that was overtaken still holds the file
            lifecycle.release_fetch(fetch, owner, received=fetch.received)
            return False

        def renew() -> bool:
            return lifecycle.renew_fetch(fetch, owner, timezone.now(), arrival.received)

        try:
            with renewed(f"fetch {fetch.pk}", renew) as lost:
                _receive(fetch, arrival, lost)
        except LeaseLostError:
            log.info("fetch %s was taken over, or nobody wants it any more", fetch.pk)
        except SoftTimeLimitExceeded:  # what has come is kept, and the next run goes on behind it
            lifecycle.release_fetch(fetch, owner, received=arrival.received)
            raise
        except Exception as error:
            _take_failure(fetch, owner, arrival, error)
        else:
            return lifecycle.settle_fetch(fetch, owner)
    return False


def _receive(fetch: ImageFetch, arrival: Arrival, lost: threading.Event) -> None:
    """Until it is whole and an image of the archive."""

    def watch(*unused: object) -> None:
        if lost.is_set():
            raise LeaseLostError

    arrival.resume(watch)
    arrival.check_room(fetch.size)
    if arrival.received < fetch.size:
        for piece in image_bytes(fetch.writer, fetch.sha256, arrival.received):
            watch()
            arrival.take(piece)
            if arrival.received > fetch.size:
                break
        if arrival.received < fetch.size:
            raise AgentUnreachable("It broke off before its end.")
    arrival.keep(fetch.size, fetch.layout, f"a disc read at {fetch.writer}", timezone.now())


def _take_failure(fetch: ImageFetch, owner: str, arrival: Arrival, error: Exception) -> None:
    """What may be mended or comes back by itself is tried again; the rest ends the fetch, with the reason."""
    if isinstance(error, AgentRefused) and error.status == NOT_FOUND:
        lifecycle.fail_fetch(fetch, owner, f"It is no longer on the disk of {fetch.writer}. Read the disc again.")
    elif isinstance(error, ArchiveError) and error.field == "image":
        lifecycle.fail_fetch(fetch, owner, error.text)
    elif isinstance(error, AgentError | AddressRefused | ArchiveError | OSError):
        said = error.text if isinstance(error, ArchiveError) else f"{fetch.writer}: {error}"
        why = f"{said} It is tried again."
        lifecycle.postpone_fetch(fetch, owner, reason=why, received=arrival.received, now=timezone.now())
        log.warning("fetch %s is tried again: %s", fetch.pk, error)
    else:
        log.exception("fetch %s was given up", fetch.pk)
        lifecycle.fail_fetch(fetch, owner, f"{type(error).__name__}: {error}")
