"""A process that masters one folder as `archive add` does, with the archive alone loaded, and says what it took.

Not a benchmark by itself.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import django


def main(source: Path, target: Path) -> None:
    from storefront import settings  # noqa: PLC0415 - changed before Django reads it

    settings.INSTALLED_APPS[:] = ["archive"]
    django.setup()
    from archive.progress import unwatched  # noqa: PLC0415 - after Django's set-up
    from archive.sources import read_source  # noqa: PLC0415  (only once the process is set up)
    from tests.bench.measuring import peak_megabytes  # noqa: PLC0415  (only once the process is set up)

    began = time.perf_counter()
    found = read_source(source, "BENCH")
    with target.open("w+b") as file:
        found.write(file, unwatched)
        found.check(target)
        mastered = time.perf_counter()
        os.fsync(file.fileno())
    found.close()
    print("seconds", mastered - began)  # noqa: T201  (told to whoever runs it)
    print("durable", time.perf_counter() - began)  # noqa: T201  (told to whoever runs it)
    print("megabytes", peak_megabytes())  # noqa: T201  (told to whoever runs it)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
