"""Which files a writer may have: those its own writes need, and no other."""

from __future__ import annotations

from archive.models import Image
from devices.models import Write, Writer
from devices.states import WRITE_OPEN


def image_for(writer: Writer, sha256: str) -> Image | None:
    """The image, if an unfinished write of this writer is of it."""
    wanted = Write.objects.filter(writer=writer, image_sha256=sha256, state__in=WRITE_OPEN).exists()
    return Image.objects.filter(sha256=sha256).first() if wanted else None
