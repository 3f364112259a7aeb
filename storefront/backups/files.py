"""Copies files and says their sha256, so that a copy is proven before it counts. Knows nothing of the shop."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a backup: its name in its folder, size in bytes, sha256 in hex."""

    name: str
    size: int
    sha256: str


class CopyDiffers(Exception):
    """A file has another content than it must have; the text names it."""


def copy(source: Path, target: Path, *, sha256: str | None = None, mode: int = 0o600) -> Kept:
    """A copy under its final name only when it is whole and on the disk. Raises CopyDiffers.

    sha256: what the content must be; none where any will do.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")  # nobody else's
    digest = hashlib.sha256()
    size = 0
    try:
        with source.open("rb") as reader, part.open("xb") as writer:
            os.fchmod(writer.fileno(), mode)
            while block := reader.read(BLOCK):
                digest.update(block)
                size += writer.write(block)
            writer.flush()
            os.fsync(writer.fileno())
        if sha256 is not None and digest.hexdigest() != sha256:
            raise CopyDiffers(f"{source} has not the sha256 {sha256} that it must have.")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Kept(target.name, size, digest.hexdigest())


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_tree(root: Path) -> None:
    """Every folder below `root`, and `root` itself last: the names in them are on the disk."""
    for folder, _, _ in os.walk(root, topdown=False):
        sync(Path(folder))


def sync(path: Path) -> None:
    """A file's content, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
