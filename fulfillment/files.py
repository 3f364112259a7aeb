"""Which files a writer may have: those that its open writes and requests need, and no other."""

from __future__ import annotations

from archive.models import Image
from devices.models import ImageRequest, Write, Writer
from devices.states import WRITE_OPEN, RequestState


def image_for(writer: Writer, sha256: str) -> Image | None:
    """The image, if an unfinished write of this writer is of it, or somebody wants it on that writer's disk."""
    return Image.objects.filter(sha256=sha256).first() if _wanted(writer, sha256) else None


def _wanted(writer: Writer, sha256: str) -> bool:
    asked = ImageRequest.objects.filter(writer=writer, wish=ImageRequest.Wish.HAVE, state=RequestState.OPEN)
    writes = Write.objects.filter(writer=writer, state__in=WRITE_OPEN)
    return writes.filter(image_sha256=sha256).exists() or asked.filter(sha256=sha256).exists()
