"""Copies and uploads in every state, made as rows: for pages."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from django.utils import timezone

from archive.models import Upload, UploadFile
from devices.models import Disc, Drive, Write, Writer
from devices.serials import new_serial
from fulfillment.models import Copy, CopyEvent, CopyWrite
from tests.scene import make_image

ANNA: Final = "user:1 anna"
REASONS: Final = {
    "failed": "1 of 2 discs is good. Bad: 4K7P-2M9X-QR3T in Drive 1 (read back differently). Take it out, put in a new "
    "blank, and copy what is missing.",
    "unknown": "Nobody knows how far this disc got: 4K7P-2M9X-QR3T in Drive 1. 1 of 2 discs is good. Look at it, then "
    "copy what is missing.",
    "done": "2 discs, each read back and good.",
    "cancelled": "Cancelled. 1 of 2 discs is good.",
}


def copy_in(writer: Writer, state: str, *, discs: tuple[str, ...] = (), **values: Any) -> Copy:
    now = timezone.now()
    image = make_image("P-1")
    said: dict[str, Any] = {
        "writer": writer,
        "drives": ["d1", "d2"],
        "format": "cd",
        "copies": max(2, len(discs)),
        "title": "Nine songs",
        "origin": "title",
        "what": "title:1",
        "state": state,
        "reason": REASONS.get(state, ""),
        "asked_by": ANNA,
        "email": "anna@example.com",
        "asked_at": now,
        "ended_at": now if state in Copy.ENDED else None,
    }
    if state not in {"asked", "reading"}:
        said |= {"image_sha256": image.sha256, "image_size": image.size, "layout": "iso"}
    made = Copy.objects.create(id=uuid4(), **(said | values))
    CopyEvent.objects.create(copy=made, at=now, actor=ANNA, new="asked", text=str(made))
    for number, each in enumerate(discs):
        disc_of(made, each, f"d{number % 2 + 1}")
    return made


def disc_of(copy: Copy, state: str, drive: str) -> None:
    now = timezone.now()
    write = Write.objects.create(
        uuid=uuid4(), writer=copy.writer, image_sha256=copy.image_sha256, image_size=copy.image_size or 0, layout="iso",
        format="cd", title=copy.title, copies=1, drive=drive, queued_at=now, changed_at=now,
    )  # fmt: skip
    CopyWrite.objects.create(copy=copy, write=write)
    disc = Disc.objects.create(serial=new_serial(), write=write, state=state, drive=drive)
    if state == "started":
        Drive.objects.filter(writer=copy.writer, ident=drive).update(serial=disc.serial, progress=0.6, state="busy")


def upload_in(state: str, name: str, **values: Any) -> Upload:
    now = timezone.now()
    upload = Upload.objects.create(
        name=name, manifest="0" * 64, files_count=3, size=640_000_000, state=state, by=ANNA, created_at=now,
        expires_at=now, **values,
    )  # fmt: skip
    UploadFile.objects.create(upload=upload, path="a", size=640_000_000, received=210_000_000)
    return upload
