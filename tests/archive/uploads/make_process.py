"""A process of its own that makes what waits, and stops half-way to be killed; not a test.

Argument: the file to touch when half of an image is written. The environment names the test's database and folders.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    from storefront import settings  # noqa: PLC0415 - changed before Django reads it

    settings.DATABASES["default"]["NAME"] = os.environ["SPINDLE_TEST_DATABASE"]
    settings.INSTALLED_APPS[:] = ["archive"]  # starts in a third of the time
    settings.SPINDLE_IMAGES = Path(os.environ["SPINDLE_TEST_IMAGES"])
    settings.SPINDLE_UPLOADS = Path(os.environ["SPINDLE_TEST_UPLOADS"])
    settings.SPINDLE_IMAGE_MAKER = "tests.archive.add_process.master_and_stall"
    import django  # noqa: PLC0415  (only once the process is set up)

    django.setup()
    sys.argv[1:] = ["", "", "", "", sys.argv[1]]  # where the stalling maker looks for it
    from archive.uploads.making import make_waiting  # noqa: PLC0415  (only once the process is set up)

    make_waiting()


if __name__ == "__main__":
    main()
