"""The state folder and the secrets in it: for the agent's own user alone, whole or not at all.

Must never know what is kept.
"""

from __future__ import annotations

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkdir's mode goes through the umask, and the folder may have been there before.
    folder.chmod(0o700)


def write(path: Path, text: str) -> None:
    """On the disk when it returns. Raises OSError.

    Written by root (`sudo spindle-agent enrol …`), it is given to the owner of the folder, who is to read it.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """The names in it are on the disk when it returns: without that a file of before may be back after a power cut.

    Raises OSError.
    """
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
