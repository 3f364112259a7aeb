"""The folder in which the simulated robot keeps what it wrote: discs by their serial, their faces beside them.

Must never write over a disc, nor say that it is its image without having read it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from devices.agent.drivers import medium
from devices.agent.drivers.audio import Part, parts_of
from devices.agent.drivers.base import DiscJob, Fitness, Readiness
from devices.agent.wire import Blame, Layout

BLOCK: Final = 1 << 20
FACES: Final = {b"%PDF": "pdf", b"\x89PNG": "png"}

Spend = Callable[[int], None]
"""Passes the time that so many bytes take; may raise, to break off."""


class Shelf:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fit(self, job: DiscJob) -> Readiness:
        """Is there room, and no such disc yet?"""
        found = medium.fit_folder(self.folder)
        if found.fitness is not Fitness.READY:
            return found
        for part in self._parts(job):
            if (self.folder / part.name).exists():
                return Readiness.refused(Blame.MEDIUM, f"medium-used: {part.name} is in the store already")
        return medium.fit_file(self.folder / f"{job.serial}.iso", shutil.disk_usage(self.folder).free, job.size)

    def record(self, job: DiscJob, spend: Spend, until: float = 1.0) -> None:
        """Write the disc, or this much of it. Raises OSError."""
        for part in self._parts(job):
            target = self.folder / part.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as disc:
                for block in _blocks(job.image, part.offset, int(part.size * until)):
                    spend(len(block))
                    disc.write(block)
                disc.flush()
                os.fsync(disc.fileno())

    def spoil(self, job: DiscJob, where: float) -> None:
        """A fault of the medium: one byte of the disc is another."""
        part = self._parts(job)[-1]
        with (self.folder / part.name).open("rb+") as disc:
            at = int((part.size - 1) * where)
            disc.seek(at)
            byte = disc.read(1)
            disc.seek(at)
            disc.write(bytes([byte[0] ^ 0xFF]))

    def is_its_image(self, job: DiscJob, spend: Spend) -> bool:
        """Reads the disc back: an ISO has to have the job's digest, audio the image's samples. Raises OSError."""
        digest, is_same = sha256(), True
        for part in self._parts(job):
            wanted = _blocks(job.image, part.offset, part.size)
            for block in _blocks(self.folder / part.name, 0, part.size):
                spend(len(block))
                digest.update(block)
                is_same = is_same and block == next(wanted, None)
            is_same = is_same and next(wanted, None) is None
        return digest.hexdigest() == job.sha256 if job.layout is Layout.ISO else is_same

    def keep_face(self, job: DiscJob, face: Path) -> None:
        shutil.copyfile(face, self.folder / f"{job.serial}.face.{face_type(face)}")

    def _parts(self, job: DiscJob) -> tuple[Part, ...]:
        """What lies where in the image, by its name here. Raises AudioFaultError."""
        if job.layout is Layout.ISO:
            return (Part(f"{job.serial}.iso", 0, job.size),)
        return tuple(Part(f"{job.serial}/{part.name}", part.offset, part.size) for part in parts_of(job.image))


def face_type(face: Path) -> str | None:
    """`pdf`, `png`, or None for anything else."""
    with face.open("rb") as file:
        return FACES.get(file.read(4))


def _blocks(file: Path, offset: int, size: int) -> Iterator[bytes]:
    with file.open("rb") as source:
        source.seek(offset)
        while size and (block := source.read(min(BLOCK, size))):
            size -= len(block)
            yield block
