"""Backup and restore as docs/deploy.md rehearses them: make, keep, destroy, bring back, on both databases."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.made_once import lay_out, new_shop
from tests.production.compose import ROOT
from tests.servers.postgres import Postgres, running_postgres

pytestmark = pytest.mark.timeout(240)


@dataclass
class Shop:
    """A default set-up in a folder; `cluster` where its database is PostgreSQL."""

    data: Path
    cluster: Postgres | None = None
    database: str = "spindle"

    def env(self) -> dict[str, str]:
        own = {"SPINDLE_DATA": str(self.data), "SPINDLE_STATIC": str(new_shop() / "static")}
        own["SPINDLE_AGENT_NETWORKS"] = "172.30.90.0/24"
        own["DATABASE_URL"] = (
            self.cluster.url(self.database) if self.cluster else ""
        )  # whatever the tests around us use
        return os.environ | own

    def run(self, *arguments: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.env() | env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout

    def backup(self, *arguments: str, code: int = 0, **env: str) -> str:
        return self.run("manage.py", "backup", *arguments, code=code, **env)

    def rows(self) -> dict[str, object]:
        """Every row of every table."""
        text = self.run(
            "manage.py", "dumpdata", "--all", "--natural-foreign", "-e", "contenttypes", "-e", "auth.permission"
        )
        return {f"{row['model']} {row['pk']}": row["fields"] for row in json.loads(text)}

    def files(self) -> dict[str, str]:
        """The digests of all that a backup keeps, and who may read it."""
        found = {}
        for folder in ("images", "papers", "secrets"):
            for path in (self.data / folder).rglob("*"):
                if path.is_file():
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    found[str(path.relative_to(self.data))] = f"{digest} {path.stat().st_mode:o}"
        return found

    def page(self) -> str:
        """The title's page, as a browser gets it."""
        code = (
            "from django.test import Client; r = Client(HTTP_HOST='localhost').get('/titles/P-7/');"
            "print(r.status_code, 'Nine songs' in r.content.decode())"
        )
        return self.run("manage.py", "shell", "--no-imports", "-c", code).strip().splitlines()[-1]


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A shop that was backed up and then lost, and another, empty machine."""
    folder = tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(running_postgres()) if request.param == "postgresql" else None
        shop = Shop(folder / "data", cluster)
        if cluster:
            shop.run("manage.py", "migrate", "--verbosity", "0")
        else:
            lay_out(shop.data)
        source = folder / "nine-songs"
        source.mkdir()
        (source / "one.wav").write_bytes(os.urandom(300_000))
        shop.run("-m", "tests.production.seed", str(source), DJANGO_SETTINGS_MODULE="storefront.settings")
        place = Path(shop.backup("create", str(folder / "backups")).strip().splitlines()[-1])
        yield Kept(shop, place, shop.rows(), shop.files())


@dataclass
class Kept:
    shop: Shop
    place: Path
    rows: dict[str, object]
    files: dict[str, str]


on_both = pytest.mark.parametrize("kept", [pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("kept", ["sqlite"], indirect=True)


@on_both
def test_the_rehearsal(kept: Kept) -> None:
    """Everything is destroyed; an empty machine has it all again, and the shop answers."""
    assert kept.shop.page() == "200 True"
    assert {name.split("/")[0] for name in kept.files} == {"images", "papers", "secrets"}
    shutil.rmtree(kept.shop.data)
    if kept.shop.cluster:
        kept.shop.database = "restored"
        kept.shop.cluster.make("restored")
    said = kept.shop.backup("restore", str(kept.place))
    assert "payments reconcile" in said
    assert kept.shop.files() == kept.files
    assert kept.shop.rows() == kept.rows
    assert kept.shop.page() == "200 True"
    # A second restore would write over what lives now.
    assert "not empty" in kept.shop.backup("restore", str(kept.place), code=1)


@on_sqlite
def test_a_second_backup_copies_no_image_again(kept: Kept) -> None:
    (image,) = (kept.place.parent / "images").rglob("*.iso")
    before = image.stat()
    second = Path(kept.shop.backup("create", str(kept.place.parent)).strip().splitlines()[-1])
    assert second != kept.place
    assert (image.stat().st_ino, image.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "has the sha256" in kept.shop.backup("check", str(second))


@on_sqlite
def test_nobody_else_may_read_a_backup(kept: Kept) -> None:
    assert [folder.stat().st_mode & 0o077 for folder in (kept.place.parent, kept.place)] == [0, 0]
    files = [path for path in kept.place.parent.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert not [path for path in files if path.stat().st_mode & 0o077]


@on_sqlite
def test_a_damaged_backup_is_found_and_never_restored(kept: Kept, tmp_path: Path) -> None:
    copied = tmp_path / "backups"
    shutil.copytree(kept.place.parent, copied)
    place = copied / kept.place.name
    dump = place / "database.dump"
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    assert str(dump) in kept.shop.backup("check", str(place), code=1)
    empty = Shop(tmp_path / "data")
    assert "damaged" in empty.backup("restore", str(place), code=1)
    assert empty.files().keys() <= {"secrets/spindle_writer_key", "secrets/spindle_secret_key"}


@on_sqlite
def test_an_image_that_is_gone_is_said_and_the_rest_is_kept(kept: Kept, tmp_path: Path) -> None:
    (image,) = (kept.shop.data / "images").glob("??/*.iso")
    aside = image.rename(image.with_suffix(".aside"))
    try:
        said = kept.shop.backup("create", str(tmp_path / "backups"), code=1)
    finally:
        aside.rename(image)
    assert f"The files of 1 images are gone: {image.stem}" in said
    (manifest,) = (tmp_path / "backups").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["missing"] == [image.stem]


@on_sqlite
def test_with_other_keys_in_the_environment_nothing_is_restored(kept: Kept, tmp_path: Path) -> None:
    """Production's keys are no files of the shop; the backup knows them by their fingerprints."""
    keys = {"SPINDLE_SECRET_KEY": "one", "SPINDLE_WRITER_KEY": "two"}
    place = shutil.copytree(kept.place.parent, tmp_path / "backups") / kept.place.name
    manifest = json.loads((place / "manifest.json").read_text())
    (place / "manifest.json").write_text(json.dumps(manifest | {"secrets": []}))
    empty = Shop(tmp_path / "data")
    said = empty.backup("restore", str(place), code=1, **keys)
    assert "SPINDLE_SECRET_KEY and SPINDLE_WRITER_KEY are not those of the backup" in said


