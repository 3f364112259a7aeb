"""A process of its own that brings what waits, to be killed half-way; not a test.

The environment names the test's database and its folder of images.
"""

from __future__ import annotations

import os
from pathlib import Path


def main() -> None:
    from storefront import settings  # noqa: PLC0415 - changed before Django reads it

    settings.DATABASES["default"]["NAME"] = os.environ["SPINDLE_TEST_DATABASE"]
    settings.SPINDLE_IMAGES = Path(os.environ["SPINDLE_TEST_IMAGES"])
    import django  # noqa: PLC0415  (only once the process is set up)

    django.setup()
    from fulfillment.console.bringing import bring_waiting  # noqa: PLC0415  (only once the process is set up)

    bring_waiting()


if __name__ == "__main__":
    main()
