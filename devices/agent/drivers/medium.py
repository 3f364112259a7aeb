"""Is this image, folder, file, drive or medium fit for a disc? Facts in, a Readiness out.

Must never write anything but a probe beside the discs of a pseudo drive.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Final

from devices.agent.config import Drive
from devices.agent.drivers.base import READY, DiscJob, Fitness, Readiness, Tray
from devices.agent.drivers.kinds import RUN_OUT, has_run_out, is_rewritable, sectors_of
from devices.agent.drivers.toc import Medium
from devices.agent.wire import FORMAT_OF, Blame, Layout

# The longest blanks that are made of a format: what is larger fits none, whatever lies in the drive.
LONGEST: Final[dict[str, int]] = {
    "cd": 450_000,
    "cd-mini": 110_000,
    "dvd": 2_298_496,
    "dvd-mini": 720_000,
    "dvd-dl": 4_173_824,
    "bd": 12_219_392,
    "bd-dl": 24_438_784,
}
# A volume's descriptors lie within: they tell one image from another.
HEAD: Final = 1 << 16


def fit_job(job: DiscJob, drive: Drive, layouts: Collection[Layout]) -> Readiness:
    """Is the disc one for this drive, and its image's file what the job says, as far as a look tells?"""
    if job.format not in drive.formats or job.layout not in layouts:
        return Readiness.refused(Blame.JOB, f"drive {drive.id} writes no {job.layout} as {job.format}")
    try:
        size = job.image.stat().st_size
    except OSError as fault:
        return Readiness.refused(Blame.JOB, f"the image can't be read: {fault.strerror}")
    if job.size <= 0 or size != job.size:
        return Readiness.refused(Blame.JOB, f"the image file has {size} bytes, {job.size} were announced")
    if job.layout is Layout.ISO and _needed(job) > LONGEST[job.format]:
        detail = f"the image needs {_needed(job)} sectors, no {job.format} takes more than {LONGEST[job.format]}"
        return Readiness.refused(Blame.JOB, detail)
    return READY


def fit_folder(folder: Path) -> Readiness:
    """Can a pseudo drive's folder take files? It is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        return Readiness.broken(f"the folder {folder} can't be written: {fault.strerror}")
    return READY


def fit_file(target: Path, free: int, needed: int) -> Readiness:
    """Is there room for `needed` bytes in a plain file of this name?"""
    if target.is_symlink() or (target.exists() and not target.is_file()):
        return Readiness.broken(f"{target} is not a plain file; name real drives without stdio:")
    if free < needed:
        return Readiness.broken(f"no room for a disc of {needed} bytes beside {target} ({free} bytes are free)")
    return READY


def fit_tray(tray: Tray) -> Readiness:
    """An open or empty tray is known without moving it."""
    if tray is Tray.OPEN:
        return Readiness.wait("media-needed", "the tray is open: put a blank in and close it")
    if tray is Tray.EMPTY:
        return Readiness.wait("media-needed", "no blank lies in the drive")
    return READY


def fit_medium(medium: Medium | None, drive: Drive, job: DiscJob) -> Readiness:
    """Does a medium lie in the drive that takes this image: of the wanted format, a kind of this drive, blank?"""
    if medium is None:
        return Readiness.wait("media-needed", "no blank lies in the drive, or none that can be recognised")
    if not medium.is_blank and not medium.is_rewritable:
        return Readiness.wait("media-used", f"the {medium.name} in the drive is not blank: put a blank in")
    found = _fit_kind(medium, drive, job)
    if found.fitness is Fitness.READY and not medium.is_blank and not erases(drive, job.format):
        return Readiness.wait("media-used", f"the {medium.name} in the drive is not blank: put a blank in")
    return found


def _fit_kind(medium: Medium, drive: Drive, job: DiscJob) -> Readiness:
    kind = medium.kind
    wanted = f"a blank for {job.format} is wanted ({', '.join(_kinds(drive, job.format))})"
    if kind is None or kind not in _kinds(drive, job.format):
        what = kind or f"{medium.name} of {medium.sectors} sectors"
        return Readiness.wait("media-wrong", f"a {what} lies in the drive, {wanted}")
    if is_rewritable(kind) and not erases(drive, job.format):
        detail = f"a {kind} lies in the drive, which writes {drive.kind_of(job.format)} for {job.format}: put one in"
        return Readiness.wait("media-wrong", detail)
    if medium.is_damaged:
        return Readiness.wait("media-wrong", f"the {kind} in the drive is damaged: put another one in")
    needed = _needed(job)
    if medium.sectors < needed:
        detail = (
            f"the image needs {needed} sectors, the {kind} in the drive takes {medium.sectors}: put a longer one in"
        )
        return Readiness.wait("media-wrong", detail)
    return READY


def erases(drive: Drive, format_: str) -> bool:
    """Are this format's discs rewritables here, fresh or used? Only where the drive names such a kind first:
    so nobody's rewritable is cleared, and nobody gets one, because it was one of the things a drive can do.
    """
    return is_rewritable(drive.kind_of(format_))


def head_of(source: Path, size: int) -> str | None:
    """A digest that tells what a disc or an image of `size` bytes begins with; None where it can't be read."""
    try:
        with source.open("rb") as file:
            return sha256(file.read(min(HEAD, size))).hexdigest()
    except OSError:
        return None


def _needed(job: DiscJob) -> int:
    return sectors_of(job.size) + (RUN_OUT if has_run_out(job.format) else 0)


def _kinds(drive: Drive, format_: str) -> tuple[str, ...]:
    return tuple(kind for kind in drive.kinds if FORMAT_OF[kind] == format_)
