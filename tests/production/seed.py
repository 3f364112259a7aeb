"""A program for a shop's environment: puts a title, writers, writes and a paper in, and says what it made.

python -m tests.production.seed FOLDER [WRITERS]    FOLDER is the content of the title; the last writer has no write
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import datetime
from io import StringIO

import django

django.setup()

from django.core.management import call_command  # noqa: E402  (needs the settings loaded)
from django.utils import timezone  # noqa: E402  (only once Django is set up)

from archive.models import Image  # noqa: E402  (only once Django is set up)
from devices import tokens  # noqa: E402  (only once Django is set up)
from devices.intake import ImageRef, NewWriter, add_writer, queue_write  # noqa: E402  (only once Django is set up)
from devices.models import Drive  # noqa: E402  (only once Django is set up)
from fulfillment.printers import label_printer  # noqa: E402  (only once Django is set up)


def main(folder: str, writers: int) -> None:
    titled = ["--part-number", "P-7", "--title", "Nine songs", "--kind", "music", "--format", "cd", "--price", "9.90"]
    call_command("archive", "add", folder, *titled, stdout=StringIO())
    image = Image.objects.get()
    address, now = "http://172.30.90.10:9101", timezone.now()
    *able, other = (add_writer(name=f"Writer {n}", address=address, now=now) for n in range(1, writers + 1))
    for new in able:
        _queue(new, image, now)
    label_printer().print("S-00000001/address-label", b"%PDF-1.7 a label")
    known = [_known(new) for new in able]
    made = {"sha256": image.sha256, "size": image.size, "writers": json.dumps(known), **known[0]}
    json.dump(made | {"other": str(other.writer.uuid), "other_token": other.report_token}, sys.stdout)


def _queue(new: NewWriter, image: Image, now: datetime) -> None:
    Drive.objects.create(writer=new.writer, ident="d1", formats=["cd"], kinds=["CD-R"])
    queue_write(
        uuid=uuid.uuid4(),
        writer=new.writer,
        image=ImageRef(str(image.sha256), int(image.size or 0), "iso"),
        format="cd",
        title="Nine songs",
        copies=1,
        actor="test",
        now=now,
    )


def _known(new: NewWriter) -> dict[str, str]:
    command = tokens.command_token(_key(), new.writer.uuid, 1)
    known = {"writer": str(new.writer.uuid), "token": new.report_token, "command": command}
    return known | {"command_sha256": tokens.fingerprint(command)}


def _key() -> str:
    from django.conf import settings  # noqa: PLC0415  (after the set-up above)

    return str(settings.SPINDLE_WRITER_KEY)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2)
