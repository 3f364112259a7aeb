"""`manage.py backup`: create, check and restore; what to do around it is in docs/deploy.md."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from storefront.backups import backups
from storefront.backups.databases import DumpFailed
from storefront.backups.files import CopyDiffers

NEXT = """Next, before the shop opens:
  manage.py migrate               if this release is newer than the backup
  manage.py payments reconcile    what was paid meanwhile
  manage.py writer list           each writer reports by itself within 15 s; see what its reasons say"""


class Command(BaseCommand):
    help = "Keeps the database, images and papers in a folder elsewhere, and brings them back."
    requires_system_checks = ()  # an empty machine has no tables yet that they could look at

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|check|restore")
        create = verbs.add_parser("create", help="one more backup, while the shop works on")
        create.add_argument("folder", type=Path, help="the folder of all backups, best on another machine's disk")
        for verb, text in (("check", "read every byte of it again"), ("restore", "into an empty database")):
            other = verbs.add_parser(verb, help=text)
            other.add_argument("backup", type=Path, help="one backup: FOLDER/2026-11-20T120000Z")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            {"create": self._create, "check": self._check, "restore": self._restore}[options["verb"]](options)
        except (backups.BackupRefused, DumpFailed, CopyDiffers, OSError) as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        place, manifest = backups.create(options["folder"], timezone.now())
        self._say(manifest)
        self.stdout.write(str(place))
        if manifest.missing:
            raise CommandError(f"The files of {len(manifest.missing)} images are gone: {', '.join(manifest.missing)}")

    def _check(self, options: dict[str, Any]) -> None:
        manifest, faults = backups.check(options["backup"])
        if faults:
            raise CommandError("Gone or damaged: " + ", ".join(faults))
        self._say(manifest)
        self.stdout.write("Every file is there, and has the sha256 that it must have.")

    def _restore(self, options: dict[str, Any]) -> None:
        self._say(backups.restore(options["backup"]))
        self.stdout.write(NEXT)

    def _say(self, manifest: backups.Manifest) -> None:
        counts = f"{len(manifest.images)} images, {len(manifest.papers)} papers, {len(manifest.secrets)} keys"
        size = manifest.database.size
        self.stdout.write(f"{manifest.made_at}  {manifest.vendor}, {size} bytes; {counts}")
