"""Fills a data folder in one process: tables where they lack, titles and their images, writers and agents' files.

`python -m tests.faults.stock ADDRESS ADDRESS`, with the environment of the plant.
"""

from __future__ import annotations

import os
import random
import sys
from io import StringIO
from pathlib import Path
from typing import Final

import django
from django.core.management import call_command

MIB: Final = 1 << 20
# xorriso takes 16 MB at once and keeps to the drive's speed (3.9 MB/s) from there on.
TITLES: Final = {"QUICK": 2 * MIB, "MIDDLING": 20 * MIB, "LONG": 36 * MIB}  # under 1, about 2 and 6 seconds a disc
SPEED: Final = "26c"
BLANKS: Final = 500


def fill(data: Path, addresses: list[str]) -> None:
    call_command("migrate", verbosity=0)
    chance = random.Random(3)
    for part_number, size in TITLES.items():
        source = data / "sources" / part_number
        source.mkdir(parents=True)
        (source / "content.bin").write_bytes(chance.randbytes(size))
        facts = ["--title", f"Title {part_number}", "--kind", "software", "--format", "cd", "--price", "9.90"]
        call_command("archive", "add", str(source), "--part-number", part_number, *facts, stdout=StringIO())
    for number, address in enumerate(addresses, start=1):
        toml = StringIO()
        facts = ["--address", address, "--kinds", "CD-R", "--speed", SPEED, "--blanks", str(BLANKS)]
        call_command("writer", "add", f"Writer {number}", *facts, stdout=toml, stderr=StringIO())
        folder = data / f"agent-{number}"
        folder.mkdir(mode=0o700)
        (folder / "agent.toml").write_text(toml.getvalue())


if __name__ == "__main__":
    django.setup()
    fill(Path(os.environ["SPINDLE_DATA"]), sys.argv[1:])
