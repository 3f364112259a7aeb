"""The door from above for what lies on writers' disks: which image to have there, which to drop.

What to drop is decided above; here it is kept until the agent has done it. Must never call an agent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from devices import lifecycle
from devices.intake import ImageRef, check_image
from devices.log import log
from devices.models import ImageRequest, Writer
from devices.states import RequestState
from devices.tasks import nudge
from devices.text import clean

TICK: Final = "tick"  # who asks for what the plan wants
_KIND: Final = {ImageRequest.Wish.HAVE: "fetch", ImageRequest.Wish.DROP: "purge"}  # of its events


def have_image(writer: Writer, image: ImageRef, *, title: str, actor: str, now: datetime) -> ImageRequest:
    """Has the image fetched to the writer's disk, ahead of any write. Raises NotAccepted."""
    return _ask(writer, ImageRequest.Wish.HAVE, image, title, actor, now)


def drop_image(writer: Writer, image: ImageRef, *, title: str, actor: str, now: datetime) -> ImageRequest:
    """Has the image purged from the writer's disk; its agent refuses while a write there wants it."""
    return _ask(writer, ImageRequest.Wish.DROP, image, title, actor, now)


def withdraw(request: ImageRequest, *, actor: str, now: datetime, why: str = "") -> bool:
    """Nobody wants it any more. False: it is over already."""
    why = clean(why, 500) or f"withdrawn by {clean(actor, 100)}"
    return lifecycle.end_request(request, RequestState.DROPPED, now=now, actor=actor, reason=why)


def _named(request: ImageRequest) -> str:
    return f"{request.title or 'image'} {request.sha256[:12]}, {request.size} bytes"


def _asked_again(known: ImageRequest, actor: str) -> ImageRequest:
    """What a person wants as well is his from then on: a plan that changes does not take it back."""
    if known.asked_by == TICK and actor != TICK:
        ImageRequest.objects.filter(pk=known.pk).update(asked_by=clean(actor, 100))
        known.refresh_from_db()
    return known


def _ask(
    writer: Writer, wish: ImageRequest.Wish, image: ImageRef, title: str, actor: str, now: datetime
) -> ImageRequest:
    """One open request for each image of a writer: the newer word replaces the older one."""
    check_image(image)
    for _ in range(3):
        try:
            with transaction.atomic():
                standing = ImageRequest.objects.filter(writer=writer, sha256=image.sha256, state=RequestState.OPEN)
                if (known := standing.first()) is not None and known.wish == wish:
                    return _asked_again(known, actor)
                if known is not None:
                    why = f"replaced by: {wish}"
                    lifecycle.end_request(known, RequestState.DROPPED, now=now, actor=actor, reason=why)
                made = ImageRequest.objects.create(
                    writer=writer,
                    wish=wish,
                    sha256=image.sha256,
                    size=image.size,
                    layout=image.layout,
                    title=clean(title, 200),
                    asked_by=clean(actor, 100),
                    asked_at=now,
                )
                log(writer.pk, _KIND[wish], now=now, actor=actor, new=made.state, text=_named(made))
                transaction.on_commit(lambda: nudge(), robust=True)
                return made
        except IntegrityError:  # somebody asked for the same image at this moment
            continue
    return ImageRequest.objects.get(writer=writer, sha256=image.sha256, state=RequestState.OPEN)
