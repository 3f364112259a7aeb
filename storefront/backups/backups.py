"""Makes, checks and restores backups.

A folder of backups holds `images/`, shared by all of them, and one folder per backup with the database, the papers
and a manifest. The order matters: the database first, then the files. Files come before their rows and never
change, so each row of the dump finds its file; a file without a row costs only room.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from archive import storage
from archive.models import Image, ImageState
from storefront.backups import databases
from storefront.backups.files import Kept, copy, digest_of, sync, sync_tree

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "database.dump"
KEYS: Final = ("SPINDLE_SECRET_KEY", "SPINDLE_WRITER_KEY")


class BackupRefused(Exception):
    """It can't be done as things are; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one backup holds. `missing`: images that the shop says it has and whose files were gone."""

    format: int
    made_at: str  # ISO 8601, UTC
    vendor: str
    database: Kept
    images: tuple[Kept, ...]
    papers: tuple[Kept, ...]
    secrets: tuple[Kept, ...]
    keys: dict[str, str]  # fingerprints: they tell whether the keys at hand are the right ones
    missing: tuple[str, ...]


def create(store: Path, now: datetime) -> tuple[Path, Manifest]:
    """A new backup in `store`, and what is in it. Nothing under its final name is ever half a backup."""
    place = store / f"{now:%Y-%m-%dT%H%M%SZ}"
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(store):
        _sweep(store)
        if place.exists():
            raise BackupRefused(f"{place} is there already: wait a second.")
        making = store / f".{place.name}.part"
        making.mkdir(mode=0o700)
        try:
            manifest = _fill(making, store, now)
            making.rename(place)
        except BaseException:
            shutil.rmtree(making)
            raise
        sync(store)
    return place, manifest


