"""Carries out requests: images to have ahead of any write, images to drop, an operator's words to a drive."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from devices import lifecycle, trouble
from devices.agent import wire
from devices.client import AgentRefused
from devices.dispatch.images import MOST_TRIES, image_order, look_for_image, pause_after
from devices.dispatch.visit import ACTOR, LATER, Visit, note_full
from devices.inventory import FETCHING
from devices.models import DriveOrder, ImageRequest
from devices.states import RequestState

LOOK_AGAIN: Final = timedelta(seconds=10)  # at a fetch; its report comes sooner
# What a person wants to see happen now: hours later it would surprise whoever stands there.
AT_ONCE: Final = {wire.DriveVerb.EJECT.value, wire.DriveVerb.LOADED.value}
STALE: Final = timedelta(minutes=10)


def fetch(visit: Visit, request: ImageRequest) -> None:
    """The image is announced and followed until it is whole or failed; without room it waits."""
    order = image_order(request.layout, request.size, request.title or request.sha256)
    found = look_for_image(visit, request.sha256, order)
    if isinstance(found, AgentRefused):
        said = f"{found.type}: {found.detail}"
        if found.type == wire.ProblemType.SPOOL_AREA_FULL:
            note_full(visit, found)
            lifecycle.note_on_request(request, reason=said, retry_at=visit.now + LATER)
        else:
            _end(visit, request, RequestState.FAILED, said)
    elif found.state == wire.ImageState.READY:
        _end(visit, request, RequestState.DONE)
    elif found.state == wire.ImageState.RECEIVING:
        lifecycle.note_on_request(request, reason=FETCHING, retry_at=visit.now + LOOK_AGAIN)
    else:
        _fetch_again(visit, request, order, found.reason or "no reason given")


def _fetch_again(visit: Visit, request: ImageRequest, order: wire.ImageOrder, why: str) -> None:
    """Its fetch ended badly: started afresh a few times."""
    said = f"image-failed: {why}"
    if request.tries + 1 >= MOST_TRIES:
        _end(visit, request, RequestState.FAILED, said)
        return
    pause = pause_after(request.tries)
    lifecycle.note_on_request(request, reason=said, tries=request.tries + 1, retry_at=visit.now + pause)
    try:
        visit.images[request.sha256] = visit.client.announce_image(request.sha256, order)
    except AgentRefused as refused:
        visit.images[request.sha256] = refused  # without room, or not at all: the next look says which


def purge(visit: Visit, request: ImageRequest) -> None:
    """Off its disk. One that is not there is done; one that a write there wants is not dropped.

    A visit lasts: meanwhile somebody may want the image again.
    """
    if not ImageRequest.objects.filter(pk=request.pk, state=RequestState.OPEN).exists():
        raise trouble.NotTried
    try:
        visit.client.drop_image(request.sha256)
    except AgentRefused as refused:
        if refused.status == 409:
            _end(visit, request, RequestState.FAILED, f"{refused.type}: {refused.detail}")
            return
        if refused.status != 404:
            raise
    _end(visit, request, RequestState.DONE)


def order_drive(visit: Visit, order: DriveOrder) -> None:
    """Said again about the same disc, or when it is so already, it changes nothing at the agent."""
    if order.verb in AT_ONCE and order.asked_at < visit.now - STALE:
        _end(visit, order, RequestState.DROPPED, "Its agent could not be reached for 10 minutes. Say it again.")
        return
    word = wire.DriveWord(serial=order.serial or None)
    try:
        visit.client.order_drive(order.drive, wire.DriveVerb(order.verb), word)
    except AgentRefused as refused:
        _end(visit, order, RequestState.FAILED, f"{refused.type}: {refused.detail}")
    else:
        _end(visit, order, RequestState.DONE)


def give_up(visit: Visit, request: ImageRequest | DriveOrder, why: str) -> None:
    """Its agent failed over it for the last time."""
    _end(visit, request, RequestState.FAILED, why)


def _end(visit: Visit, request: ImageRequest | DriveOrder, state: RequestState, why: str = "") -> None:
    lifecycle.end_request(request, state, now=visit.now, actor=ACTOR, reason=why)