@on_sqlite
def test_two_backups_at_once_are_one_and_a_refusal(kept: Kept) -> None:
    store = kept.place.parent
    before = sorted(store.iterdir())
    descriptor = os.open(store, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # as the nightly one holds it
        assert "is under way" in kept.shop.backup("create", str(store), code=1)
    finally:
        os.close(descriptor)
    assert sorted(store.iterdir()) == before


@on_sqlite
def test_what_a_killed_backup_left_goes_with_the_next_one(kept: Kept, tmp_path: Path) -> None:
    store = tmp_path / "backups"
    shutil.copytree(kept.place.parent, store)
    half = store / ".2026-11-20T031700Z.part"
    half.mkdir()
    (half / "database.dump").write_bytes(b"half a dump")
    (image,) = (store / "images").rglob("*.iso")
    part = image.with_name(f".{image.name}.0badcafe.part")
    part.write_bytes(b"half an image")
    kept.shop.backup("create", str(store))
    assert (half.exists(), part.exists(), image.exists()) == (False, False, True)


@on_sqlite
def test_a_backup_that_fails_leaves_nothing(kept: Kept, tmp_path: Path) -> None:
    (image,) = (kept.shop.data / "images").glob("??/*.iso")
    aside = image.rename(image.with_suffix(".aside"))
    image.write_bytes(b"another content")
    try:
        assert "has not the sha256" in kept.shop.backup("create", str(tmp_path / "backups"), code=1)
    finally:
        image.unlink()
        aside.rename(image)
    left = [path for path in (tmp_path / "backups").rglob("*") if path.is_file() or path.name.startswith(".")]
    assert left == []


@on_sqlite
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "images": [{"x": 1}]}'])
def test_a_manifest_that_is_damaged_is_said_in_a_line(kept: Kept, tmp_path: Path, content: str) -> None:
    place = shutil.copytree(kept.place, tmp_path / kept.place.name)
    (place / "manifest.json").write_text(content)
    said = kept.shop.backup("check", str(place), code=1)
    assert "manifest.json is damaged" in said
    assert "Traceback" not in said
