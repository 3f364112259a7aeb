"""Is this folder, file, drive or medium fit for a disc? Facts in, a Readiness out.

Must never write anything but a probe beside the discs of a pseudo drive.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from devices.agent.drivers.base import DiscJob, Fitness, Readiness
from devices.agent.wire import FORMAT_OF, SECTOR, Blame

READY: Final = Readiness()
CURRENT: Final = re.compile(r"Media current:\s*(.+)")
WRITABLE: Final = re.compile(r"Media blocks\s*:\s*\d+ readable ,\s*(\d+) writable")
# From here on a BD has two layers, a CD or DVD is not a mini any more (sectors).
BD_DL: Final = 13_000_000
CD_FULL: Final = 200_000
DVD_FULL: Final = 1_000_000


def fit_folder(folder: Path) -> Readiness:
    """Can a pseudo drive's folder take files? It is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        return _broken(f"the folder {folder} can't be written: {fault.strerror}")
    return READY


def fit_file(target: Path, free: int, needed: int) -> Readiness:
    """Is the file behind stdio: a blank, with room for `needed` bytes?"""
    if target.is_symlink() or (target.exists() and not target.is_file()):
        return _broken(f"{target} is not a plain file; name real drives without stdio:")
    if target.exists() and target.stat().st_size:
        return Readiness(Fitness.REFUSED, detail=f"medium-used: {target.name} has something on it", blame=Blame.MEDIUM)
    if free < needed:
        return _broken(f"no room for a disc of {needed} bytes beside {target} ({free} bytes are free)")
    return READY


def fit_device(toc: str | None) -> Readiness:
    """`toc` is what `xorriso -outdev DEV -toc` said; None where the drive could not be opened."""
    if toc is None:
        return _broken("the drive can't be opened by xorriso")
    return READY


def fit_medium(toc: str | None, kinds: tuple[str, ...], job: DiscJob) -> Readiness:
    """Does a blank of the wanted format, and large enough, lie in the drive?"""
    if toc is None:
        return fit_device(toc)
    current = CURRENT.search(toc)
    name = current[1].strip() if current else ""
    if not name or "is not recognizable" in name or "no medium" in toc.lower():
        return _wait("media-needed", "no blank lies in the drive")
    if "is blank" not in toc:
        return _wait("media-used", f"the {name} in the drive is not blank: put a blank in")
    writable = WRITABLE.search(toc)
    sectors = int(writable[1]) if writable else 0
    format_ = format_of_medium(name, sectors)
    if format_ != job.format or not any(FORMAT_OF[kind] == format_ for kind in kinds):
        return _wait("media-wrong", f"a {name} lies in the drive, a blank for {job.format} is wanted")
    needed = -(-job.size // SECTOR)
    if sectors < needed:
        detail = f"the image has {needed} sectors, the blank in the drive takes {sectors}"
        return Readiness(Fitness.REFUSED, detail=detail, blame=Blame.JOB)
    return READY


def format_of_medium(name: str, sectors: int) -> str | None:
    """Our format of a medium as xorriso names it (`CD-R`, `DVD+R/DL`, `BD-R sequential recording`)."""
    if name.startswith("CD-R"):
        return "cd" if sectors >= CD_FULL else "cd-mini"
    if name.startswith("DVD") and "/DL" in name:
        return "dvd-dl"
    if name.startswith("DVD"):
        return "dvd" if sectors >= DVD_FULL else "dvd-mini"
    if name.startswith("BD-R"):
        return "bd-dl" if sectors >= BD_DL else "bd"
    return None


def is_rewritable(kind: str) -> bool:
    return "RW" in kind or "RAM" in kind or "-RE" in kind


def _wait(reason: str, detail: str) -> Readiness:
    return Readiness(Fitness.WAIT, reason, detail)


def _broken(detail: str) -> Readiness:
    return Readiness(Fitness.BROKEN, "writer-failure", detail)
