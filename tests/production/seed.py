"""A program for a shop's environment: puts a title, two writers, a write and a paper in, and says what it made.

python -m tests.production.seed FOLDER      the title's content is read from FOLDER
"""

from __future__ import annotations

import json
import sys
import uuid
from io import StringIO

import django

django.setup()

from django.core.management import call_command  # noqa: E402  (needs the settings loaded)
from django.utils import timezone  # noqa: E402

from archive.models import Image  # noqa: E402
from devices import tokens  # noqa: E402
from devices.intake import ImageRef, add_writer, queue_write  # noqa: E402
from devices.models import Drive  # noqa: E402
from fulfillment.printers import label_printer  # noqa: E402


def main(folder: str) -> None:
    titled = ["--part-number", "P-7", "--title", "Nine songs", "--kind", "music", "--format", "cd", "--price", "9.90"]
    call_command("archive", "add", folder, *titled, stdout=StringIO())
    image = Image.objects.get()
    now = timezone.now()
    one, two = (add_writer(name=name, address="http://172.30.90.10:9101", now=now) for name in ("Writer 1", "Writer 2"))
    Drive.objects.create(writer=one.writer, ident="d1", formats=["cd"], kinds=["CD-R"])
    wanted = ImageRef(str(image.sha256), int(image.size or 0), "iso")
    queue_write(
        uuid=uuid.uuid4(),
        writer=one.writer,
        image=wanted,
        format="cd",
        title="Nine songs",
        copies=1,
        actor="test",
        now=now,
    )
    label_printer().print("S-00000001/address-label", b"%PDF-1.7 a label")
    command = tokens.command_token(_key(), one.writer.uuid, 1)
    made = {"sha256": image.sha256, "size": image.size, "writer": str(one.writer.uuid), "token": one.report_token}
    made |= {"command": command, "other": str(two.writer.uuid), "other_token": two.report_token}
    json.dump(made, sys.stdout)


def _key() -> str:
    from django.conf import settings  # noqa: PLC0415  (after the set-up above)

    return str(settings.SPINDLE_WRITER_KEY)


if __name__ == "__main__":
    main(sys.argv[1])