def _fill(making: Path, store: Path, now: datetime) -> Manifest:
    databases.dump(making / DATABASE)  # first: see above
    images, missing = _keep_images(store)
    manifest = Manifest(
        format=FORMAT,
        made_at=now.isoformat(),
        vendor=connection.vendor,
        database=Kept(DATABASE, (making / DATABASE).stat().st_size, digest_of(making / DATABASE)),
        images=tuple(images),
        papers=tuple(_keep_folder(settings.SPINDLE_PAPERS, making / "papers")),
        secrets=tuple(_keep_folder(_secrets(), making / "secrets")),
        keys=fingerprints(),
        missing=tuple(missing),
    )
    (making / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
    (making / MANIFEST).chmod(0o600)
    for name in (DATABASE, MANIFEST):
        sync(making / name)
    # All is on the disk before the final name is: after a power cut there is a whole backup or none.
    sync_tree(making)
    if (store / "images").is_dir():
        sync_tree(store / "images")
    return manifest


@contextlib.contextmanager
def _alone(store: Path) -> Iterator[None]:
    """One backup at a time in a folder of backups. The lock ends with its process. Raises BackupRefused."""
    descriptor = os.open(store, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupRefused(f"Another backup into {store} is under way: wait until it is done.") from error
        yield
    finally:
        os.close(descriptor)


def _sweep(store: Path) -> None:
    """What a backup left that was killed half-way. Under the lock, so nobody is at work on it."""
    for left in store.glob(".*.part"):
        shutil.rmtree(left)
    for left in store.glob("images/*/.*.part"):
        left.unlink()


def check(place: Path) -> tuple[Manifest, list[str]]:
    """Reads every byte of a backup again; the names of what is gone or changed."""
    manifest = read(place)
    faults = [str(path) for path, kept in _all(place, manifest) if not path.is_file() or digest_of(path) != kept.sha256]
    return manifest, faults


def restore(place: Path) -> Manifest:
    """Brings a backup back: files first, then the database, so that no row ever lacks its file. Raises BackupRefused.

    The database must be empty, and in production the keys must be those of the backup.
    """
    manifest, faults = check(place)
    if faults:
        raise BackupRefused(f"{len(faults)} files of this backup are gone or damaged, as {faults[0]}. Use another one.")
    if manifest.vendor != connection.vendor:
        raise BackupRefused(f"It is of {manifest.vendor}, and DATABASE_URL says {connection.vendor}.")
    if not databases.is_empty():
        raise BackupRefused("The database is not empty. Restore into a new one; nothing is ever written over.")
    _check_keys(manifest)
    for kept in manifest.images:
        target = storage.path_by_digest(kept.sha256)
        if not (target.is_file() and target.stat().st_size == kept.size):
            target.parent.mkdir(parents=True, exist_ok=True)  # open to nginx, unlike what a copy makes by itself
            copy(_image(place.parent, kept.sha256), target, sha256=kept.sha256, mode=0o444)
    for folder, target, each in (
        ("papers", Path(settings.SPINDLE_PAPERS), manifest.papers),
        ("secrets", _secrets(), manifest.secrets),
    ):
        for kept in each:
            copy(place / folder / kept.name, target / kept.name, sha256=kept.sha256)
    databases.load(place / DATABASE)
    return manifest


def read(place: Path) -> Manifest:
    """Raises BackupRefused where there is no backup that this release reads."""
    try:
        raw: dict[str, Any] = json.loads((place / MANIFEST).read_text())
        if raw["format"] != FORMAT:
            raise BackupRefused(f"{place} has the format {raw['format']}, this release reads {FORMAT}.")
        lists = {name: tuple(Kept(**each) for each in raw[name]) for name in ("images", "papers", "secrets")}
        return Manifest(**(raw | lists | {"database": Kept(**raw["database"]), "missing": tuple(raw["missing"])}))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupRefused(f"{place} is no backup: it has no {MANIFEST}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BackupRefused(f"{place / MANIFEST} is damaged ({error}). Use another backup.") from error


def fingerprints() -> dict[str, str]:
    """Of the keys in use; they are long and random, so nobody finds a key from this."""
    found = {name: getattr(settings, name.removeprefix("SPINDLE_") if "SECRET" in name else name) for name in KEYS}
    return {name: hashlib.sha256(f"{name}={key}".encode()).hexdigest()[:16] for name, key in found.items()}


def _check_keys(manifest: Manifest) -> None:
    if manifest.secrets:  # they come with the backup
        return
    others = [name for name, print_ in fingerprints().items() if manifest.keys.get(name) != print_]
    if others:
        raise BackupRefused(
            f"{' and '.join(others)} are not those of the backup. Put the files that belong to it back first: with "
            "other keys no agent takes a command, and nobody stays logged in."
        )


def _keep_images(store: Path) -> tuple[list[Kept], list[str]]:
    """Copies the images that the folder of backups has not yet; each is read and its digest checked once."""
    kept: list[Kept] = []
    missing: list[str] = []
    for sha256, size in Image.objects.filter(state=ImageState.READY).values_list("sha256", "size").order_by("pk"):
        source, target = storage.path_by_digest(str(sha256)), _image(store, str(sha256))
        if target.is_file() and target.stat().st_size == size:
            kept.append(Kept(target.name, int(size or 0), str(sha256)))
        elif source.is_file():
            kept.append(copy(source, target, sha256=str(sha256), mode=0o400))
        else:
            missing.append(str(sha256))
    return kept, missing


def _keep_folder(source: Path, target: Path) -> Iterator[Kept]:
    """Every finished file below a folder; what is being written has a name that begins with a dot."""
    for path in sorted(source.rglob("*")):
        name = str(path.relative_to(source))
        if path.is_file() and not path.name.startswith("."):
            kept = copy(path, target / name)
            yield Kept(name, kept.size, kept.sha256)


def _all(place: Path, manifest: Manifest) -> Iterator[tuple[Path, Kept]]:
    yield place / DATABASE, manifest.database
    for kept in manifest.images:
        yield _image(place.parent, kept.sha256), kept
    for folder, each in (("papers", manifest.papers), ("secrets", manifest.secrets)):
        for kept in each:
            yield place / folder / kept.name, kept


def _image(store: Path, sha256: str) -> Path:
    return store / "images" / sha256[:2] / f"{sha256}.iso"


def _secrets() -> Path:
    """Keys that the default set-up made for itself. In production they come from elsewhere, and are kept elsewhere."""
    return Path(settings.SPINDLE_DATA) / "secrets"
