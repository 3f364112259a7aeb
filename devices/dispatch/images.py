"""Has the image of a write made whole on the writer's disk before the write is given."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from devices import lifecycle, trouble
from devices.agent import wire
from devices.client import AgentRefused
from devices.dispatch.visit import ACTOR, LATER, Visit, note_full, note_room
from devices.models import Write

MOST_IMAGES: Final = 8  # announced in one visit, so that fetches run while drives are busy
MOST_TRIES: Final = 3  # of an image that the agent fails to fetch


def has_image(visit: Visit, write: Write) -> bool:
    """Whether the write's image is whole on the writer; else it is announced, and the write says why it waits."""
    found = look_for_image(visit, write.image_sha256, _image_order(write))
    if isinstance(found, AgentRefused):
        _image_refused(visit, write, found)
        return False
    if found.state == wire.ImageState.FAILED:
        _image_failed(visit, write, found)
        return False
    if found.state == wire.ImageState.RECEIVING:
        _note(visit, write, f"Waiting for its image: {visit.writer} is fetching it.")
        return False
    return True


def look_for_image(visit: Visit, sha256: str, order: wire.ImageOrder) -> wire.ImageAnswer | AgentRefused:
    """What the agent says of the image, asked for once in a visit; one that it does not know is announced.

    Asks before it announces: announcing again would start a failed fetch afresh, unseen.
    """
    if sha256 not in visit.images:
        if len(visit.images) >= MOST_IMAGES:
            raise trouble.NotTried
        visit.images[sha256] = _asked_for(visit, sha256, order)
    return visit.images[sha256]


def _asked_for(visit: Visit, sha256: str, order: wire.ImageOrder) -> wire.ImageAnswer | AgentRefused:
    try:
        try:
            return visit.client.image(sha256)
        except AgentRefused as refused:
            if refused.status != 404:
                raise
        answer = visit.client.announce_image(sha256, order)
    except AgentRefused as refused:
        return refused
    note_room(visit)
    return answer


def _image_order(write: Write) -> wire.ImageOrder:
    return image_order(write.layout, write.image_size, write.title or write.image_sha256)


def image_order(layout: str, size: int, name: str) -> wire.ImageOrder:
    return wire.ImageOrder.model_validate({"layout": layout, "size": size, "name": name})


def _image_failed(visit: Visit, write: Write, found: wire.ImageAnswer) -> None:
    """The fetch ended badly (wrong size or digest): started afresh a few times, then the write is given up."""
    why = f"image-failed: {found.reason or 'no reason given'}"
    if write.tries + 1 >= MOST_TRIES:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=why, problem="image-failed")
        return
    _note(visit, write, why, tries=write.tries + 1, retry_at=visit.now + pause_after(write.tries))
    try:
        visit.client.announce_image(write.image_sha256, _image_order(write))
    except AgentRefused as refused:
        _image_refused(visit, write, refused)


def pause_after(tries: int) -> timedelta:
    """Before a failed image is looked at again."""
    return timedelta(seconds=10 * 2**tries)


def _image_refused(visit: Visit, write: Write, refused: AgentRefused) -> None:
    said = f"{refused.type}: {refused.detail}"
    if refused.type == wire.ProblemType.SPOOL_AREA_FULL:
        note_full(visit, refused)
        _note(visit, write, said, retry_at=visit.now + LATER)
    else:
        lifecycle.drop_write(write, now=visit.now, actor=ACTOR, reason=said, problem=refused.type[:32])


def _note(visit: Visit, write: Write, reason: str, **fields: object) -> None:
    if write.reason != reason or fields:
        lifecycle.note_on_write(write, now=visit.now, actor=ACTOR, reason=reason, **fields)
