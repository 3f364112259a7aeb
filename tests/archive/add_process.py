"""A process of its own that adds a title to the test's database; not a test.

Arguments: database name, folder of images, maker, source folder, file to touch when half the image is written.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import BinaryIO

from archive.mastering import FolderDisc, Written
from archive.progress import Watch
from archive.tree import Tree

NORMAL = "archive.mastering.master_folder"
STALLING = "tests.archive.add_process.master_and_stall"


class StallingDisc(FolderDisc):
    """Writes half of its image, says so and waits to be killed."""

    def write(self, target: BinaryIO, watch: Watch) -> Written:
        def stall(stage: str, done: int, total: int) -> None:
            watch(stage, done, total)
            if done * 2 > total:
                Path(sys.argv[5]).touch()
                time.sleep(600)

        return super().write(target, stall)


def master_and_stall(tree: Tree, volume: str) -> FolderDisc:
    return StallingDisc(tree, volume)


def main() -> None:
    from storefront import settings  # noqa: PLC0415 - changed before Django reads it

    settings.DATABASES["default"]["NAME"] = sys.argv[1]
    settings.INSTALLED_APPS[:] = ["archive"]  # starts in a third of the time
    settings.SPINDLE_IMAGES = Path(sys.argv[2])
    settings.SPINDLE_IMAGE_MAKER = sys.argv[3]
    import django  # noqa: PLC0415  (only once the process is set up)

    django.setup()
    from django.utils import timezone  # noqa: PLC0415  (only once the process is set up)

    from archive.intake import add_version  # noqa: PLC0415  (only once the process is set up)

    version = add_version(
        part_number="P-1001", title="A title", kind="data", source=Path(sys.argv[4]), now=timezone.now()
    )
    print(version.number, version.image.sha256)  # noqa: T201 - for the test that started us


if __name__ == "__main__":
    main()
